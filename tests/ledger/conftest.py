"""An archive whose clock stands still."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recording_archive.archive import Archive
from support.ledger_files import NOW


@pytest.fixture
def still(archive: Archive) -> Archive:
    """An empty archive at a moment."""
    return replace(archive, clock=lambda: NOW)
