"""Recordings planned before their media exists: calls made from a seed, or the audio files of a folder."""

from __future__ import annotations

import hashlib
import math
import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from genesys_sandbox.media import wav_size
from genesys_sandbox.recordings.recording import MIME_TYPES
from genesys_sandbox.settings.options import SandboxOptions

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Plan:
    """A recording before its media is there; ``make_bytes`` is None for a file that is given."""

    key: str
    id: str
    date: datetime
    path: Path
    make_bytes: int | None = None


def plan_calls(options: SandboxOptions, state_dir: Path) -> Iterator[Plan]:
    """Calls by seed and calendar day: a sandbox started tomorrow offers the same calls for the days both cover."""
    for day in _days(options):
        for n in range(options.per_day):
            key = f"{options.seed}:{day}:{n}"
            recording_id = str(uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))
            size_bytes = _size(options, day.toordinal() * options.per_day + n)
            path = state_dir / f"{recording_id}.{size_bytes}.wav"
            yield Plan(key, recording_id, _moment(key, day), path, size_bytes)


def plan_folder(options: SandboxOptions) -> Iterator[Plan]:
    """Audio files of the media folder, each at a moment that follows from its name."""
    folder = options.media_dir or Path()
    days = _days(options)
    taken: set[str] = set()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix[1:].lower() in MIME_TYPES:
            recording_id = _unique_id(path.stem, taken)
            key = f"{options.seed}:{recording_id}"
            day = random.Random(key).choice(days)  # noqa: S311  # repeatable, not secret
            yield Plan(key, recording_id, _moment(key, day), path)


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
