"""Completeness of the archive by calendar day: what is in the books, archived, and intact at its last reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from recording_archive.archiving.account import open_gaps
from recording_archive.catalog.tables import coverage, recordings, runs
from recording_archive.catalog.timeline import Covered, joined
from recording_archive.model import STORED, State, Window
from recording_archive.params import midnight

_c = recordings.c
_GRACE = timedelta(hours=12)  # a day's own run comes after its end, and takes a while


class DayState(StrEnum):
    """The state of a day: the first of these that applies, and ``complete`` when nothing is wrong with it."""

    NOTHING = "nothing"  # it is before the archive began, or not over yet
    PARTIAL = "partial"  # the source counted more than it listed
    GAP = "gap"  # some hours were never asked for
    DAMAGED = "damaged"
    MISSING = "missing"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Day:
    """A day, and how many of its recordings were never archived, were accepted as such, and were not intact."""

    day: date
    state: DayState
    missing: int
    accepted: int
    damaged: int


def day_window(day: date, zone: ZoneInfo) -> Window:
    """From midnight to midnight in ``zone``: 23 or 25 hours where the clocks change. Raises OverflowError."""
    return Window(midnight(day, zone), midnight(day + timedelta(days=1), zone))


def read_covered(connection: Connection) -> tuple[Covered, ...]:
    """Read the stretches of each source whose recordings are all in the books."""
    return tuple(joined(connection.execute(select(coverage).order_by(coverage.c.source, coverage.c.start))))


def judge_days(connection: Connection, days: Mapping[date, Window], now: datetime) -> list[Day]:
    """Judge some consecutive days."""
    if not days:
        return []
    covered, gaps = read_covered(connection), _listing_gaps(connection, tuple(days.values()))
    return [_day(connection, day, window, state_of(window, covered, now, gaps)) for day, window in days.items()]


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


def _day(connection: Connection, day: date, window: Window, state: DayState) -> Day:
    """Count what is wrong with a day whose recordings are all known."""
    dated = (_c.interaction_date >= window.start, _c.interaction_date < window.end)
    found = select(func.count(), func.count(_c.acknowledged_at)).where(_c.state == State.DISCOVERED, *dated)
    missing, accepted = connection.execute(found).one()
    damaged = connection.execute(
        select(func.count()).where(_c.verified_ok.is_(False), _c.state.in_(STORED), *dated)
    ).scalar_one()
    if state is DayState.COMPLETE and (damaged or missing):
        state = DayState.DAMAGED if damaged else DayState.MISSING
    return Day(day, state, missing, accepted, damaged)
