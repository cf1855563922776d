"""A reply as a value: faults change it before it is sent, and `wire` sends whatever it says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileSlice:
    """``size`` bytes of a file from ``offset``: sent by the kernel, never read into memory whole."""

    path: Path
    offset: int
    size: int

    def part(self, start: int, stop: int) -> FileSlice:
        """The slice from ``start`` to before ``stop``, both counted from its own beginning."""
        return FileSlice(self.path, self.offset + start, stop - start)

    def read(self) -> bytes:
        """The bytes themselves."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


Body = tuple[bytes | FileSlice, ...]


class Framing(StrEnum):
    """Framing that tells the client where the body ends (RFC 9112, section 6)."""

    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with its body, headers and misbehaviour.

    ``drop`` resets the connection before the first byte. ``stop_after`` ends the body after so many bytes, with a
    reset or a plain close. ``length_error`` is added to Content-Length. ``piece_bytes`` with ``piece_wait_s``
    trickles the body; ``endless`` goes on after it for good.
    """

    status: int
    body: Body = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    framing: Framing = Framing.LENGTH
    length_error: int = 0
    wait_s: float = 0
    body_wait_s: float = 0
    piece_bytes: int | None = None
    piece_wait_s: float = 0
    stop_after: int | None = None
    reset: bool = False
    drop: bool = False
    endless: bool = False

    @property
    def size(self) -> int:
        """The bytes of the body as it should be."""
        return sum(map(piece_size, self.body))

    def with_headers(self, **changes: str | None) -> Reply:
        """A copy of the reply with headers set, or with None taken out; underscores stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        merged = {**self.headers, **named}
        return replace(self, headers={name: value for name, value in merged.items() if value is not None})


def piece_size(piece: bytes | FileSlice) -> int:
    """Bytes of one piece of a body."""
    return piece.size if isinstance(piece, FileSlice) else len(piece)


def cut_body(body: Body, start: int, stop: int) -> Iterator[bytes | FileSlice]:
    """The bytes from ``start`` to before ``stop`` of a body, as pieces."""
    for piece in body:
        size = piece_size(piece)
        low, high = max(start, 0), min(stop, size)
        if low < high:
            yield piece.part(low, high) if isinstance(piece, FileSlice) else piece[low:high]
        start, stop = start - size, stop - size


def read_body(body: Body, piece_bytes: int = READ_BYTES) -> Iterator[bytes]:
    """The body as bytes, so many at a time."""
    size = sum(map(piece_size, body))
    for start in range(0, size, piece_bytes):
        pieces = cut_body(body, start, min(start + piece_bytes, size))
        yield b"".join(piece.read() if isinstance(piece, FileSlice) else piece for piece in pieces)


def json_reply(payload: object, status: int = 200, **headers: str) -> Reply:
    """A JSON reply as the Genesys Cloud API gives it, with the correlation id its support asks for."""
    reply = Reply(status, (json.dumps(payload).encode(),), {"Content-Type": "application/json"})
    return reply.with_headers(ININ_Correlation_Id=str(uuid4()), Cache_Control="no-store", **headers)


def api_error(status: int, code: str, message: str, **more: Any) -> Reply:
    """An error of the API in Genesys' own shape."""
    empty: dict[str, list[str]] = {"details": [], "errors": []}
    return json_reply(
        {"message": message, "code": code, "status": status, "contextId": str(uuid4()), **empty, **more}, status
    )


def xml_error(status: int, code: str, message: str) -> Reply:
    """An error of the media host in the shape of S3."""
    text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{uuid4()}</RequestId></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Reply(status, (body,), {"Content-Type": "application/xml"})
