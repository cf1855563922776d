"""Layout of a WAV file, and the level of each of its samples."""

from __future__ import annotations

import struct
from dataclasses import dataclass

LOUDEST = 127
_PCM, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE  # WAVE_FORMAT_*, RFC 2361
_UNKNOWN_LENGTH = (0, 0xFFFFFFFF)  # written by recorders that stream


@dataclass(frozen=True, slots=True)
class Wave:
    """The place of the samples in a WAV file: from byte ``start`` to ``end``, in frames of ``block`` bytes."""

    encoding: int
    channels: int
    rate: int
    block: int
    start: int
    end: int

    @property
    def width(self) -> int:
        """Bytes of a sample."""
        return self.block // self.channels

    @property
    def frames(self) -> int:
        """Return the number of frames."""
        return max(0, self.end - self.start) // self.block


def read_wave(head: bytes, size_bytes: int) -> Wave | None:
    """Find the samples in a RIFF or RF64 file that begins with ``head``; None when it does not say."""
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return None
    layout, position = b"", 12
    while position + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, position)
        position += 8
        if name == b"data":
            return _wave(layout, position, length, size_bytes)
        if name == b"fmt ":
            layout = head[position : position + length]
        position += length + length % 2  # chunks begin at even bytes
    return None


def _wave(layout: bytes, start: int, length: int, size_bytes: int) -> Wave | None:
    if len(layout) < 16:
        return None
    encoding, channels, rate, _, block, _ = struct.unpack_from("<HHIIHH", layout)
    if encoding == _EXTENSIBLE and len(layout) >= 26:
        (encoding,) = struct.unpack_from("<H", layout, 24)  # the sub-format begins with the plain one's number
    if not channels or not rate or not block or block % channels:
        return None
    end = size_bytes if length in _UNKNOWN_LENGTH else min(start + length, size_bytes)
    return Wave(encoding, channels, rate, block, start, end)


def level_table(wave: Wave) -> bytes | None:
    """The level of each value that the high byte of a sample may have."""
    if wave.encoding == _PCM and wave.width in (2, 3, 4):
        return bytes(value if value < 128 else 255 - value for value in range(256))  # two's complement
    if wave.width == 1:
        level = {_PCM: _offset_level, _MU_LAW: _mu_law_level, _A_LAW: _a_law_level}.get(wave.encoding)
        return level and bytes(map(level, range(256)))
    return None


def _offset_level(value: int) -> int:
    return min(abs(value - 128), LOUDEST)


def _mu_law_level(value: int) -> int:
    """The high byte of the magnitude that ITU-T G.711 gives a µ-law code."""
    exponent, mantissa = ~value >> 4 & 7, ~value & 15
    return ((mantissa << 3) + 0x84 << exponent) - 0x84 >> 8


def _a_law_level(value: int) -> int:
    """Decode A-law, whose even bits are inverted."""
    exponent, mantissa = (value ^ 0x55) >> 4 & 7, (value ^ 0x55) & 15
    return ((mantissa << 4) + 0x108 << exponent - 1 if exponent else (mantissa << 4) + 8) >> 8
