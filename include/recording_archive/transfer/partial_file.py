"""A file on its way into staging: locked, hashed as it grows, packed where it is asked for, resumable after a crash."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from recording_archive.errors import FixityError, PermanentError, StoreError
from recording_archive.store import bgzf
from recording_archive.store.disk import disk_errors, exhausted
from recording_archive.store.local import OBJECT_MODE
from recording_archive.store.packer import Helpers, Packer
from recording_archive.transfer.formats import HEAD_BYTES
from recording_archive.transfer.limits import TransferLimits

RESUMABLE_BYTES = 8 * 2**20  # smaller media is fetched again after a crash
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]*"')  # RFC 9110, 8.8.3, without W/

_FLAGS = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Partial:
    """The growing file beside its target, locked, with the running hash of all its bytes.

    ``{target}.part`` is taken up again only under an exclusive lock and only when ``{target}.resume`` names the strong
    ETag and the length it belongs to; without the lock the attempt gets a name of its own. Every refusal of the disk
    is a StoreError.

    With ``helpers`` what is written is BGZF, in whole members; ``size``, ``sha256`` and ``head`` are the media's in
    either case.
    """

    def __init__(
        self,
        target: Path,
        path: Path,
        descriptor: int,
        *,
        limits: TransferLimits,
        helpers: Helpers | None,
        shared: bool,
    ) -> None:
        self.etag: str | None = None
        self.total: int | None = None
        self.size = 0
        self.head = b""
        self._target, self._path, self._descriptor, self._limits = target, path, descriptor, limits
        self._packer = Packer(self._write, helpers) if helpers else None
        self._index = bgzf.Index()
        self._shared = shared  # the name that the next attempt looks for
        self._hash = hashlib.sha256()
        self._checked = 0
        self._used = False  # whether bytes may lie in the file
        self._noted = False  # whether a note may lie beside it
        self._done = False

    @classmethod
    def take(
        cls, target: Path, limits: TransferLimits, check_stop: Callable[[], None], *, helpers: Helpers | None = None
    ) -> Self:
        """Open and lock the partial of ``target``; media of an earlier attempt is hashed again from byte 0."""
        path = target.with_name(target.name + ".part")
        with _staging_errors(path):
            descriptor = _locked(path)
            if descriptor is None:
                path = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
                descriptor = os.open(path, _FLAGS | os.O_EXCL, 0o600)
                with contextlib.suppress(OSError):  # a file system without locks is no reason to fail
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return cls(target, path, descriptor, limits=limits, helpers=helpers, shared=False)
            partial = cls(target, path, descriptor, limits=limits, helpers=helpers, shared=True)
        try:
            partial._adopt(check_stop)
        except BaseException:
            os.close(descriptor)
            raise
        return partial

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Release the lock; keep an unfinished file when the next attempt can resume it, else remove it."""
        hopeless = isinstance(error, PermanentError | FixityError)
        if self._packer:
            self._packer.drop()
        with contextlib.suppress(OSError):
            if not self._done and (hopeless or not self._resumable):
                self._forget()
                self._path.unlink()
        os.close(self._descriptor)

    @property
    def can_resume(self) -> bool:
        """Tell if it is known which file the bytes so far are the beginning of."""
        return self.size > 0 and self.etag is not None

    @property
    def sha256(self) -> str:
        """SHA-256 of all media so far, in hex."""
        return self._hash.hexdigest()

    def peek(self, offset: int) -> bytes:
        """Read a few kilobytes of media from ``offset`` on, after `end`; nothing behind its end."""
        if offset >= self.size:
            return b""
        with _staging_errors(self._path):
            if not self._packer:
                return os.pread(self._descriptor, HEAD_BYTES, offset)
            with open(self._descriptor, "rb", closefd=False) as file:
                return b"".join(bgzf.media_range(file, offset, offset + HEAD_BYTES, index=self._index))

    def begin(self, etag: str | None, total: int | None) -> None:
        """Start at byte 0 of the representation that ``etag`` names, ``total`` bytes long (None: not told)."""
        self.restart()
        self.etag, self.total = etag, total
        if self._resumable:
            note = self._resume.with_name(f"{self._resume.name}.{uuid.uuid4().hex}.tmp")
            with _staging_errors(note):
                self._noted = True
                note.write_text(json.dumps({"etag": etag, "total": total, "boot": _boot()}))
                note.replace(self._resume)

    def restart(self) -> None:
        """Throw away all bytes so far."""
        if self._packer:
            self._packer.drop()
        with _staging_errors(self._path):
            self._forget()
            if self._used:
                os.ftruncate(self._descriptor, 0)
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                self._used = False
        self.etag = self.total = None
        self.size, self.head, self._checked = 0, b"", 0
        self._hash, self._index = hashlib.sha256(), bgzf.Index()

    def append(self, chunk: memoryview) -> None:
        """Hash and write ``chunk``; the free space is checked again after every so many bytes."""
        if self._packer:  # first, so that helpers deflate while it is hashed
            self._packer.add(chunk, large=max(self.size, self.total or 0) >= RESUMABLE_BYTES)
        else:
            self._write(chunk)
        self._count(chunk)
        if self.size - self._checked >= self._limits.room_check_bytes:
            self.check_room(0)

    def check_room(self, due_bytes: int) -> None:
        """Raise StoreError when ``due_bytes`` more would leave less than the reserve free."""
        self._checked, reserve_bytes = self.size, self._limits.free_space_reserve_bytes
        with _staging_errors(self._path):
            room = os.fstatvfs(self._descriptor)
        free = room.f_bavail * room.f_frsize
        if free - due_bytes < reserve_bytes:
            raise StoreError(
                f"Staging {self._path.parent} has {free} bytes free, {due_bytes} are due and {reserve_bytes} reserved: "
                "free space there, or lower RECORDING_ARCHIVE_FREE_SPACE_RESERVE_BYTES"
            )

    def end(self) -> None:
        """Write what is still to be packed, and the end marker: all media is here."""
        if self._packer:
            self._packer.end()

    def complete(self) -> None:
        """Make the bytes durable, then give them their final name; the folder is the caller's to sync.

        What is packed becomes an object as it is, and so gets the rights of one.
        """
        with _staging_errors(self._path):
            if self._packer:
                os.fchmod(self._descriptor, OBJECT_MODE)
            os.fsync(self._descriptor)
            self._forget()
            self._path.rename(self._target)
        self._done = True

    @property
    def _resumable(self) -> bool:
        """Tell if the next attempt will find this file and can know which file it is part of."""
        return self._shared and self.etag is not None and self.total is not None and self.total >= RESUMABLE_BYTES

    @property
    def _resume(self) -> Path:
        return self._target.with_name(self._target.name + ".resume")

    def _forget(self) -> None:
        if self._noted:
            self._resume.unlink(missing_ok=True)
            self._noted = False

    def _write(self, content: bytes | memoryview) -> None:
        self._used = True
        with _staging_errors(self._path):
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def _count(self, chunk: memoryview | bytes) -> None:
        self._hash.update(chunk)
        self.size += len(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(chunk[: HEAD_BYTES - len(self.head)])

    def _adopt(self, check_stop: Callable[[], None]) -> None:
        """Read a left-over through, or begin again when no note identifies what it is part of."""
        with _staging_errors(self._path):
            size = os.fstat(self._descriptor).st_size
            self._used, self._noted = size > 0, self._resume.exists()
            note = _read_note(self._resume) if self._noted else None
        try:
            for block in self._left() if note and size else ():
                self._count(block)
                check_stop()
        except bgzf.DamagedError:
            note = None
        if note is None or not 0 < self.size <= note[1]:
            self.restart()
            return
        self.etag, self.total = note

    def _left(self) -> Iterator[bytes | memoryview]:
        """The media that lies in a left-over; of one that is packed whole members stay, and what follows is cut off."""
        with _staging_errors(self._path):
            if not self._packer:
                while block := os.read(self._descriptor, 2**20):
                    yield block
                return
            end = 0
            with open(self._descriptor, "rb", closefd=False) as file:
                for end, media in bgzf.whole_members(file, str(self._path)):  # noqa: B007 - the last one is needed
                    yield media
            os.ftruncate(self._descriptor, end)
            os.lseek(self._descriptor, end, os.SEEK_SET)


def _locked(path: Path) -> int | None:
    """Open ``path`` and lock it exclusively; None when another live attempt holds it or the file system cannot lock."""
    made_writable = False
    while True:
        try:
            descriptor = os.open(path, _FLAGS, 0o600)
        except PermissionError:  # a packed file that was ended, and whose process died before it had its name
            if made_writable:
                raise
            if not _make_writable(path):
                return None
            made_writable = True
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)  # renamed or removed between open and lock


def _make_writable(path: Path) -> bool:
    """Take back that a file is read-only; False when another attempt, which is alive, has it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # it got its name meanwhile
        return True
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        if _is_still(path, descriptor):
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _read_note(path: Path) -> tuple[str, int] | None:
    """Read a ``.resume`` file, if it was written since this machine started.

    After a power loss a file can have its length but not its bytes, which nothing would show without a checksum.
    """
    try:
        note = json.loads(path.read_text())
        etag, total, boot = note["etag"], note["total"], note["boot"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    known = isinstance(etag, str) and STRONG_ETAG.fullmatch(etag) and type(total) is int
    return (etag, total) if known and boot and boot == _boot() else None


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _staging_errors(path: Path) -> contextlib.AbstractContextManager[None]:
    """Turn what the disk refuses (ENOSPC, EDQUOT, EROFS, EACCES, EIO …) into a StoreError with its remedy."""

    def message(reason: str, error: OSError) -> str:
        remedy = exhausted(path, error) or "check space, permissions and the disk behind RECORDING_ARCHIVE_STAGING_URL"
        return f"Staging file {path} cannot be written ({reason}): {remedy}"

    return disk_errors(message)
