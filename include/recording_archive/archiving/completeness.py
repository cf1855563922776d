"""Completeness of the archive by calendar day: what is in the books, archived, and intact at its last reading."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Label, func, select

from recording_archive.archiving.account import open_gaps
from recording_archive.catalog.tables import coverage, recordings, runs
from recording_archive.catalog.timeline import Covered, joined
from recording_archive.model import STORED, State, Window
from recording_archive.params import midnight

_c = recordings.c
_HOUR, _MINUTE = len("2026-11-28 14"), len("2026-11-28 14:30")
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


@dataclass(slots=True)
class _Wrong:
    """Recordings of a day with something wrong."""

    missing: int = 0
    accepted: int = 0
    damaged: int = 0


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
    windows = tuple(days.values())
    covered, gaps = read_covered(connection), _listing_gaps(connection, windows)
    found = zip(days.items(), _count_wrong(connection, windows), strict=True)
    return [_day(day, state_of(window, covered, now, gaps), wrong) for (day, window), wrong in found]


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


def _count_wrong(connection: Connection, days: Sequence[Window]) -> list[_Wrong]:
    """Count what is wrong with some consecutive days; an hour or a minute at a time."""
    starts = [day.start.astimezone(UTC) for day in days]
    size = _MINUTE if any(start.minute or start.second for start in starts) else _HOUR
    moment = _moment(connection.dialect.name, size)
    dated = (_c.interaction_date >= days[0].start, _c.interaction_date < days[-1].end)
    found, begins = [_Wrong() for _ in days], [f"{start:%Y-%m-%d %H:%M}"[:size] for start in starts]
    missing = select(moment, func.count(), func.count(_c.acknowledged_at)).where(_c.state == State.DISCOVERED, *dated)
    for text, number, accepted in connection.execute(missing.group_by(moment.name)).all():
        wrong = found[bisect_right(begins, text) - 1]
        wrong.missing += number
        wrong.accepted += accepted
    damaged = select(moment, func.count()).where(_c.verified_ok.is_(False), _c.state.in_(STORED), *dated)
    for text, number in connection.execute(damaged.group_by(moment.name)).all():
        found[bisect_right(begins, text) - 1].damaged += number
    return found


def _moment(dialect: str, size: int) -> Label[str]:
    """Select the hour or the minute of a recording in UTC, as a text of that size."""
    date: ColumnElement[Any] = _c.interaction_date
    if dialect != "sqlite":  # which keeps dates as such texts
        date = func.to_char(func.timezone("UTC", date), "YYYY-MM-DD HH24:MI")
    return func.substr(date, 1, size).label("moment")


def _day(day: date, state: DayState, wrong: _Wrong) -> Day:
    """Say what is wrong with a day whose recordings are all known."""
    if state is DayState.COMPLETE and (wrong.damaged or wrong.missing):
        state = DayState.DAMAGED if wrong.damaged else DayState.MISSING
    return Day(day, state, wrong.missing, wrong.accepted, wrong.damaged)
