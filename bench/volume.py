"""A new file system for each run: on one that is kept later rounds get slower, as ext4 looks at deleted inodes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOM_BYTES = 2**30  # of a sparse file


def can_mount() -> bool:
    """Try to make a file system: root may, where mkfs.ext4 is and the machine or container allows loop devices."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with fresh(Path(folder), 0):
                return True
        except subprocess.CalledProcessError:
            return False


@contextmanager
def fresh(folder: Path, media_bytes: int) -> Iterator[Path]:
    """An empty ext4 with room for three times so much, mounted in ``folder`` from a file in it; gone afterwards."""
    image, place = folder / "volume.img", folder / "volume"
    place.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(3 * media_bytes + _ROOM_BYTES)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, place], check=True, capture_output=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)
    finally:
        image.unlink()
        place.rmdir()
