"""The verdict on a re-read recording: noted in its catalog row with an event, many in one transaction.

A verdict on a recording that left the archive while it was read is dropped: what was purged is not damaged.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import is_named, is_part, part_key, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.fixity.examine import Flaws
from recording_archive.model import STORED

GROUP_SIZE, GROUP_AGE_S = 64, 5.0  # results written in one transaction

T = TypeVar("T")


def is_stored(row: Row[Any]) -> bool:
    """Tell whether the bytes of a recording are to be in the archive, and to stay there."""
    return row.state in STORED and row.deleting_at is None


def rows_of(archive: Archive, interaction_id: str) -> Sequence[Row[Any]]:
    """Read the rows of an interaction's recordings, stored or not, by an id as it was typed."""
    query = select(recordings).where(is_named(recordings, interaction_id)).order_by(*part_key(recordings))
    with archive.catalog.read() as connection:
        return connection.execute(query).all()


def absence(rows: Sequence[Row[Any]]) -> str:
    """Explain why no recording of an interaction can be verified, given its rows."""
    if not rows:
        return "never archived: no recording of it is in the catalog"
    states = sorted({f"{row.state}, certificate {row.certificate}" if row.certificate else row.state for row in rows})
    return f"not in the archive: {'; '.join(states)}"


def grouped(results: Iterable[T]) -> Iterator[list[T]]:
    """Collect results to write together: all of them, but none later than some seconds after it came."""
    group, begun = list[T](), time.monotonic()
    for result in results:
        group.append(result)
        if time.monotonic() - begun > GROUP_AGE_S:
            yield group
            group, begun = [], time.monotonic()
    yield group


def note_verdict(
    connection: Connection,
    row: Row[Any],
    flaws: Flaws | None,
    *,
    at: datetime,
    run_id: str | None = None,
    actor: str | None = None,
) -> bool:
    """Write the verdict on a row with its event; False when it left the archive meanwhile, which changes nothing."""
    part, problem = part_of(row), str(flaws) if flaws else None
    there = (is_part(recordings, part), recordings.c.state.in_(STORED), recordings.c.deleting_at.is_(None))
    verdict = {"verified_at": at, "verified_ok": problem is None}
    if not connection.execute(update(recordings).where(*there).values(verdict)).rowcount:
        return False
    detail = {"ok": problem is None, "stored_sha256": row.stored_sha256, **({"problem": problem} if problem else {})}
    record(connection, "verified", part, at=at, run_id=run_id, actor=actor, detail=detail)
    return True
