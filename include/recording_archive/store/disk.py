"""Local disks: their refusals as errors of this package, and folders made durable."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recording_archive.errors import StoreError


@contextmanager
def disk_errors(message: Callable[[str, OSError], str], *, absent: bool = False) -> Iterator[None]:
    """Turn an OSError into a StoreError with the message that is made of the reason and the error.

    With ``absent`` a file that is not there stays a FileNotFoundError, for the caller to handle.
    """
    try:
        yield
    except OSError as error:
        if absent and isinstance(error, FileNotFoundError):
            raise
        raise StoreError(message(error.strerror or str(error) or type(error).__name__, error)) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mount_of(folder: Path) -> tuple[int, str] | None:
    """The device and the mount that a folder lies on, between whose files hard links can be made; None if unknown."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        text = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        mount = next((line for line in text.splitlines() if line.startswith("mnt_id:")), None)
        return (os.fstat(descriptor).st_dev, mount) if mount else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def exhausted(path: Path, error: OSError) -> str:
    """Give the remedy when a volume has bytes for a new file, and no inode (ENOSPC); else an empty text."""
    if error.errno != errno.ENOSPC:
        return ""
    place = next((each for each in (path, *path.parents) if each.exists()), path)
    try:
        volume = os.statvfs(place)
    except OSError:
        return ""
    if not volume.f_files or volume.f_favail or not volume.f_bavail:  # f_files is 0 where inodes are made as needed
        return ""
    return (
        f"{volume.f_bavail * volume.f_frsize} bytes are free, but no inodes for new files (df -i): remove files nobody "
        "needs, or move to a file system that was made with more inodes (mkfs.ext4 -N, XFS), then run again"
    )
