"""Tracks of a container: whether an MP4, Matroska or ASF file holds sound alone, or a picture too.

Only headers are read, at most `MAX_STEPS` of them, wherever in the file they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

Peek = Callable[[int], bytes]
"""The bytes of a file from an offset on, a few thousand at most; empty behind its end."""

MAX_STEPS = 2000

_AUDIO_STREAM = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")  # ASF_Audio_Media
_VIDEO_STREAM = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")  # ASF_Video_Media
_ASF_HEADER_MAX = 64 * 1024

_SEGMENT, _TRACKS, _ENTRY, _TYPE = 0x18538067, 0x1654AE6B, 0xAE, 0x83
_ENDLESS = 2**63


class Tracks(Enum):
    """The kinds of tracks that a container has."""

    UNKNOWN = "unknown"
    AUDIO = "audio"
    VIDEO = "video"


def mp4_tracks(peek: Peek) -> Tracks:
    """Read the handlers of an ISO base media file's tracks (ISO 14496-12, 8.4.3)."""
    found: set[bytes] = set()
    todo, steps = [(0, _ENDLESS)], 0
    while todo and steps < MAX_STEPS:
        for kind, start, end in _boxes(peek, *todo.pop()):
            steps += 1
            if kind in (b"moov", b"trak", b"mdia"):
                todo.append((start, end))
            elif kind == b"hdlr":
                found.add(peek(start)[8:12])
            if steps >= MAX_STEPS or (kind == b"moov" and end == _ENDLESS):
                break
    return _judged(audio=b"soun" in found, video=not found.isdisjoint((b"vide", b"auxv")))


def matroska_tracks(peek: Peek) -> Tracks:
    """Read the types of a Matroska or WebM file's tracks (RFC 9559, 5.1.4.1.3)."""
    found: set[int] = set()
    todo, steps = [(0, _ENDLESS)], 0
    while todo and steps < MAX_STEPS:
        for kind, start, end in _elements(peek, *todo.pop()):
            steps += 1
            if kind in (_SEGMENT, _TRACKS, _ENTRY):
                todo.append((start, end))
            elif kind == _TYPE:
                found.add(int.from_bytes(peek(start)[: min(end - start, 8)]))
            if steps >= MAX_STEPS or kind == _TRACKS or end >= _ENDLESS:
                break
    return _judged(audio=2 in found, video=1 in found)


def asf_tracks(peek: Peek) -> Tracks:
    """Look for the stream types in the header of an ASF file (Windows Media)."""
    size = min(int.from_bytes(peek(0)[16:24], "little"), _ASF_HEADER_MAX)
    header = b""
    while len(header) < size and (more := peek(len(header))):
        header += more
    return _judged(audio=_AUDIO_STREAM in header, video=_VIDEO_STREAM in header)


def _judged(*, audio: bool, video: bool) -> Tracks:
    return Tracks.VIDEO if video else Tracks.AUDIO if audio else Tracks.UNKNOWN


def _boxes(peek: Peek, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each box between two offsets."""
    while at < end and len(head := peek(at)[:16]) >= 8:
        size, start = int.from_bytes(head[:4]), at + 8
        if size == 1:
            size, start = int.from_bytes(head[8:16]), at + 16
        stop = at + size if size else end  # 0: up to the end of the file
        if stop < start:
            return
        yield head[4:8], start, min(stop, end)
        at = stop


def _elements(peek: Peek, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Id, start and end of the content of each EBML element between two offsets (RFC 8794)."""
    while at < end and len(head := peek(at)[:12]) >= 2:
        id_length, size_length = _length(head[0]), 0
        if id_length < len(head):
            size_length = _length(head[id_length])
        if not 1 <= id_length <= 4 or not 1 <= size_length <= 8 or len(head) < id_length + size_length:
            return
        kind = int.from_bytes(head[:id_length])
        unknown = (1 << 7 * size_length) - 1  # all ones: up to the end of what surrounds it
        size = int.from_bytes(head[id_length : id_length + size_length]) & unknown
        start = at + id_length + size_length
        stop = end if size == unknown else start + size
        yield kind, start, min(stop, end)
        at = stop


def _length(first: int) -> int:
    """Bytes of a variable-size integer, by the leading zeros of its first; 9 when that is 0, which none begins with."""
    return 9 - first.bit_length()
