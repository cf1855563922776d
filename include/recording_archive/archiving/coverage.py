"""Completeness over time: which ranges are in the books, and which a run must still ask for.

With ``catchup=False`` a scheduler that was down for a week runs the latest interval alone and skips the days between
without a word. So a run does not trust its interval: it asks from the end of gap-free coverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select

from recording_archive.catalog.tables import coverage
from recording_archive.model import Window

SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class Reach:
    """The range that a scheduled run asks for, and the hole before it that only a backfill may close."""

    window: Window
    hole: Window | None = None


def reach(
    interval: Window, covered: Iterable[Window], *, epoch: datetime | None, look_back: timedelta, most: timedelta
) -> Reach:
    """Say what a scheduled run over ``interval`` asks for.

    ``covered`` are closed ranges by start, ``epoch`` is where scheduled coverage began (None before the first run).
    Asks from the first gap after ``epoch``, at least ``look_back``; a gap longer than ``most`` is left out and named.
    """
    start = min(interval.start, interval.end - look_back)
    if epoch is None:
        return Reach(Window(start, interval.end))
    gap = _first_gap(epoch, covered)
    if gap >= start:
        return Reach(Window(start, interval.end))
    if interval.start - gap > most:
        return Reach(Window(start, interval.end), hole=Window(gap, start))
    return Reach(Window(gap, interval.end))


def _first_gap(epoch: datetime, covered: Iterable[Window]) -> datetime:
    reached = epoch
    for window in covered:
        if window.start > reached:
            break
        reached = max(reached, window.end)
    return reached


def plan_reach(connection: Connection, source: str, interval: Window, *, look_back_days: int, most_days: int) -> Reach:
    """`reach` over the catalog's coverage of ``source``."""
    epoch = connection.execute(
        select(coverage.c.start)
        .where(coverage.c.source == source, coverage.c.kind == SCHEDULED)
        .order_by(coverage.c.start)
        .limit(1)
    ).scalar()
    rows = connection.execute(
        select(coverage.c.start, coverage.c.end).where(coverage.c.source == source).order_by(coverage.c.start)
    )
    return reach(
        interval,
        (Window(row.start, row.end) for row in rows),
        epoch=epoch,
        look_back=timedelta(days=look_back_days),
        most=timedelta(days=most_days),
    )


def ranges(connection: Connection, source: str) -> list[Window]:
    """The ranges that runs over ``source`` have covered, those that touch as one, oldest first."""
    rows = connection.execute(
        select(coverage.c.start, coverage.c.end).where(coverage.c.source == source).order_by(coverage.c.start)
    )
    found: list[Window] = []
    for row in rows:
        if found and row.start <= found[-1].end:
            found[-1] = Window(found[-1].start, max(found[-1].end, row.end))
        else:
            found.append(Window(row.start, row.end))
    return found


def without(window: Window, gaps: Iterable[Window]) -> Iterator[Window]:
    """The parts of ``window`` that no gap touches."""
    start = window.start
    for gap in sorted(gaps, key=lambda each: each.start):
        if start < min(gap.start, window.end):
            yield Window(start, min(gap.start, window.end))
        start = max(start, gap.end)
    if start < window.end:
        yield Window(start, window.end)


def close(connection: Connection, *, source: str, window: Window, run_id: str, kind: str, at: datetime) -> None:
    """Note that every recording of ``window`` is in the books."""
    connection.execute(
        insert(coverage).values(
            source=source, start=window.start, end=window.end, run_id=run_id, kind=kind, closed_at=at
        )
    )


def describe_hole(hole: Window | None) -> str | None:
    """Name a hole to the operator, with the command that closes it."""
    if hole is None:
        return None
    start, end = (moment.isoformat(timespec="seconds") for moment in (hole.start, hole.end))
    return (
        f"Nothing was asked for between {start} and {end}: run `airflow backfill create --dag-id archive_recordings "
        f"--from-date {start} --to-date {end}`"
    )
