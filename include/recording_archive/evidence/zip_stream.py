"""A ZIP that is sent while it is made: nothing of its files stays in memory but their names.

Everything is stored, not deflated: what is in it is compressed already or is to be played, and a checker in a browser
reads such a file without a library. Files of 2 GiB and more, and an archive of more than 4, are ZIP64.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, cast

_LARGE = 2**31 - 2**20
_MODE = 0o100644 << 16  # a plain file that its owner may write


class _Sink:
    """A file that cannot seek, whose content is taken away piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        """Take a copy: `zipfile` may use its buffer again."""
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Do nothing, as everything is taken away at once."""

    def taken(self) -> bytes:
        """Take away what was written since the last time."""
        piece = b"".join(self._pieces)
        self._pieces.clear()
        return piece


class ZipStream:
    """One ZIP; each method yields the bytes to send next."""

    def __init__(self, at: datetime) -> None:
        self._sink, self._at = _Sink(), at
        self._zip = zipfile.ZipFile(cast("IO[bytes]", self._sink), "w", zipfile.ZIP_STORED)

    def file(self, name: str, pieces: Iterable[bytes], *, size: int = 0) -> Iterator[bytes]:
        """Add a file; ``size`` must be known of one that may be large."""
        info = zipfile.ZipInfo(name, self._at.timetuple()[:6])
        info.external_attr = _MODE
        with self._zip.open(info, "w", force_zip64=size >= _LARGE) as entry:
            for piece in pieces:
                entry.write(piece)
                yield self._sink.taken()
        yield self._sink.taken()

    def end(self) -> bytes:
        """Return the directory, with which the ZIP ends."""
        self._zip.close()
        return self._sink.taken()
