"""Media of every kind, and members of BGZF, true and forged."""

from __future__ import annotations

import io
import math
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from recording_archive.store.bgzf import (
    END_MARKER,
    MEMBER_BYTES,
    compress,
)

if TYPE_CHECKING:
    pass

RUN = 16 * MEMBER_BYTES


def speech(size: int) -> bytes:
    """Something like 16-bit telephone audio: it shrinks by an eighth."""
    noise = random.Random(size)  # noqa: S311  # test audio, not a secret
    count = min(size, 40_000) // 2 + 1
    tone = [int(3000 * math.sin(n / 7) * math.sin(n / 900) + noise.gauss(0, 90)) for n in range(count)]
    once = struct.pack(f"<{count}h", *tone)
    return (once * (size // len(once) + 1))[:size]


def incompressible(size: int) -> bytes:
    """What MP3 looks like to deflate."""
    return random.Random(size).randbytes(size)  # noqa: S311  # test audio, not a secret


def packed(media: bytes) -> bytes:
    """The media as this archive stores it."""
    sink = io.BytesIO()
    compress(io.BytesIO(media), sink)
    return sink.getvalue()


def foreign(media: bytes, *, size: int = 65_498, level: int = 6) -> bytes:
    """The media as another BGZF tool would store it, with members of its own size."""
    members = []
    for start in range(0, len(media), size):
        block = media[start : start + size]
        engine = zlib.compressobj(level, zlib.DEFLATED, -15)
        members.append(member(engine.compress(block) + engine.flush(), block))
    return b"".join(members) + END_MARKER


def member(deflated: bytes, media: bytes, *, size: int | None = None) -> bytes:
    """A BGZF member around a deflate stream, as true or false as the test wants it."""
    trailer = struct.pack("<II", zlib.crc32(media), len(media) if size is None else size)
    return END_MARKER[:16] + struct.pack("<H", 18 + len(deflated) + 8 - 1) + deflated + trailer


def deflated(media: bytes) -> bytes:
    """A raw deflate stream."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(media) + engine.flush()


def several_members() -> bytes:
    """A small file with a deflated, a stored and another deflated member."""
    parts = [packed(b"hello " * 20), packed(bytes(range(40))), packed(b"bye " * 20)]
    return b"".join(part.removesuffix(END_MARKER) for part in parts) + END_MARKER


class Stream(io.RawIOBase):
    """A long source that is never in memory."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.block = speech(40_000) * 30

    def read(self, size: int = -1, /) -> bytes:
        taken = min(size, self.left, len(self.block))
        self.left -= taken
        return self.block[:taken]


def peak(action: Callable[[], object]) -> int:
    """The most bytes Python held at once during ``action``, beyond those before it."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
