"""The files of a SQLite catalog: its owner's alone, and opened only when none of them is missing.

SQLite keeps what was committed last in ``-wal`` beside the database, and removes ``-shm``, then ``-wal``, when the last
program has closed it. It would take a ``-wal`` without its database for rubbish, and a database without its ``-wal``
for one that is whole.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from recording_archive.errors import StoreError

_OWNERS_ALONE = 0o600
_OTHERS = 0o077


def prepare(file: Path) -> None:
    """Make the catalog's file where there is none, and take from others what they may do with it and its companions.

    Raise StoreError when one of the files is missing. What the disk refuses is left for SQLite to tell.
    """
    real = Path(os.path.realpath(file))  # SQLite names the companions by it
    require_whole(real)
    with suppress(OSError):
        _make(real)
    for path in (real, *_companions(real)):
        with suppress(OSError):
            _tighten(path)


def require_whole(file: Path) -> None:
    """Raise StoreError, with advice, when a file was removed from beside the other."""
    real = Path(os.path.realpath(file))
    wal, shm = _companions(real)
    if wal.exists() and not real.exists():  # in this order: whoever founds a catalog makes the database first
        raise StoreError(
            f"{wal} is there without {real.name}, to which it belongs: put that back beside it. Where it is lost, "
            f"move {_named(wal, shm)} to another folder, then run `recording-archive reindex`"
        )
    before = _inode(shm)
    # The same before and after: no program closed or opened the catalog in between.
    if before and real.exists() and not wal.exists() and _inode(shm) == before:
        raise StoreError(
            f"{wal} is gone, and with it what {real.name} was told last: put it back beside it. Where it is lost, move "
            f"{_named(real, shm)} to another folder, then run `recording-archive reindex`"
        )


def _companions(file: Path) -> tuple[Path, Path]:
    return file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")


def _named(*paths: Path) -> str:
    return " and ".join(path.name for path in paths if path.exists())


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _make(file: Path) -> None:
    """Make an empty file without opening it: closing a file drops every lock this process has on it (POSIX)."""
    with suppress(FileExistsError):
        try:
            os.mknod(file, _OWNERS_ALONE | stat.S_IFREG)
        except PermissionError:  # macOS lets nobody but root do this
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNERS_ALONE))


def _tighten(path: Path) -> None:
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & _OTHERS:
        path.chmod(_OWNERS_ALONE)
