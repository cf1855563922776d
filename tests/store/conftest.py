"""An archive in a folder for the tests of the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from recording_archive.store.local import LocalStore
from support.store_contract import CREATED


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    """A founded archive on the local disk."""
    made = LocalStore(tmp_path / "archive")
    made.found("0" * 32, CREATED)
    return made
