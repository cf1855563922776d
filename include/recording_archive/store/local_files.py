"""Files of a local store: errors that name file and remedy, and nothing but regular files."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from recording_archive.store.base import AbsentError
from recording_archive.store.disk import disk_errors, exhausted

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_FILE_SYSTEMS_OWN = "lost+found"
NEEDS_LINKS = "use a file system with hard links, such as ext4 or XFS (exFAT, FAT, LTFS and some SMB shares have none)"
_REMEDIES = {
    errno.ENOSPC: "free space on the volume or enlarge it, then run again",
    errno.EDQUOT: "raise the quota of this user, then run again",
    errno.EFBIG: "raise the file size limit (ulimit -f) or use a file system that takes files this large",
    errno.EROFS: "mount the volume writable",
    errno.EACCES: "give the user that runs Airflow read and write permission",
    errno.EPERM: f"give the user that runs Airflow write permission, or {NEEDS_LINKS}",
    errno.EMLINK: "use a file system that takes two names for one file",
    **dict.fromkeys((errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS), NEEDS_LINKS),
    errno.EIO: "the disk fails: check it (dmesg, SMART) before trusting anything on it",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EXDEV: "keep all folders of the archive on one file system",
    errno.ELOOP: "a symbolic link stands where none may; find out who put it there",
    errno.ENOTDIR: "a symbolic link or file stands where a folder should; find out who put it there",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Translate the operating system's errors: absent, or a failure of the place with its remedy."""

    def message(reason: str, error: OSError) -> str:
        remedy = exhausted(path, error) or _REMEDIES.get(error.errno or 0, "check the volume and its mount options")
        return f"{path}: {reason}: {remedy}"

    try:
        with disk_errors(message, absent=True):
            yield
    except FileNotFoundError as error:
        raise AbsentError(f"{path} is not there: restore it from a copy or the source") from error


class _File(io.FileIO):
    """A raw file whose errors name its key and the remedy, however deep below the caller they happen."""

    path: Path

    def write(self, content: ReadableBuffer, /) -> int:
        with explained(self.path):
            return super().write(content)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with explained(self.path):
            return super().readinto(buffer)


def buffered(descriptor: int, path: Path, *, writable: bool = False) -> BinaryIO:
    """A file over ``descriptor``, which it owns; buffered because a raw write may stop half way."""
    try:
        require_regular(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    raw = _File(descriptor, "r+b" if writable else "rb")
    raw.path = path
    return io.BufferedRandom(raw) if writable else io.BufferedReader(raw)


def require_regular(found: os.stat_result) -> None:
    """Raise OSError (ELOOP) unless the file is a regular one."""
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "not a regular file")


def names_in(folder: int) -> Iterator[str]:
    """Names of files, and of folders with a slash; not those of links, and not what is no object of ours."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name == _FILE_SYSTEMS_OWN:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield entry.name + "/"
            elif entry.is_file(follow_symlinks=False):
                yield entry.name
