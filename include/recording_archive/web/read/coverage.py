"""Completeness of the archive by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, func, select

from recording_archive.archive import Archive
from recording_archive.archiving.account import open_gaps
from recording_archive.catalog.tables import coverage, recordings, runs
from recording_archive.catalog.timeline import Covered, joined
from recording_archive.model import STORED, State, Window
from recording_archive.web.read.calendar_days import day_window, days_between
from recording_archive.web.read.document import ApiDocument


class DayState(StrEnum):
    """The state of a day: the first of these that applies, and ``complete`` when nothing is wrong with it."""

    NOTHING = "nothing"  # it is before the archive began, or not over yet
    PARTIAL = "partial"  # the source counted more than it listed
    GAP = "gap"  # some hours were never asked for
    DAMAGED = "damaged"
    MISSING = "missing"
    COMPLETE = "complete"


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


_c = recordings.c
_GRACE = timedelta(hours=12)  # a day's own run comes after its end, and takes a while


def read_coverage(archive: Archive, first: date | None = None, last: date | None = None) -> Coverage:
    """Say of each day from ``first`` to ``last``, by default the last 92, how it stands in the books."""
    zone, now = archive.settings.zone, archive.clock()
    windows = {
        day: day_window(day, zone) for day in days_between(first, last, today=now.astimezone(zone).date(), default=92)
    }
    with archive.catalog.read() as connection:
        rows = connection.execute(select(coverage).order_by(coverage.c.source, coverage.c.start))
        covered, gaps = tuple(joined(rows)), _listing_gaps(connection, tuple(windows.values()))
        days = [_day(connection, day, window, state_of(window, covered, now, gaps)) for day, window in windows.items()]
    return Coverage(zone=archive.settings.timezone, days=days)


def state_of(day: Window, covered: tuple[Covered, ...], now: datetime, gaps: Sequence[Window] = ()) -> DayState:
    """Complete when every source that had begun by then has the whole day in one stretch; a gap once it is due.

    It is partial where a gap of a run's listing is among ``gaps``.
    """
    begun: dict[str, bool] = {}
    for each in covered:
        if each.window.start < day.end:
            whole = each.window.start <= day.start and day.end <= each.window.end
            begun[each.source] = begun.get(each.source, False) or whole
    if begun and all(begun.values()):
        return DayState.COMPLETE
    if any(gap.start < day.end and day.start < gap.end for gap in gaps):
        return DayState.PARTIAL
    return DayState.GAP if begun and day.end + _GRACE <= now else DayState.NOTHING


def _listing_gaps(connection: Connection, days: Sequence[Window]) -> list[Window]:
    """Find what runs could not list of some consecutive days, and nobody accepted."""
    span = (runs.c.range_end > days[0].start, runs.c.range_start < days[-1].end)
    found = connection.execute(select(runs).where(runs.c.listing.is_not(None), *span)).all()
    return [gap.window for run in found for gap in open_gaps(connection, run)]


def _day(connection: Connection, day: date, window: Window, state: DayState) -> CoverageDay:
    """Count what is wrong with a day whose recordings are all known."""
    dated = (_c.interaction_date >= window.start, _c.interaction_date < window.end)
    found = select(func.count(), func.count(_c.acknowledged_at)).where(_c.state == State.DISCOVERED, *dated)
    missing, accepted = connection.execute(found).one()
    damaged = connection.execute(
        select(func.count()).where(_c.verified_ok.is_(False), _c.state.in_(STORED), *dated)
    ).scalar_one()
    if state is DayState.COMPLETE and (damaged or missing):
        state = DayState.DAMAGED if damaged else DayState.MISSING
    return CoverageDay(date=day, state=state, missing=missing, accepted=accepted, damaged=damaged)
