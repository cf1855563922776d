"""Write-once objects as files below a folder.

A draft gets its key by ``link``, which fails where a name is taken; ``rename`` would replace even a read-only file.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from recording_archive.errors import StoreError
from recording_archive.store.base import AbsentError, Draft, Lock, Store
from recording_archive.store.disk import sync_folder
from recording_archive.store.keys import segments_of
from recording_archive.store.local_files import buffered, explained, names_in, require_regular

__all__ = ["OBJECT_MODE", "LocalStore"]

_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FOLDER_MODE = 0o750
OBJECT_MODE = 0o440
_CANNOT_LINK = {errno.EXDEV, errno.EPERM, errno.ENOENT, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_DEFAULT_RIGHTS = "system.posix_acl_default"


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
        *parents, name = segments_of(key)
        path = self.root / key
        with self._folder(parents, path, make=True) as folder:
            draft = _LocalDraft(self, folder, name, path)
            try:
                yield draft
            finally:
                draft.discard()

    def link(self, file: BinaryIO, key: str) -> bool | None:
        """Link the open file itself, whatever has its old name by now, into the folder of its key.

        None on another volume, and where the folder gives its files a group or rights that this one has not.
        """
        *parents, name = segments_of(key)
        path = self.root / key
        with self._folder(parents, path, make=True) as folder, explained(path):
            if _gives_rights(folder, file):
                return None
            try:
                os.link(f"/proc/self/fd/{file.fileno()}", name, dst_dir_fd=folder)
            except FileExistsError:
                return _is_named(file, folder, name, path)
            except OSError as error:
                if error.errno in _CANNOT_LINK:
                    return None
                raise
        return True

    def sync(self, keys: Iterable[str]) -> None:
        """Sync the folder of every key, each once, and each ancestor at least once in the life of this store.

        Ancestors that are not new as well: the process that made them may not have come to its own sync.
        """
        for folder in sorted({tuple(segments_of(key)[:-1]) for key in keys}):
            self._sync_folder(folder)

    def open(self, key: str) -> BinaryIO:
        """Open a regular file; a link, a folder or a pipe under that name is refused."""
        *parents, name = segments_of(key)
        path = self.root / key
        with self._folder(parents, path) as folder, explained(path):
            # Without O_NONBLOCK a planted named pipe would hang the reader.
            return buffered(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), path)

    def size(self, key: str) -> int | None:
        """The size of a regular file; anything else under that name is refused."""
        *parents, name = segments_of(key)
        path = self.root / key
        try:
            with self._folder(parents, path) as folder, explained(path):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                require_regular(found)
        except AbsentError:
            return None
        return found.st_size

    def list(self, prefix: str) -> Iterator[str]:
        """Walk the folders below ``prefix``, holding the names of one folder per level; links are not followed."""
        folder, _, stem = prefix.rpartition("/")
        yield from self._walk(segments_of(folder) if folder else [], stem)

    def remove(self, key: str) -> None:
        """Unlink a regular file and sync its folder; its bytes are the file system's to overwrite."""
        *parents, name = segments_of(key)
        path = self.root / key
        with suppress(AbsentError), self._folder(parents, path) as folder, explained(path):
            require_regular(os.stat(name, dir_fd=folder, follow_symlinks=False))
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)

    def sweep(self, older_than: datetime) -> int:
        """Unlink stale temporary names; a draft that is being written is as young as its last write."""
        swept = 0
        with explained(self.root):
            for _, _, names, folder in os.fwalk(self.root.resolve(strict=True)):
                for name in filter(_TEMPORARY.fullmatch, names):
                    with suppress(FileNotFoundError):  # its own draft was faster
                        if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < older_than.timestamp():
                            os.unlink(name, dir_fd=folder)
                            swept += 1
        return swept

    def free_bytes(self) -> int:
        """Return the bytes that the file system leaves to users without privileges."""
        with explained(self.root):
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
        with explained(self.root):
            missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
            self.root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            for path in missing or [self.root]:
                with suppress(PermissionError):  # of a mount point's parent, which is not ours to sync
                    sync_folder(path.parent)
        super().found(archive_id, created)

    def keep(self, folder: int, name: str, kept: str) -> bool:
        """Give the file ``name`` of an open folder the further key ``kept``, durably; False when another file has it.

        A link, not a copy: what cannot be read any more is kept as well.
        """
        *parents, other = segments_of(kept)
        path = self.root / kept
        with self._folder(parents, path, make=True) as place, explained(path):
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
        with explained(path):
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
        with self._folder(parents, path) as descriptor, explained(path):
            os.fsync(descriptor)
        if parents and path not in self._anchored:
            self._sync_folder(parents[:-1])
            self._anchored.add(path)

    def _walk(self, parents: Sequence[str], stem: str) -> Iterator[str]:
        """Keys below one folder; a folder sorts as its name with a slash, which makes whole keys come out in order."""
        with explained(self.root.joinpath(*parents)):
            try:
                folder = self._descend(parents, make=False)
            except (FileNotFoundError, NotADirectoryError):
                return
            try:
                names = sorted(name for name in names_in(folder) if name.startswith(stem))
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

    def write_out(self) -> None:
        with explained(self._path):
            self.file.flush()
            with suppress(OSError):  # a file system that takes no advice
                os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # Linux starts write-out for it

    def seal(self) -> None:
        # Closing is part of it: network file systems report the last write errors only then. And what is open for
        # reading alone cannot change any more between being read back and being published.
        with explained(self._path):
            self.file.flush()
            os.fchmod(self.file.fileno(), OBJECT_MODE)
            os.fsync(self.file.fileno())
            self.file.close()
        self.file = self._open(os.O_RDONLY)

    def publish(self, lock: Lock | None = None) -> bool:  # noqa: ARG002 - a folder has no locks
        if self.file.writable():
            self.seal()
        with explained(self._path):
            try:
                os.link(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            except FileExistsError:
                return _is_named(self.file, self._folder, self._name, self._path)
        return True

    def replace(self, kept: str, lock: Lock | None = None) -> bool:  # noqa: ARG002 - a folder has no locks
        if self.file.writable():
            self.seal()
        with explained(self._path):
            require_regular(os.stat(self._name, dir_fd=self._folder, follow_symlinks=False))
        if not self._store.keep(self._folder, self._name, kept):
            return False
        with explained(self._path):
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
        with explained(self._path):
            descriptor = os.open(self._temporary, flags | os.O_NOFOLLOW, 0o600, dir_fd=self._folder)
            return buffered(descriptor, self._path, writable=flags != os.O_RDONLY)


def _is_named(file: BinaryIO, folder: int, name: str, path: Path) -> bool:
    """Test whether the taken name is this file's: NFS says so when the reply to a link that was made got lost."""
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError as error:
        raise StoreError(
            f"{path}: the name is said to be taken, and nothing has it: check its mount options"
        ) from error
    return os.path.samestat(os.fstat(file.fileno()), there)


def _gives_rights(folder: int, file: BinaryIO) -> bool:
    """Tell if a file made in the folder would have another group, or an access list, than ``file`` has."""
    found = os.fstat(folder)
    if found.st_mode & stat.S_ISGID and found.st_gid != os.fstat(file.fileno()).st_gid:
        return True
    try:
        os.getxattr(folder, _DEFAULT_RIGHTS)
    except OSError:  # none, or a file system that has no such lists
        return False
    return True
