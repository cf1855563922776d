"""The recordings a sandbox offers: made from a seed, or the audio files of a folder."""

from __future__ import annotations

import hashlib
import math
import os
import random
import re
import uuid
import wave
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

from genesys_sandbox.filters import Filter
from genesys_sandbox.media import BYTES_PER_SECOND, WAV_HEADER_BYTES, wav, wav_size
from genesys_sandbox.options import SandboxOptions

MIME_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "mp4": "video/mp4",
    "webm": "video/webm",
}
DOCUMENT_TYPES = {"zip": "application/zip", "eml": "message/rfc822"}
_GOLDEN = (math.sqrt(5) - 1) / 2
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording: ``index`` counts from 0 by date, ``path`` holds the media, ``fields`` the rest of the reply."""

    index: int
    id: str
    date: datetime
    path: Path
    size_bytes: int
    sha256: str
    fields: dict[str, Any] = field(repr=False)

    @property
    def extension(self) -> str:
        """The file extension in the media URL: lower case, without dot."""
        return self.path.suffix[1:].lower()

    @property
    def mime_type(self) -> str:
        """The content type that the media host gives."""
        return MIME_TYPES.get(self.extension) or DOCUMENT_TYPES[self.extension]


class Library:
    """Recordings in order of their date; a sequence, and a look-up by id."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self._recordings = list(recordings)
        self._dates = [recording.date for recording in self._recordings]
        self._by_id = {recording.id: recording for recording in self._recordings}

    def __len__(self) -> int:
        return len(self._recordings)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def __getitem__(self, index: int) -> Recording:
        return self._recordings[index]

    def get(self, recording_id: str) -> Recording | None:
        """The recording of that id, or None."""
        return self._by_id.get(recording_id)

    def select(self, wanted: Filter) -> list[Recording]:
        """What matches every clause, oldest first; both ends of the dates are included, as in Genesys' own filter."""
        low = bisect_left(self._dates, wanted.start) if wanted.start else 0
        high = bisect_right(self._dates, wanted.end) if wanted.end else len(self)
        if wanted.ids is None:
            return self._recordings[low:high]
        found = {r.index: r for name in wanted.ids if (r := self.get(name)) is not None}
        return [found[index] for index in sorted(found) if low <= index < high]


def open_library(options: SandboxOptions, state_dir: Path, progress: Progress = lambda _: None) -> Library:
    """Make, or find again in ``state_dir``, the recordings that the options ask for; hash each of them.

    Raises ValueError when the media folder holds no audio.
    """
    planned = list(_folder(options) if options.media_dir else _calls(options, state_dir))
    if not planned and options.media_dir:
        raise ValueError(f"{options.media_dir}: no audio file; known are {', '.join(MIME_TYPES)}")
    planned.sort(key=attrgetter("date", "id"))
    recordings = []
    for index, plan in enumerate(planned):
        recordings.append(_recording(plan, index, options))
        if index % 500 == 499 or index + 1 == len(planned):
            progress(f"{index + 1} of {len(planned)} recordings ready")
    return Library(recordings)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A recording before its media is there; ``make_bytes`` is None for a file that is given."""

    key: str
    id: str
    date: datetime
    path: Path
    make_bytes: int | None = None


def _calls(options: SandboxOptions, state_dir: Path) -> Iterator[_Plan]:
    """Calls by seed and calendar day: a sandbox started tomorrow offers the same calls for the days both cover."""
    for day in _days(options):
        for n in range(options.per_day):
            key = f"{options.seed}:{day}:{n}"
            recording_id = str(uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))
            size_bytes = _size(options, day.toordinal() * options.per_day + n)
            path = state_dir / f"{recording_id}.{size_bytes}.wav"
            yield _Plan(key, recording_id, _moment(key, day), path, size_bytes)


def _folder(options: SandboxOptions) -> Iterator[_Plan]:
    folder = options.media_dir or Path()
    days = _days(options)
    taken: set[str] = set()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix[1:].lower() in MIME_TYPES:
            recording_id = _unique_id(path.stem, taken)
            key = f"{options.seed}:{recording_id}"
            day = random.Random(key).choice(days)  # noqa: S311  # repeatable, not secret
            yield _Plan(key, recording_id, _moment(key, day), path)


def _days(options: SandboxOptions) -> list[date]:
    end = options.end or datetime.now(UTC).date()
    return [end - timedelta(days=back) for back in range(options.days, 0, -1)]


def _size(options: SandboxOptions, n: int) -> int:
    """Log-uniform between the two limits: golden-ratio steps fill the range evenly, so totals vary little by seed."""
    share = ((options.seed * 0.7548776662 + n * _GOLDEN) % 1.0) * math.log(options.max_bytes / options.min_bytes)
    return wav_size(int(options.min_bytes * math.exp(share)))


def _moment(key: str, day: date) -> datetime:
    """A millisecond of the working day, 07:00 to 19:00 UTC."""
    offset_ms = random.Random(f"{key}:date").randrange(12 * 3600 * 1000)  # noqa: S311  # repeatable, not secret
    return datetime.combine(day, time(7), UTC) + timedelta(milliseconds=offset_ms)


def _unique_id(stem: str, taken: set[str]) -> str:
    """The file's name as an id of at most 100 safe characters; a second file of that name gets ``-2``."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")[:90] or "recording"
    name = next(name for n in range(1, len(taken) + 2) if (name := plain if n == 1 else f"{plain}-{n}") not in taken)
    taken.add(name)
    return name


