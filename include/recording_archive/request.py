"""What a run is asked for: interactions, a range of time, or its own interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from recording_archive.errors import ConfigurationError
from recording_archive.model import Window

PARAMS = ("interactionId", "startDate", "endDate")


@dataclass(frozen=True, slots=True)
class Request:
    """Ids and window are joined by AND; one is there. ``scheduled`` runs also close gaps and retry failures."""

    ids: tuple[str, ...] = ()
    window: Window | None = None
    scheduled: bool = False

    @property
    def kind(self) -> str:
        """How coverage and books call it: a whole interval, or a selection of interactions."""
        return "scheduled" if self.scheduled else "asked" if self.ids else "range"


def read_request(
    conf: Mapping[str, Any], *, interval: Window | None, scheduled: bool, zone: ZoneInfo, now: datetime
) -> Request:
    """Turn what was given at trigger time into a request; raise ConfigurationError that names what is wrong.

    With ids or dates the run's own interval is ignored; with neither it counts; without one it is the last whole day.
    """
    unknown = sorted(set(conf) - set(PARAMS))
    if unknown:
        raise ConfigurationError(f"Unknown parameter {', '.join(unknown)}: this DAG takes {', '.join(PARAMS)}")
    ids = read_ids("interactionId", conf.get("interactionId"))
    window = _window(conf.get("startDate"), conf.get("endDate"), zone)
    if ids or window:
        return Request(ids, window)
    if interval is not None and interval.start < interval.end:
        return Request(window=interval, scheduled=scheduled)
    today = now.astimezone(zone).date()
    return Request(window=Window(_midnight(today - timedelta(days=1), zone), _midnight(today, zone)))


def read_ids(name: str, given: Any) -> tuple[str, ...]:
    """Ids as a text, a comma list or an array of them, each once; empty when nothing was given as ``name``."""
    if given is None:
        return ()
    entries = given.split(",") if isinstance(given, str) else given
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise ConfigurationError(f"{name}: give a text, a comma list or a JSON array of texts")
    ids = tuple(dict.fromkeys(part.strip() for entry in entries for part in entry.split(",") if part.strip()))
    if not ids:
        raise ConfigurationError(f"{name}: no id was given; leave the field out instead")
    return ids


def _window(start: Any, end: Any, zone: ZoneInfo) -> Window | None:
    if not start and not end:
        return None
    if not start or not end:
        missing = "endDate" if start else "startDate"
        raise ConfigurationError(f"{missing}: startDate and endDate must be given together")
    window = Window(read_moment("startDate", start, zone, end=False), read_moment("endDate", end, zone, end=True))
    if window.end <= window.start:
        raise ConfigurationError(f"endDate {end} is not after startDate {start}")
    return window


def read_moment(name: str, text: Any, zone: ZoneInfo, *, end: bool) -> datetime:
    """A date is a whole local day (the end inclusive); a date-time is exact (the end exclusive)."""
    try:
        if len(text) == len("2026-01-31"):
            day = date.fromisoformat(text)
            return _midnight(day + timedelta(days=1) if end else day, zone)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigurationError(
            f"{name}: {text!r} is neither a date (2026-01-31) nor a date-time (2026-01-31T08:00:00+01:00)"
        ) from error


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
