"""An object of a bucket as a file: read by ranges, so that a seek costs one request."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError

from recording_archive.errors import TransientError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Fetching(Protocol):
    """The part of a store that reading needs."""

    def fetch(self, key: str, start: int, etag: str) -> Any:
        """Return the body of the object from ``start`` on, as long as it is the one with ``etag``."""


class S3File(io.RawIOBase):
    """An object read by ranges: one request as long as reading goes on, another after a seek or a cut."""

    def __init__(self, store: Fetching, key: str, size: int, etag: str) -> None:
        super().__init__()
        self._store, self._key, self._size, self._etag = store, key, size, etag
        self._position = 0
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset != self._position:
            self._drop()
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        wanted = min(memoryview(buffer).nbytes, self._size - self._position)
        if wanted <= 0:
            return 0
        chunk = self._next(wanted)
        memoryview(buffer).cast("B")[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)

    def close(self) -> None:
        self._drop()
        super().close()

    def _next(self, wanted: int) -> bytes:
        """Some bytes from here on; a body that was cut is asked for once more from where it ended."""
        for last in (False, True):
            try:
                if self._body is None:
                    self._body = self._store.fetch(self._key, self._position, self._etag)
                if chunk := self._body.read(wanted):
                    return bytes(chunk)
            except (BotoCoreError, OSError) as error:
                if last:
                    raise TransientError(f"{self._store}/{self._key}: the bucket stopped answering") from error
            self._drop()
        raise TransientError(f"{self._store}/{self._key}: the body ended at byte {self._position} of {self._size}")

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
