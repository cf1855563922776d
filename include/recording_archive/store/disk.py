"""Local disks: their refusals as errors of this package, and folders made durable."""

from __future__ import annotations

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
