"""Completeness of the archive by day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import coverage
from recording_archive.catalog.timeline import Covered, joined
from recording_archive.model import Window
from recording_archive.web.read.calendar_days import day_window, days_between
from recording_archive.web.read.document import ApiDocument


class CoverageDay(ApiDocument):
    """``complete``: all recordings of the day are in the books; ``gap``: some hours are not; ``nothing``: not due."""

    date: date
    state: str


class Coverage(ApiDocument):
    """Completeness by day of the archive's zone."""

    zone: str
    days: list[CoverageDay]


_GRACE = timedelta(hours=12)  # a day's own run comes after its end, and takes a while


class DayState(StrEnum):
    """The state of a day; ``nothing`` is before the archive began or not over yet."""

    COMPLETE = "complete"
    GAP = "gap"
    NOTHING = "nothing"


def read_coverage(archive: Archive, first: date | None = None, last: date | None = None) -> Coverage:
    """Say of each day from ``first`` to ``last``, by default the last 92, how it stands in the books."""
    with archive.catalog.read() as connection:
        rows = connection.execute(select(coverage).order_by(coverage.c.source, coverage.c.start))
        covered = tuple(joined(rows))
    zone, now = archive.settings.zone, archive.clock()
    days = [
        CoverageDay(date=day, state=state_of(day_window(day, zone), covered, now))
        for day in days_between(first, last, today=now.astimezone(zone).date(), default=92)
    ]
    return Coverage(zone=archive.settings.timezone, days=days)


def state_of(day: Window, covered: tuple[Covered, ...], now: datetime) -> DayState:
    """Complete when every source that had begun by then has the whole day in one stretch; a gap once it is due."""
    begun: dict[str, bool] = {}
    for each in covered:
        if each.window.start < day.end:
            whole = each.window.start <= day.start and day.end <= each.window.end
            begun[each.source] = begun.get(each.source, False) or whole
    if begun and all(begun.values()):
        return DayState.COMPLETE
    return DayState.GAP if begun and day.end + _GRACE <= now else DayState.NOTHING
