"""Completeness over time: which ranges are in the books, and which a run must still ask for.

With ``catchup=False`` a scheduler that was down for a week runs the latest interval alone and skips the days between
without a word. So a run does not trust its interval: it asks from the end of gap-free coverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select

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
    return reach(
        interval,
        _windows(connection, source),
        epoch=_epoch(connection, source),
        look_back=timedelta(days=look_back_days),
        most=timedelta(days=most_days),
    )


def covered_until(connection: Connection) -> dict[str, datetime]:
    """For each source that a schedule archives, the end of gap-free coverage: everything before it is in the books."""
    sources = connection.execute(select(coverage.c.source).where(coverage.c.kind == SCHEDULED).distinct()).scalars()
    epochs = {source: _epoch(connection, source) for source in sources}
    return {source: _first_gap(epoch, _windows(connection, source)) for source, epoch in epochs.items() if epoch}


def _epoch(connection: Connection, source: str) -> datetime | None:
    """The start of scheduled coverage; None before the first run."""
    scheduled = (coverage.c.source == source, coverage.c.kind == SCHEDULED)
    return connection.execute(select(func.min(coverage.c.start)).where(*scheduled)).scalar()


def _windows(connection: Connection, source: str) -> Iterator[Window]:
    """The closed ranges of a source, by start."""
    rows = select(coverage.c.start, coverage.c.end).where(coverage.c.source == source).order_by(coverage.c.start)
    return (Window(row.start, row.end) for row in connection.execute(rows))


def ranges(connection: Connection, source: str) -> list[Window]:
    """The ranges that runs over ``source`` have covered, those that touch as one, oldest first."""
    found: list[Window] = []
    for each in _windows(connection, source):
        if found and each.start <= found[-1].end:
            found[-1] = Window(found[-1].start, max(found[-1].end, each.end))
        else:
            found.append(each)
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
