"""The desk that tests of transfers order from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.media_desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose staging is empty."""
    with ExitStack() as stack:
        yield Desk(tmp_path, stack)
