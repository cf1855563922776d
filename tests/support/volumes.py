"""A folder on another volume than the tests' own, to which no hard link leads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CANDIDATES = ("/dev/shm", "/var/tmp", "/tmp", str(Path(__file__).parent))  # noqa: S108  # a folder of our own in it


@contextmanager
def another_volume(beside: Path) -> Iterator[Path]:
    """Make an empty folder on another volume than ``beside``; skip the test where the machine has one alone."""
    volume = beside.stat().st_dev
    for place in _CANDIDATES:
        if os.access(place, os.W_OK) and Path(place).stat().st_dev != volume:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                yield Path(folder)
            return
    pytest.skip("the machine has one volume only")
