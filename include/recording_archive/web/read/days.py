"""Days of the archive's zone, and which of them are complete in the books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import coverage
from recording_archive.catalog.timeline import Covered, joined
from recording_archive.model import Window
from recording_archive.web.problem import Problem
from recording_archive.web.read.figure_rows import Coverage, CoverageDay

MOST_DAYS = 400
_GRACE = timedelta(hours=12)  # a day's own run comes after its end, and takes a while


class DayState(StrEnum):
    """How a day stands in the books; ``nothing`` is before the archive began or not over yet."""

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


def days_between(first: date | None, last: date | None, *, today: date, default: int) -> Iterator[date]:
    """The days from ``first`` to ``last``, both included; raises Problem (400) for too many, or none."""
    try:
        last = last or max(today, first or today)
        first = first or last - timedelta(days=default - 1)
    except OverflowError as error:
        raise Problem(400, "The request is malformed", "to: there are no such days") from error
    count = (last - first).days + 1
    if not 0 < count <= MOST_DAYS:
        raise Problem(400, "The request is malformed", f"from {first} to {last}: ask for 1 to {MOST_DAYS} days")
    return (first + timedelta(days=number) for number in range(count))


def day_window(day: date, zone: ZoneInfo) -> Window:
    """From midnight to midnight in ``zone``: 23 or 25 hours where the clocks change."""
    try:
        start, end = (datetime.combine(each, time(), zone).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    except OverflowError as error:
        raise Problem(400, "The request is malformed", f"{day} is no day that can be counted") from error
    return Window(start, end)
