"""Retries: how failures of a part are counted, and when a scheduled run takes the part up again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from recording_archive.archiving.work_rows import blank_row
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import NO_FAILURE, PAGE, is_part, part_of, same_part
from recording_archive.catalog.tables import recordings, work
from recording_archive.model import PartId, State

_SLACK = timedelta(hours=12)  # so that a daily run a few minutes early still takes up yesterday's failure


def carry_over(connection: Connection, run_id: str, *, at: datetime, retry_days: int) -> int:
    """Take up failures of earlier runs whose next try is due; return how many.

    One that was booked in the future, by a clock that was wrong, is due now and not only in that future.
    """
    since = at - timedelta(days=retry_days)
    taken = select(work.c.id).where(work.c.run_id == run_id, same_part(work, recordings))
    due = select(recordings).where(
        recordings.c.state == State.DISCOVERED,
        or_(recordings.c.retry_at <= at, recordings.c.failed_since > at),
        or_(recordings.c.failed_since.is_(None), recordings.c.failed_since >= since),  # None: deferred, not failed
        recordings.c.acknowledged_at.is_(None),
        ~taken.exists(),
    )
    count = 0
    while page := connection.execute(due.limit(PAGE)).all():  # rows taken up are due no longer
        new = [
            blank_row(run_id, part_of(row), carried_over=True, interaction_date=row.interaction_date) for row in page
        ]
        connection.execute(insert(work), new)
        count += len(new)
    return count


def count_failure(connection: Connection, part: PartId, run_id: str, row: Mapping[str, Any], at: datetime) -> None:
    """Count one more failure of a recording and say when to try again: after 1, 2, 4 … days."""
    known = connection.execute(select(recordings).where(is_part(recordings, part))).first()
    if known is not None and known.state == State.DISCOVERED:
        values = {
            "failures": known.failures + 1,
            "failed_since": min(known.failed_since or at, at),
            "retry_at": at + timedelta(days=2 ** min(known.failures, 10)) - _SLACK,
            "last_error": row["error"],
            "acknowledged_at": None,
        }
        connection.execute(update(recordings).where(is_part(recordings, part)).values(values))
    detail = {"outcome": row["outcome"], "error": row["error"]}
    record(connection, "failed", part, at=at, run_id=run_id, detail=detail)


def postpone(connection: Connection, part: PartId, why: str, at: datetime) -> None:
    """Let the next scheduled run take a deferred part up again, which is no failure."""
    later = {**NO_FAILURE, "retry_at": at + _SLACK, "last_error": why}
    connection.execute(update(recordings).where(is_part(recordings, part)).values(later))