def _recording(plan: _Plan, index: int, options: SandboxOptions) -> Recording:
    sha256 = _sha256(plan.path) if _is_there(plan) else _synthesise(plan)
    checksum: str | None = sha256.upper() if index % 3 == 1 else sha256  # both cases occur
    if options.checksum_missing_every and (index + 1) % options.checksum_missing_every == 0:
        checksum = None
    fields = {"checksum": checksum, **_attributes(plan)}
    return Recording(index, plan.id, plan.date, plan.path, plan.path.stat().st_size, sha256, fields)


def _is_there(plan: _Plan) -> bool:
    return plan.make_bytes is None or (plan.path.exists() and plan.path.stat().st_size == plan.make_bytes)


def _synthesise(plan: _Plan) -> str:
    """Write the call beside its name and rename it, so that a stopped start leaves no half file for the next one."""
    digest = hashlib.sha256()
    partial = plan.path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        for piece in wav(plan.key, plan.make_bytes or 0):
            digest.update(piece)
            file.write(piece)
    partial.replace(plan.path)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _attributes(plan: _Plan) -> dict[str, Any]:
    """Numbers are from 202-555-01xx, which the North American plan reserves for fiction."""
    chance = random.Random(f"{plan.key}:fields")  # noqa: S311  # repeatable, not secret
    agent = chance.randint(1, 12)
    queue = chance.choice(("Billing", "Claims", "Orders", "Support"))
    return {
        "agentId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"agent {agent}")),
        "agentName": f"Agent {agent:02}",
        "queueId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"queue {queue}")),
        "queueName": queue,
        "ani": f"tel:+120255501{chance.randrange(50):02}",
        "dnis": f"tel:+120255501{chance.randrange(50, 100):02}",
        "direction": chance.choice(("inbound", "outbound")),
        "mediaType": "call",
        "durationMs": _duration_ms(plan),
        "division": chance.choice(("Home", "North", "South")),
        "wrapUpCode": chance.choice(("Resolved", "Follow-up", "Transferred")),
        "language": chance.choice(("en-US", "en-GB", "de-DE", "es-ES")),
        "transfers": chance.choice((0, 0, 0, 1, 2)),
    }


def _duration_ms(plan: _Plan) -> int | None:
    """How long the call plays; None for given files other than PCM WAV, which the library does not parse."""
    if plan.make_bytes:
        return (plan.make_bytes - WAV_HEADER_BYTES) * 1000 // BYTES_PER_SECOND
    try:
        with wave.open(str(plan.path), "rb") as file:
            return file.getnframes() * 1000 // file.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        return None
