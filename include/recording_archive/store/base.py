"""Write-once objects under a root: what has a name is whole, durable and never changes.

An object is written under a temporary name, made durable (`seal`), read back by the caller, and only then given its
key (`publish`), by ``link``, which fails where a name is taken; ``rename`` would replace even a read-only file. Keys
become durable with their folders (`sync`), which may be done for a group at once:

    objects published → sync → sidecars published → sync → catalog

A crash at any moment leaves at most a temporary name, for `sweep`. Objects are deleted by `remove` alone, which only
dispositions call; what a key names is changed by `Draft.replace` alone, which only repairs call.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from recording_archive.errors import PermanentError, StoreError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["IDENTITY_KEY", "AbsentError", "Draft", "LocalStore", "Store", "check_key"]

IDENTITY_KEY = "archive.json"
_FORMAT_VERSION = 1
_DOCUMENT_BYTES = 16 * 2**20  # sidecars, holds, policies: all are far smaller

# ASCII alone, so that two keys never look alike nor fold into one another on any file system. No leading dot:
# temporary names have one, and sweeping must never meet an object.
_SEGMENT = re.compile(r"[A-Za-z0-9_=+@,%-][A-Za-z0-9._~=+@,:%-]{0,254}")
_KEY_LENGTH = 1024  # the limit of S3
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")
_FILE_SYSTEMS_OWN = "lost+found"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FOLDER_MODE = 0o750
_OBJECT_MODE = 0o440
_REMEDIES = {
    errno.ENOSPC: "free space on the volume or enlarge it, then run again",
    errno.EDQUOT: "raise the quota of this user, then run again",
    errno.EFBIG: "raise the file size limit (ulimit -f) or use a file system that takes files this large",
    errno.EROFS: "mount the volume writable",
    errno.EACCES: "give the user that runs Airflow read and write permission",
    errno.EPERM: "give the user that runs Airflow write permission, on a file system with hard links",
    errno.EOPNOTSUPP: "use a file system with hard links, such as ext4 or XFS",
    errno.EIO: "the disk fails: check it (dmesg, SMART) before trusting anything on it",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EXDEV: "keep all folders of the archive on one file system",
    errno.ELOOP: "a symbolic link stands where none may; find out who put it there",
    errno.ENOTDIR: "a symbolic link or file stands where a folder should; find out who put it there",
}


class Draft(Protocol):
    """An object that has no key yet. Leaving the context without publishing leaves nothing behind.

    ``file`` is writable until `seal`, and from then on readable from the first byte.
    """

    file: BinaryIO

    def seal(self) -> None:
        """Make the content durable and read-only; every write error shows by now. ``file`` is reopened for reading."""

    def publish(self) -> bool:
        """Give the sealed content its key; False when the key is taken, which leaves the object there as it is."""

    def replace(self, kept: str) -> bool:
        """Give the sealed content its key in place of the object there, which gets the key ``kept`` first.

        For repairs alone. The key names one of the two objects, whole, at every moment, and both names are durable on
        return. False, and nothing changed, when another object has the key ``kept``; PermanentError when there is
        nothing to replace.
        """


class Store(Protocol):
    """Objects by key: relative POSIX paths of safe ASCII segments. Any other key raises PermanentError.

    Everything raises StoreError, with a remedy, when the place itself fails: full, read-only, forbidden, broken.
    """

    def begin(self, key: str) -> AbstractContextManager[Draft]:
        """Start an object that is to have ``key``."""

    def sync(self, keys: Iterable[str]) -> None:
        """Return when everything published under ``keys`` survives a power cut, whoever published it."""

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading and seeking; raise PermanentError when it is not there."""

    def size(self, key: str) -> int | None:
        """The object's size in bytes; None when it is not there."""

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that begin with ``prefix``, a text, not a folder; in the order of their characters."""

    def remove(self, key: str) -> datetime | None:
        """Delete an object, every version of it; None when nothing of it is left, else when its lock ends.

        Durable on return. An object that is not there is gone already.
        """

    def sweep(self, older_than: datetime) -> int:
        """Remove what unfinished drafts left before ``older_than``; return how many there were."""

    def free_bytes(self) -> int | None:
        """Space left for new objects; None when there is no such limit."""

    def probe(self) -> str:
        """Try to write without leaving anything, and say what the place is like; raise StoreError when unusable."""

    def read(self, key: str, limit: int = _DOCUMENT_BYTES) -> bytes:
        """The whole of a small document; raise PermanentError when it is not there or larger than ``limit`` bytes."""
        with self.open(key) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise PermanentError(f"{key} in {self} is larger than the {limit} bytes such a document may have")
        return content

    def put(self, key: str, content: bytes) -> bool:
        """Store a small document, durable on return; False when the key is taken, then the one there is durable."""
        with self.begin(key) as draft:
            draft.file.write(content)
            draft.seal()
            published = draft.publish()
        self.sync([key])
        return published

    def identity(self) -> str | None:
        """The id of the archive that lies here; None when none was founded. Raise StoreError when it is unreadable."""
        if self.size(IDENTITY_KEY) is None:
            return None
        try:
            document = json.loads(self.read(IDENTITY_KEY))
            archive_id, version = str(document["id"]), int(document["formatVersion"])
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{IDENTITY_KEY} in {self} is damaged ({error!r}): restore it from a copy") from error
        if version > _FORMAT_VERSION:
            raise StoreError(f"{self} has format version {version}: install a release of this software that knows it")
        return archive_id

    def required_identity(self, remedy: str = "is its volume mounted, and is RECORDING_ARCHIVE_URL right?") -> str:
        """Return the id of the archive; raise StoreError with the remedy when none was founded here."""
        archive_id = self.identity()
        if archive_id is None:
            raise StoreError(f"{self} holds no archive.json: {remedy}")
        return archive_id

    def found(self, archive_id: str, created: datetime) -> None:
        """Make this place the archive ``archive_id``, once; raise StoreError when it is another archive already."""
        document = {"id": archive_id, "created": created.isoformat(), "formatVersion": _FORMAT_VERSION}
        if not self.put(IDENTITY_KEY, json.dumps(document).encode() + b"\n") and self.identity() != archive_id:
            raise StoreError(f"{self} is archive {self.identity()} already, not {archive_id}: choose another root")


class LocalStore(Store):
    """Objects as files under a root folder, which only `found` makes: a missing root is an unmounted volume.

    Folders are opened one by one from the root without following links, and files relative to the open folder, so a
    symbolic link planted inside the root leads nowhere, whenever it came. The root itself may be one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._anchored: set[Path] = set()  # folders whose own entry in their parent is known to be durable

    def __str__(self) -> str:
        return str(self.root)

    @contextmanager
    def begin(self, key: str) -> Iterator[Draft]:
        """Start an object in its folder, which is made when it is not there."""
        *parents, name = _segments(key)
        path = self.root / key
        with self._folder(parents, path, make=True) as folder:
            draft = _LocalDraft(self, folder, name, path)
            try:
                yield draft
            finally:
                draft.discard()

    def sync(self, keys: Iterable[str]) -> None:
        """Sync the folder of every key, each once, and each ancestor at least once in the life of this store.

        Ancestors that are not new as well: the process that made them may not have come to its own sync.
        """
        for folder in sorted({tuple(_segments(key)[:-1]) for key in keys}):
            self._sync_folder(folder)

    def open(self, key: str) -> BinaryIO:
        """Open a regular file; a link, a folder or a pipe under that name is refused."""
        *parents, name = _segments(key)
        path = self.root / key
        with self._folder(parents, path) as folder, _explained(path):
            # Without O_NONBLOCK a planted named pipe would hang the reader.
            return _buffered(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), path)

    def size(self, key: str) -> int | None:
        """The size of a regular file; anything else under that name is refused."""
        *parents, name = _segments(key)
        path = self.root / key
        try:
            with self._folder(parents, path) as folder, _explained(path):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                _require_regular(found)
        except AbsentError:
            return None
        return found.st_size

    def list(self, prefix: str) -> Iterator[str]:
        """Walk the folders below ``prefix``, holding the names of one folder per level; links are not followed."""
        folder, _, stem = prefix.rpartition("/")
        yield from self._walk(_segments(folder) if folder else [], stem)

    def remove(self, key: str) -> None:
        """Unlink a regular file and sync its folder; its bytes are the file system's to overwrite."""
        *parents, name = _segments(key)
        path = self.root / key
        with suppress(AbsentError), self._folder(parents, path) as folder, _explained(path):
            _require_regular(os.stat(name, dir_fd=folder, follow_symlinks=False))
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)

    def sweep(self, older_than: datetime) -> int:
        """Unlink stale temporary names; a draft that is being written is as young as its last write."""
        swept = 0
        with _explained(self.root):
            for _, _, names, folder in os.fwalk(self.root.resolve(strict=True)):
                for name in filter(_TEMPORARY.fullmatch, names):
                    with suppress(FileNotFoundError):  # its own draft was faster
                        if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < older_than.timestamp():
                            os.unlink(name, dir_fd=folder)
                            swept += 1
        return swept

    def free_bytes(self) -> int:
        """What the file system leaves to users without privileges."""
        with _explained(self.root):
            volume = os.statvfs(self.root)
        return volume.f_bavail * volume.f_frsize

    def probe(self) -> str:
        """Write a draft, and say how much room there is."""
        with self.begin("check") as draft:
            draft.file.write(b"check")
            draft.seal()
        return f"{self} is writable, {self.free_bytes() / 2**30:.1f} GiB free"

    def found(self, archive_id: str, created: datetime) -> None:
        """Make the root as well, durably, before it gets its identity."""
        with _explained(self.root):
            missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
            self.root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            for path in missing or [self.root]:
                with suppress(PermissionError):  # of a mount point's parent, which is not ours to sync
                    _sync_path(path.parent)
        super().found(archive_id, created)

    def keep(self, folder: int, name: str, kept: str) -> bool:
        """Give the file ``name`` of an open folder the further key ``kept``, durably; False when another file has it.

        A link, not a copy: what cannot be read any more is kept as well.
        """
        *parents, other = _segments(kept)
        path = self.root / kept
        with self._folder(parents, path, make=True) as place, _explained(path):
            try:
                os.link(name, other, src_dir_fd=folder, dst_dir_fd=place, follow_symlinks=False)
            except FileExistsError:
                there = os.stat(other, dir_fd=place, follow_symlinks=False)
                if not os.path.samestat(os.stat(name, dir_fd=folder, follow_symlinks=False), there):
                    return False
        self.sync([kept])
        return True

    @contextmanager
    def _folder(self, parents: Sequence[str], path: Path, *, make: bool = False) -> Iterator[int]:
        """An open folder; errors on the way to it name ``path``, what it was wanted for."""
        with _explained(path):
            descriptor = self._descend(parents, make=make)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _descend(self, parents: Sequence[str], *, make: bool) -> int:
        try:
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError as error:
            if make:
                raise StoreError(f"{self.root} is not there: is its volume mounted?") from error
            raise
        for depth, name in enumerate(parents, 1):
            try:
                child = self._enter(descriptor, name, self.root.joinpath(*parents[:depth]), make=make)
            finally:
                os.close(descriptor)
            descriptor = child
        return descriptor

    def _enter(self, parent: int, name: str, path: Path, *, make: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
        self._anchored.discard(path)
        with suppress(FileExistsError):  # another thread or process was faster
            os.mkdir(name, _FOLDER_MODE, dir_fd=parent)
        return os.open(name, _FOLDER, dir_fd=parent)

    def _sync_folder(self, parents: Sequence[str]) -> None:
        path = self.root.joinpath(*parents)
        with self._folder(parents, path) as descriptor, _explained(path):
            os.fsync(descriptor)
        if parents and path not in self._anchored:
            self._sync_folder(parents[:-1])
            self._anchored.add(path)

    def _walk(self, parents: Sequence[str], stem: str) -> Iterator[str]:
        """Keys below one folder; a folder sorts as its name with a slash, which makes whole keys come out in order."""
        with _explained(self.root.joinpath(*parents)):
            try:
                folder = self._descend(parents, make=False)
            except (FileNotFoundError, NotADirectoryError):
                return
            try:
                names = sorted(name for name in _names(folder) if name.startswith(stem))
            finally:
                os.close(folder)
        for name in names:
            if name.endswith("/"):
                yield from self._walk([*parents, name[:-1]], "")
            else:
                yield "/".join([*parents, name])


class _LocalDraft:
    """A file under a temporary name in the folder of its key: what links there has never left the file system."""

    def __init__(self, store: LocalStore, folder: int, name: str, path: Path) -> None:
        self._store, self._folder, self._name, self._path = store, folder, name, path
        self._temporary = f".{uuid.uuid4().hex}.tmp"
        self.file = self._open(os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def seal(self) -> None:
        # Closing is part of it: network file systems report the last write errors only then. And what is open for
        # reading alone cannot change any more between being read back and being published.
        with _explained(self._path):
            self.file.flush()
            os.fchmod(self.file.fileno(), _OBJECT_MODE)
            os.fsync(self.file.fileno())
            self.file.close()
        self.file = self._open(os.O_RDONLY)

    def publish(self) -> bool:
        if self.file.writable():
            self.seal()
        with _explained(self._path):
            try:
                os.link(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            except FileExistsError:
                return False
        return True

    def replace(self, kept: str) -> bool:
        if self.file.writable():
            self.seal()
        with _explained(self._path):
            _require_regular(os.stat(self._name, dir_fd=self._folder, follow_symlinks=False))
        if not self._store.keep(self._folder, self._name, kept):
            return False
        with _explained(self._path):
            os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)
        return True

    def discard(self) -> None:
        """Drop the temporary name, published or not; what cannot be dropped is left to `LocalStore.sweep`."""
        with suppress(StoreError, OSError):  # bytes that could not be written do not matter any more
            self.file.close()
        with suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)

    def _open(self, flags: int) -> BinaryIO:
        with _explained(self._path):
            descriptor = os.open(self._temporary, flags | os.O_NOFOLLOW, 0o600, dir_fd=self._folder)
            return _buffered(descriptor, self._path, writable=flags != os.O_RDONLY)


class AbsentError(PermanentError):
    """There is no such object or folder."""


class _File(io.FileIO):
    """A raw file whose errors name its key and the remedy, however deep below the caller they happen."""

    path: Path

    def write(self, content: ReadableBuffer, /) -> int:
        with _explained(self.path):
            return super().write(content)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with _explained(self.path):
            return super().readinto(buffer)


def _buffered(descriptor: int, path: Path, *, writable: bool = False) -> BinaryIO:
    """A file over ``descriptor``, which it owns; buffered because a raw write may stop half way."""
    try:
        _require_regular(os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    raw = _File(descriptor, "r+b" if writable else "rb")
    raw.path = path
    return io.BufferedRandom(raw) if writable else io.BufferedReader(raw)


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "not a regular file")


def _names(folder: int) -> Iterator[str]:
    """Names of files, and of folders with a slash; not those of links, and not what is no object of ours."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name == _FILE_SYSTEMS_OWN:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield entry.name + "/"
            elif entry.is_file(follow_symlinks=False):
                yield entry.name


def check_key(key: str) -> None:
    """Raise PermanentError unless ``key`` is one that every store takes."""
    _segments(key)


def _segments(key: str) -> list[str]:
    segments = key.split("/")
    if len(key) > _KEY_LENGTH or not all(map(_SEGMENT.fullmatch, segments)):
        raise PermanentError(
            f"{key[:120]!r} cannot be a key: up to {_KEY_LENGTH} characters, segments of 1 to 255 letters, digits and "
            "._~=+@,:%- that do not begin with a dot or tilde"
        )
    return segments


def _sync_path(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Translate the operating system's errors: absent, or a failure of the place with its remedy."""
    try:
        yield
    except FileNotFoundError as error:
        raise AbsentError(f"{path} is not there: restore it from a copy or the source") from error
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "check the volume and its mount options")
        raise StoreError(f"{path}: {error.strerror or error}: {remedy}") from error
