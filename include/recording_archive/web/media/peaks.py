"""The waveform of a recording: one number for each thousandth of its length, kept beside the object.

It is computed when someone first looks at the recording. A WAV file of plain samples is streamed once, without decoding
one: the high byte of each gives its level (0 to 127), by a table, and the loudest of a stretch is looked for from
above. All else is decoded (`decoding`). It is a picture, not evidence: no hash covers it; what is lost is made anew.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from threading import BoundedSemaphore
from typing import Any

from recording_archive.archive import Archive
from recording_archive.errors import ArchiveError
from recording_archive.store import bgzf, sidecar
from recording_archive.web.media.decoding import read_levels
from recording_archive.web.media.wav_file import (
    LOUDEST,
    Wave,
    level_table,
    read_wave,
)
from recording_archive.web.problem import Problem

log = logging.getLogger(__name__)
MOST_BYTES = 16 * 2**10
POINTS = 1000
_HEAD_BYTES = 2**20  # where samples begin later than this, the file is not what a call recorder writes
_SHORT = 256  # fewer levels are compared one by one
_AT_ONCE = BoundedSemaphore(2)  # a large recording takes a second of a processor that is Airflow's


def read_peaks(archive: Archive, row: Mapping[str, Any]) -> bytes:
    """The waveform of an archived part as a JSON document; raises Problem (404) that says why there is none."""
    key = sidecar.peaks_beside(row["key"])
    if archive.store.size(key) is not None:
        return archive.store.read(key, MOST_BYTES)
    content = (_of_plain(archive, row) if row["mime_type"] == "audio/wav" else None) or read_levels(archive, row)
    _keep(archive, key, content, of=row["key"])
    return content


def _of_plain(archive: Archive, row: Mapping[str, Any]) -> bytes | None:
    """Draw a WAV file of plain samples; None for one whose samples must be decoded, such as GSM or ADPCM."""
    if not _AT_ONCE.acquire(blocking=False):
        raise Problem(503, "Too many waveforms at once", "Ask again in a moment.", headers={"Retry-After": "2"})
    try:
        return _compute(archive, row)
    finally:
        _AT_ONCE.release()


def _compute(archive: Archive, row: Mapping[str, Any]) -> bytes | None:
    with archive.store.open(row["key"]) as file:
        document = draw(bgzf.media_range(file, 0, row["size_bytes"], name=row["key"]), row["size_bytes"])
    return None if document is None else json.dumps(document, separators=(",", ":")).encode()


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
    table = level_table(wave) if wave else None
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
