"""Completeness of the archive by day."""

from __future__ import annotations

from datetime import date

from recording_archive.archive import Archive
from recording_archive.archiving.completeness import DayState, judge_days
from recording_archive.web.read.calendar_days import day_window, days_between
from recording_archive.web.read.document import ApiDocument


class CoverageDay(ApiDocument):
    """``complete``: all recordings that the source has of the day are archived, and intact at their last reading.

    ``missing`` counts those that were never archived, ``accepted`` of them by a person; ``damaged`` those that were not
    intact.
    """

    date: date
    state: DayState
    missing: int = 0
    accepted: int = 0
    damaged: int = 0


class Coverage(ApiDocument):
    """Completeness by day of the archive's zone."""

    zone: str
    days: list[CoverageDay]


def read_coverage(archive: Archive, first: date | None = None, last: date | None = None) -> Coverage:
    """Say of each day from ``first`` to ``last``, by default the last 92, how it stands in the books."""
    zone, now = archive.settings.zone, archive.clock()
    windows = {
        day: day_window(day, zone) for day in days_between(first, last, today=now.astimezone(zone).date(), default=92)
    }
    with archive.catalog.read() as connection:
        found = judge_days(connection, windows, now)
    days = [
        CoverageDay(date=each.day, state=each.state, missing=each.missing, accepted=each.accepted, damaged=each.damaged)
        for each in found
    ]
    return Coverage(zone=archive.settings.timezone, days=days)
