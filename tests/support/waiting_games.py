"""Hosts that let their clients wait: they always send something, and never come to an end."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat

from support.scripted_host import Answer, drip, endless

_HEAD = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"
_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
_LAST = b"4\r\nRIFF\r\n0\r\n"

GAMES: Mapping[str, Answer] = {
    "interim replies, fast": endless(b"", _CONTINUE),
    "interim replies, slow": drip(b"", repeat(_CONTINUE)),
    "other interim replies, fast": endless(b"", _HINTS),
    "a status line that drips": drip(b"HTTP/1.1 200 ", repeat(b"O")),
    "a header that drips": drip(_HEAD + b"X: ", repeat(b"y")),
    "headers, slow": drip(_HEAD, repeat(b"X: y\r\n")),
    "a body that drips": drip(_HEAD + b"Content-Length: 999999\r\n\r\n", repeat(b"x")),
    "chunks that drip": drip(_CHUNKED, repeat(b"1\r\nx\r\n")),
    "a chunk's length that drips": drip(_CHUNKED, repeat(b"0")),
    "a chunk's extension without end": endless(_CHUNKED + b"4;", b"x" * 1000),
    "chunks that are all extension": endless(_CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n"),
    "trailers, fast": endless(_CHUNKED + _LAST, b"X: y\r\n"),
    "trailers, slow": drip(_CHUNKED + _LAST, repeat(b"X: y\r\n")),
    "a trailer that drips": drip(_CHUNKED + _LAST + b"X: ", repeat(b"y")),
}
