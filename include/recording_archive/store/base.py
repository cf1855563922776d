"""The contract of every store: write-once objects under a root. A named object is whole, durable and never changes.

An object is written under a temporary name, made durable (`seal`), read back by the caller, and only then given its
key (`publish`), which fails where the key is taken. Keys become durable with their folders (`sync`), which may be done
for a group at once:

    objects published → sync → sidecars published → sync → catalog

A crash at any moment leaves at most a temporary name, for `sweep`. `Store.remove` alone deletes: dispositions call it
for recordings, waveforms for a picture that was drawn too late, and evidence packs for copies whose days are over.
`Draft.replace` alone changes what a key names: repairs call it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, NamedTuple, Protocol

from recording_archive.errors import PermanentError, StoreError

__all__ = ["IDENTITY_KEY", "AbsentError", "Draft", "Lock", "Store"]

IDENTITY_KEY = "archive.json"
_FORMAT_VERSION = 1
_DOCUMENT_BYTES = 16 * 2**20  # sidecars, holds, policies: all are far smaller


class AbsentError(PermanentError):
    """No object or folder has this key."""


class Lock(NamedTuple):
    """A lock of an object: its bytes cannot be deleted before ``until``, nor for as long as it is ``held``."""

    until: datetime | None = None
    held: bool = False

    def reaches(self, until: datetime | None) -> bool:
        """Tell if it lasts at least until then."""
        return until is None or (self.until is not None and self.until >= until)


class Draft(Protocol):
    """An object that has no key yet. Leaving the context without publishing leaves nothing behind.

    ``file`` is writable until `seal`, and from then on readable from the first byte.
    """

    file: BinaryIO

    def write_out(self) -> None:
        """Let the disk begin with what was written, while others are: nothing is durable before `seal`."""

    def seal(self) -> None:
        """Make the content durable and read-only; every write error shows by now. ``file`` is reopened for reading."""

    def publish(self, lock: Lock | None = None) -> bool:
        """Give the sealed content its key; False when the key is taken, which leaves the object there as it is.

        A store that locks objects gives it the ``lock`` in the same step, any other leaves it out.
        """

    def replace(self, kept: str, lock: Lock | None = None) -> bool:
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

    def link(self, file: BinaryIO, key: str) -> bool | None:  # noqa: ARG002 - for stores that can
        """Give a finished, durable file of this machine its key, without a copy; True also when it has the key already.

        ``file`` is open for reading, and nobody writes to it any more. False when the key is taken, which leaves the
        object there as it is; None where it cannot be done, and a draft must be written.
        """
        return None

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

    def locks(self) -> bool:
        """Tell if objects are locked here; where they are not, `lock_of` finds no lock and `lock` is refused."""
        return False

    def lock_of(self, key: str) -> Lock:  # noqa: ARG002 - a store without locks
        """The lock that the place itself tells of an object."""
        return Lock()

    def lock(self, key: str, wanted: Lock) -> Lock:  # noqa: ARG002 - a store without locks
        """Lock an object until then or longer, and set or clear its legal hold; return the lock it has then.

        No lock ends earlier for it. Raise PermanentError when the place refuses, or does not show what it took.
        """
        raise StoreError(f"{self} does not lock objects: set RECORDING_ARCHIVE_OBJECT_LOCK for a bucket that can")

    def try_locks(self) -> str:
        """Lock objects and try to delete them; say what the place refused, raise StoreError when it did not."""
        return f"{self} does not lock objects"

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
