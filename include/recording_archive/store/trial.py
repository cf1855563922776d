"""A folder tried as runs use it: synced, linked, renamed, locked; nothing is left behind.

File systems differ in what they can do, and many say so only when they are asked to do it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recording_archive.errors import StoreError
from recording_archive.store.disk import exhausted, sync_folder
from recording_archive.store.local_files import NEEDS_LINKS

_LOCKS = "use a local file system, or mount this one with locks (NFS without nolock, SMB without nobrl)"
_SYNC = "use a file system that makes files and folders durable (fsync), or what is reported archived can be lost"


def try_archive(folder: Path) -> list[str]:
    """Try what an archive needs of a folder; return warnings, and raise StoreError with a remedy where it cannot be."""
    with _trial(folder) as place:
        draft = _written(folder, place / "draft")
        _link(folder, draft, place / "name")
        _sync(folder, place)
        if os.path.lexists(place / "NAME"):
            return [
                "warning: names that differ in case only are one here: of two ids that differ in nothing else, the "
                "second fails; use a file system that tells case apart"
            ]
    return []


def try_staging(folder: Path) -> list[str]:
    """Try what staging needs of a folder; return warnings, and raise StoreError with a remedy where it cannot be."""
    with _trial(folder) as place:
        draft = _written(folder, place / "draft")
        try:
            with draft.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return [
                f"warning: files cannot be locked here ({error.strerror}): a download that was cut off begins anew in "
                f"the next attempt; {_LOCKS}"
            ]
        with _needed(folder, "a file cannot be renamed", "check the volume and its mount options"):
            draft.rename(place / "name")
        _sync(folder, place)
    return []


def try_catalog(folder: Path) -> None:
    """Try the locks and syncs that SQLite needs; raise StoreError with a remedy where they cannot be had."""
    with _trial(folder) as place:
        draft = _written(folder, place / "draft")
        remedy = f"{_LOCKS}; or set RECORDING_ARCHIVE_CATALOG_URL to another place or to PostgreSQL"
        with _needed(folder, "files cannot be locked, which SQLite needs", remedy), draft.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync(folder: Path, place: Path) -> None:
    with _needed(folder, "folders cannot be synced", _SYNC):
        sync_folder(place)


@contextmanager
def _trial(folder: Path) -> Iterator[Path]:
    """A hidden folder, gone afterwards; no list of objects shows one."""
    with _needed(folder, "a folder cannot be made", "give the user that runs Airflow read and write permission"):
        place = Path(tempfile.mkdtemp(prefix=".check-", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _needed(folder: Path, what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreError(f"{folder}: {what} ({reason}): {exhausted(folder, error) or remedy}") from error


def _written(folder: Path, draft: Path) -> Path:
    with _needed(folder, "a file cannot be written and synced", _SYNC), draft.open("xb") as file:
        file.write(b"check")
        file.flush()
        os.fsync(file.fileno())
    return draft


def _link(folder: Path, draft: Path, name: Path) -> None:
    """Give the draft a second name, which must be the same file, and must not be given away again."""
    with _needed(folder, "hard links cannot be made", f"{NEEDS_LINKS}, or a bucket (s3://)"):
        with suppress(FileExistsError):  # of a link that was made and told as taken: looked at next
            os.link(draft, name)
        if not name.exists() or not draft.samefile(name):
            raise StoreError(f"{folder}: a hard link is not the same file: {NEEDS_LINKS}, or a bucket (s3://)")
        other = _written(folder, name.with_name("more"))
        try:
            os.link(other, name)
        except FileExistsError:
            return
    raise StoreError(f"{folder}: a name that is taken is given away: {NEEDS_LINKS}, or a bucket (s3://)")
