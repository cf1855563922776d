"""The request of a run: interactions, a range of time, or its own interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from recording_archive.errors import ConfigurationError
from recording_archive.model import Window
from recording_archive.params import midnight, read_ids, read_moment

PARAMS = ("interactionId", "startDate", "endDate")


@dataclass(frozen=True, slots=True)
class Request:
    """Ids and window are joined by AND; one is there. ``scheduled`` runs also close gaps and retry failures."""

    ids: tuple[str, ...] = ()
    window: Window | None = None
    scheduled: bool = False

    @property
    def kind(self) -> str:
        """Name the kind of request in coverage and run: a whole interval, or a selection of interactions."""
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
    return Request(window=Window(midnight(today - timedelta(days=1), zone), midnight(today, zone)))


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
