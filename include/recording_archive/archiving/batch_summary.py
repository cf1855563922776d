"""The last line in the log of a batch: how many recordings, how much, how fast, and what failed by name."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from sqlalchemy import ColumnElement, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import work
from recording_archive.model import Outcome

log = logging.getLogger(__name__)

_NAMED = 5  # failures


class Step(Enum):
    """The work of a task on a batch, and the bytes that count for it: those received, or those of the media."""

    FETCHED = work.c.wire_bytes
    ARCHIVED = work.c.size_bytes

    @property
    def is_done(self) -> ColumnElement[bool]:
        """Match recordings that have taken this step."""
        return (work.c.fetched_at if self is Step.FETCHED else work.c.stored_sha256).is_not(None)


@contextmanager
def summarized(archive: Archive, run_id: str, number: int, step: Step) -> Iterator[None]:
    """Log, when the block ends without an error, how far a batch is, and how fast the block took it there."""
    begun, (_, before) = time.monotonic(), _done(archive, run_id, number, step)
    yield
    seconds, (count, after) = max(time.monotonic() - begun, 0.001), _done(archive, run_id, number, step)
    mine = (work.c.run_id == run_id, work.c.batch == number)
    failed = select(work.c.interaction_id, work.c.error).where(*mine, work.c.outcome == Outcome.FAILED)
    with archive.catalog.read() as connection:
        of = connection.execute(select(func.count()).where(*mine)).scalar_one()
        failures = connection.execute(failed.order_by(work.c.id)).all()
    megabytes = (after - before) / 1e6
    log.info(
        "batch %d: %d of %d recordings %s; %.1f MB in %.1f s, %.1f MB/s; %d failed",
        *(number, count, of, step.name.lower(), megabytes, seconds, megabytes / seconds, len(failures)),
    )
    for row in failures[:_NAMED]:
        log.warning("failed: %s: %s", row.interaction_id, row.error)
    if len(failures) > _NAMED:
        log.warning("failed: %d more; the report names all", len(failures) - _NAMED)


def _done(archive: Archive, run_id: str, number: int, step: Step) -> tuple[int, int]:
    """Count recordings of a batch that have taken a step, and its bytes."""
    counted = select(func.count(), func.coalesce(func.sum(step.value), 0))
    with archive.catalog.read() as connection:
        count, size = connection.execute(
            counted.where(work.c.run_id == run_id, work.c.batch == number, step.is_done)
        ).one()
    return int(count), int(size)
