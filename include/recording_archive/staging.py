"""Where raw bytes wait between download and archive: a local folder per run, a file per work row."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from recording_archive.errors import StoreError


def safe_name(run_id: str) -> str:
    """A run id as a path segment; two run ids may share one, so what lies below it is numbered."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", run_id).lstrip(".")[:150] or "run"


def folder(root: Path, run_id: str) -> Path:
    """The run's staging folder, made when it is not there."""
    path = root / safe_name(run_id)
    with _explained(path):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def sync(path: Path) -> None:
    """Make the names in a run's folder durable, and the folder's own."""
    with _explained(path):
        for place in (path, path.parent, path.parent.parent):
            with suppress(PermissionError):  # of a mount point's parent, which is not ours to sync
                _sync(place)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open staged bytes for reading; raise FileNotFoundError when they are gone."""
    with _explained(path), path.open("rb") as file:
        yield file


def remove(path: Path) -> None:
    """Drop staged bytes that nobody waits for."""
    with _explained(path):
        path.unlink(missing_ok=True)


def drop(root: Path, run_id: str, is_over: Callable[[int], bool]) -> None:
    """Remove what killed attempts left behind of work that ``is_over``, and the run's folder with the last of it.

    What cannot be removed harms nobody: the report is out by now, and sweeping comes by again.
    """
    path = root / safe_name(run_id)
    with suppress(OSError):
        for file in path.iterdir():
            number = file.name.partition(".")[0]
            if number.isdecimal() and is_over(int(number)):
                file.unlink(missing_ok=True)
        path.rmdir()


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a StoreError with its remedy; a file that is gone stays FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(
            f"Staging {path} cannot be used ({error.strerror or error}): check space, permissions and the disk behind "
            "RECORDING_ARCHIVE_STAGING_URL"
        ) from error
