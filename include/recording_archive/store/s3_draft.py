"""A draft of an object in a bucket: a local file without a name until it is published."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import BinaryIO, Protocol

from recording_archive.errors import PermanentError
from recording_archive.store.base import Lock
from recording_archive.store.disk import disk_errors


class Uploading(Protocol):
    """The part of a store that a draft needs."""

    def upload(self, key: str, file: BinaryIO, condition: Mapping[str, str], lock: Lock | None = None) -> bool:
        """Put a local file in its place, locked; False when the ``condition`` of the request does not hold."""

    def keep(self, key: str, kept: str) -> str | None:
        """Copy an object to ``kept``, byte for byte; return its ETag, None when other bytes have that key."""


class S3Draft:
    """A local file without a name until it is published."""

    def __init__(self, store: Uploading, key: str) -> None:
        self._store, self._key = store, key
        with _local(key):
            self.file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed by discard

    def write_out(self) -> None:
        pass  # the bucket gets it at once, when it is published

    def seal(self) -> None:
        with _local(self._key):
            self.file.flush()
            reopened = os.open(f"/proc/self/fd/{self.file.fileno()}", os.O_RDONLY)
            self.file.close()
        self.file = os.fdopen(reopened, "rb")

    def publish(self, lock: Lock | None = None) -> bool:
        if self.file.writable():
            self.seal()
        return self._store.upload(self._key, self.file, {"IfNoneMatch": "*"}, lock)

    def replace(self, kept: str, lock: Lock | None = None) -> bool:
        if self.file.writable():
            self.seal()
        etag = self._store.keep(self._key, kept)
        if etag is None:
            return False
        if not self._store.upload(self._key, self.file, {"IfMatch": etag}, lock):
            raise PermanentError(f"{self._store}/{self._key} was replaced meanwhile: find out who writes there")
        return True

    def discard(self) -> None:
        with suppress(OSError):
            self.file.close()


def _local(key: str) -> AbstractContextManager[None]:
    """Turn what the disk of temporary files refuses into a StoreError."""
    remedy = "free space, or set TMPDIR"
    return disk_errors(lambda reason, _: f"{key} cannot be written to {tempfile.gettempdir()} ({reason}): {remedy}")
