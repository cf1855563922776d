"""Sound of formats that are not plain samples, decoded by `decoder` in a process of its own.

It is bounded: two at once, by the size of the media, by time, and in the process by memory and processor time. What
cannot be decoded raises Problem, which says why; bytes that are not what was archived raise FixityError.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import IO, Any

from recording_archive.archive import Archive
from recording_archive.errors import FixityError
from recording_archive.store import bgzf
from recording_archive.web.media import decoder
from recording_archive.web.media.ranges import ByteSpan
from recording_archive.web.problem import Problem

MOST_MEDIA = 256 * 2**20
"""Bytes of media that are decoded while somebody waits: a day of telephone sound, four hours of a screen."""

_FORMATS = {
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/mp4": "mp4",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "audio/webm": "webm",
    "audio/3gpp": "3gp",
    "audio/amr": "amr",
    "audio/amr-wb": "amr",
    "audio/basic": "au",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/ogg": "ogg",
    "video/3gpp": "3gp",
}
"""The formats that are tried, each by its own name: guessing would also try lists that name other files."""

_WAIT_S = 90
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")  # no secret is among what the process knows
_AT_ONCE = BoundedSemaphore(2)
_PIECE = 256 * 2**10
_MOST_PCM = 2**30
_MOST_LISTENED = 4  # decoded recordings that are kept for the next range of the same listener

_listened: dict[str, IO[bytes]] = {}
_lock = Lock()


def read_levels(archive: Archive, row: Mapping[str, Any]) -> bytes:
    """The waveform of an archived part as the JSON document that `peaks` has for plain samples."""
    with tempfile.TemporaryFile() as out:
        _decode(archive, row, "levels", out)
        out.seek(0)
        return out.read()


def decoded(archive: Archive, row: Mapping[str, Any]) -> tuple[int, Callable[[ByteSpan], Iterator[bytes]]]:
    """The sound of an archived part as a WAV file: its size, and its pieces."""
    with _lock:
        file = _listened.pop(row["sha256"], None)
    file = file or _to_wav(archive, row)
    with _lock:
        _listened[row["sha256"]] = file
        while len(_listened) > _MOST_LISTENED:
            del _listened[next(iter(_listened))]  # closed when its last reader is done

    def read(span: ByteSpan) -> Iterator[bytes]:
        at, left = span.start, span.length
        while left and (piece := os.pread(file.fileno(), min(_PIECE, left), at)):
            at, left = at + len(piece), left - len(piece)
            yield piece

    return os.fstat(file.fileno()).st_size, read


def _to_wav(archive: Archive, row: Mapping[str, Any]) -> IO[bytes]:
    with tempfile.TemporaryFile() as raw:
        _decode(archive, row, "pcm", raw)
        raw.seek(0)
        rate, channels = map(int, raw.readline().split())
        size = os.fstat(raw.fileno()).st_size - raw.tell()
        if size > _MOST_PCM:
            raise _none(row, "it is too long to be decoded while you wait")
        file = tempfile.TemporaryFile()  # noqa: SIM115 - kept for the next range
        file.write(_wav_head(size, rate, channels))
        while piece := raw.read(_PIECE):
            file.write(piece)
        file.flush()
        return file


def _wav_head(size: int, rate: int, channels: int) -> bytes:
    layout = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + layout
        + b"data"
        + struct.pack("<I", size)
    )


def _decode(archive: Archive, row: Mapping[str, Any], what: str, out: IO[bytes]) -> None:
    kind = _FORMATS.get(row["mime_type"])
    if kind is None:
        raise _none(row, "it is not a format that can be decoded here")
    if row["size_bytes"] > MOST_MEDIA:
        raise _none(row, f"it has more than {MOST_MEDIA // 2**20} MB, too much to decode while you wait")
    if not _AT_ONCE.acquire(blocking=False):
        raise Problem(
            503, "Too many recordings are being decoded", "Ask again in a moment.", headers={"Retry-After": "2"}
        )
    try:
        with tempfile.TemporaryFile() as media:
            _copy(archive, row, media)
            _run(row, [what, kind], media, out)
    finally:
        _AT_ONCE.release()


def _copy(archive: Archive, row: Mapping[str, Any], media: IO[bytes]) -> None:
    tally = sha256()
    with archive.store.open(row["key"]) as file:
        for piece in bgzf.media_range(file, 0, row["size_bytes"], name=row["key"]):
            tally.update(piece)
            media.write(piece)
    if (found := tally.hexdigest()) != row["sha256"]:
        raise FixityError(row["key"], expected=row["sha256"], found=found)
    media.flush()
    media.seek(0)


def _run(row: Mapping[str, Any], arguments: list[str], media: IO[bytes], out: IO[bytes]) -> None:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    command = [sys.executable, str(Path(decoder.__file__)), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command, stdin=media, stdout=out, stderr=subprocess.PIPE, env=environment, timeout=_WAIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise _none(row, f"it took more than {_WAIT_S} s to decode") from None
    if done.returncode == decoder.MISSING:
        raise _none(row, "the library that decodes it is not installed: pip install av")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise _none(row, f"it cannot be decoded: {said or f'exit status {done.returncode}'}")


def _none(row: Mapping[str, Any], why: str) -> Problem:
    return Problem(404, "No sound to show", f"This recording is {row['mime_type']}, and {why}.")
