"""The waveform of a WAV recording: one number for each thousandth of its length, kept beside the object.

It is computed when someone first looks at the recording, by streaming all of it once, without decoding a sample: the
high byte of each gives its level (0 to 127), by a table, and the loudest of a stretch is looked for from above. It is
a picture, not evidence: no hash covers it, and what is lost is made anew.
"""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from recording_archive.archive import Archive
from recording_archive.errors import ArchiveError
from recording_archive.store import bgzf, sidecar
from recording_archive.web.problem import Problem

log = logging.getLogger(__name__)

MOST_BYTES = 16 * 2**10
POINTS = 1000
LOUDEST = 127
_HEAD_BYTES = 2**20  # where samples begin later than this, the file is not what a call recorder writes
_SHORT = 256  # fewer levels are compared one by one
_AT_ONCE = BoundedSemaphore(2)  # a large recording takes a second of a processor that is Airflow's

_PCM, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE  # WAVE_FORMAT_*, RFC 2361
_UNKNOWN_LENGTH = (0, 0xFFFFFFFF)  # written by recorders that stream


@dataclass(frozen=True, slots=True)
class Wave:
    """How the samples of a WAV file lie: from byte ``start`` to ``end``, in frames of ``block`` bytes."""

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
        """How many moments there are."""
        return max(0, self.end - self.start) // self.block


def read_peaks(archive: Archive, row: Mapping[str, Any]) -> bytes:
    """The waveform of an archived part as a JSON document; raises Problem (404) for media that has none."""
    key = sidecar.peaks_beside(row["key"])
    if archive.store.size(key) is not None:
        return archive.store.read(key, MOST_BYTES)
    if row["mime_type"] != "audio/wav":
        raise Problem(404, "No waveform", f"Waveforms are drawn of WAV recordings; this one is {row['mime_type']}.")
    if not _AT_ONCE.acquire(blocking=False):
        raise Problem(503, "Too many waveforms at once", "Ask again in a moment.", headers={"Retry-After": "2"})
    try:
        content = _compute(archive, row)
    finally:
        _AT_ONCE.release()
    _keep(archive, key, content, of=row["key"])
    return content


def _compute(archive: Archive, row: Mapping[str, Any]) -> bytes:
    with archive.store.open(row["key"]) as file:
        document = draw(bgzf.media_range(file, 0, row["size_bytes"], name=row["key"]), row["size_bytes"])
    if document is None:
        raise Problem(404, "No waveform", "The samples of this WAV file are neither PCM, A-law nor µ-law.")
    return json.dumps(document, separators=(",", ":")).encode()


def _keep(archive: Archive, key: str, content: bytes, *, of: str) -> None:
    """Keep it for the next one who looks; an API server that may only read the archive shows it all the same.

    A recording may be deleted while it is drawn: its object goes first and its waveform then, so either that finds the
    waveform or this finds the object gone.
    """
    try:
        archive.store.put(key, content)
        if archive.store.size(of) is None:
            archive.store.remove(key)
    except ArchiveError as error:
        log.warning("the waveform %s is not kept: %s", key, error)


def draw(pieces: Iterator[bytes], size_bytes: int) -> dict[str, Any] | None:
    """The waveform of a WAV file that comes in pieces; None when its samples are of no kind that is known here.

    ``peaks`` has a list for each channel (one for all when there are more than two) of levels from 0 to `LOUDEST`.
    """
    head = b""
    wave = None
    while wave is None and len(head) < _HEAD_BYTES and (piece := next(pieces, b"")):
        head += piece
        wave = read_wave(head, size_bytes)
    table = _table(wave) if wave else None
    if wave is None or table is None:
        return None
    drawn = _draw(wave, table, _aligned(wave, head[wave.start :], pieces))
    return {"version": 1, "durationMs": wave.frames * 1000 // wave.rate, "loudest": LOUDEST, "peaks": drawn}


def _draw(wave: Wave, table: bytes, runs: Iterable[bytes]) -> list[list[int]]:
    shown = wave.channels if wave.channels <= 2 else 1
    step = max(1, -(-wave.frames // POINTS))
    peaks = [[0] * -(-wave.frames // step) for _ in range(shown)]
    frame = 0
    for run in runs:
        for channel in range(wave.channels):
            levels = run[channel * wave.width + wave.width - 1 :: wave.block].translate(table)
            _raise(peaks[channel % shown], levels, frame, step)
        frame += len(run) // wave.block
    return peaks


def _raise(peaks: list[int], levels: bytes, frame: int, step: int) -> None:
    """Let ``levels``, which begin at ``frame``, raise the peaks of their stretches of ``step`` frames."""
    start = 0
    while start < len(levels):
        point = (frame + start) // step
        end = (point + 1) * step - frame
        peaks[point] = _loudest(levels[start:end], peaks[point])
        start = end


def _loudest(levels: bytes, floor: int) -> int:
    """The largest of ``levels``, or ``floor``: finding a byte goes at the speed of memory, comparing all does not."""
    if len(levels) < _SHORT:
        return max(floor, max(levels, default=0))
    return next((level for level in range(LOUDEST, floor, -1) if level in levels), floor)


def _aligned(wave: Wave, first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The samples as runs of whole frames."""
    left, rest = wave.frames * wave.block, first
    while left:
        whole = min(len(rest) - len(rest) % wave.block, left)
        if whole:
            yield rest[:whole]
        left, rest = left - whole, rest[whole:]
        if not (piece := next(pieces, b"")):
            return
        rest += piece


def read_wave(head: bytes, size_bytes: int) -> Wave | None:
    """How the samples lie in a RIFF or RF64 file that begins with ``head``; None when that does not tell."""
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


def _table(wave: Wave) -> bytes | None:
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
    """The same for A-law, whose even bits are inverted."""
    exponent, mantissa = (value ^ 0x55) >> 4 & 7, (value ^ 0x55) & 15
    return ((mantissa << 4) + 0x108 << exponent - 1 if exponent else (mantissa << 4) + 8) >> 8
