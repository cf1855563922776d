"""The work rows of a run: one for each part, open until its outcome is written.

Every function runs inside a transaction of the caller's, so that rows, recordings and events change together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, func, select, update

from recording_archive.catalog.rows import Batch, among, cut, pages, part_of
from recording_archive.catalog.tables import runs, work
from recording_archive.model import FAILURES, Fetched, MediaFormat, Outcome, PartId

UNKNOWN_SIZE = 1_000_000  # expected bytes of a part whose duration the source does not give
OPEN = work.c.outcome.is_(None)


@dataclass(frozen=True, slots=True)
class Work:
    """An open work row: what is still to do for one part in one run."""

    id: int
    run_id: str
    part_id: PartId
    interaction_date: datetime | None
    expected_sha256: str | None
    fetched: Fetched | None
    listing: Mapping[str, Any]
    batch: int | None
    carried_over: bool


def open_work(connection: Connection, run_id: str, batch: int, *, staged: bool) -> list[Work]:
    """List what is left to do in a batch: parts to download, or with ``staged`` parts to compress."""
    todo = (*_to_do(run_id), work.c.batch == batch, work.c.staged == staged)
    return [to_work(row) for row in connection.execute(select(work).where(*todo).order_by(work.c.id))]


def open_rows(connection: Connection, run_id: str) -> Iterator[Row[Any]]:
    """Every open row of a run, a page at a time, so that the caller may change rows on the way."""
    for page in pages(connection, select(work).where(*_to_do(run_id)), work.c.id):
        yield from page


def cut_batches(
    connection: Connection, run_id: str, *, most_parts: Callable[[int], int], most_bytes: int
) -> list[Batch]:
    """Number the open rows into batches by count and expected bytes; make them larger rather than too many.

    ``most_parts`` says how many a batch may have of so many rows.
    """
    size = func.coalesce(func.sum(work.c.expected_bytes), 0)
    count, size_bytes = connection.execute(select(func.count(), size).where(*_to_do(run_id))).one()
    return cut(
        ((row.id, row.expected_bytes) for row in open_rows(connection, run_id)),
        partial(update_many, connection, work),
        total=(count, int(size_bytes)),
        most_parts=most_parts(count),
        most_bytes=most_bytes,
    )


def is_over(connection: Connection, run_id: str, work_id: int) -> bool:
    """Tell if a work row belongs to the run and has its outcome."""
    row = select(work.c.id).where(work.c.id == work_id, work.c.run_id == run_id, work.c.outcome.is_not(None))
    return connection.execute(row).first() is not None


def first_deferred(connection: Connection, interactions: Collection[str]) -> dict[PartId, datetime]:
    """Find the start of the first run that deferred each part of some interactions."""
    part = [work.c[name] for name in PartId._fields]
    rows = connection.execute(
        select(*part, func.min(runs.c.started_at).label("since"))
        .join(runs, runs.c.run_id == work.c.run_id)
        .where(work.c.interaction_id.in_(interactions), work.c.outcome == Outcome.DEFERRED)
        .group_by(*part)
    )
    return {PartId(row.interaction_id, row.recording_id, row.part): row.since for row in rows}


def tally(connection: Connection, run_id: str) -> dict[str, int]:
    """Count the rows of the run by outcome; ``own`` and ``own_failures`` leave out carried-over parts."""
    rows = connection.execute(
        select(work.c.outcome, work.c.carried_over, func.count())
        .where(work.c.run_id == run_id)
        .group_by(work.c.outcome, work.c.carried_over)
    )
    counts = dict.fromkeys((*Outcome, "open", "own_failures", "own"), 0)
    for outcome, carried_over, count in rows:
        counts[outcome or "open"] += count
        counts["own"] += 0 if carried_over else count
        counts["own_failures"] += count if outcome in FAILURES and not carried_over else 0
    return {str(name): count for name, count in counts.items()}


def blank_row(run_id: str, part: PartId, **known: Any) -> dict[str, Any]:
    """A work row with every column, so that rows can be inserted many at a time."""
    blank = {
        column.name: None for column in work.columns if column.name not in {"id", "requests", "wire_bytes", "listing"}
    }
    base = {"run_id": run_id, **part._asdict(), "carried_over": False, "staged": False, "expected_bytes": UNKNOWN_SIZE}
    return {**blank, **base, **known}


def lock_rows(connection: Connection, table: Table, parts: Collection[PartId], *where: Any) -> Sequence[Row[Any]]:
    """Read the rows of some parts and, on PostgreSQL, lock them until the transaction ends."""
    return connection.execute(select(table).where(among(table, parts), *where).with_for_update()).all()


def update_many(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *only: Any, **fixed: Any
) -> None:
    """Update rows of equal columns, named by ``row_…`` keys, in one prepared statement; ``fixed`` goes into each."""
    if not rows:
        return
    where = [table.c[name.removeprefix("row_")] == bindparam(name) for name in rows[0] if name.startswith("row_")]
    connection.execute(update(table).where(*where, *only).values(**fixed), list(rows))


def _to_do(run_id: str) -> tuple[Any, ...]:
    return work.c.run_id == run_id, OPEN


def to_work(row: Row[Any]) -> Work:
    """Turn a work row into what a task needs of it."""
    fetched = None
    if row.staged:
        media = MediaFormat(row.extension, row.mime_type)
        names = ("sha256", "size_bytes", "wire_bytes", "requests", "source_host", "source_date", "fetched_at")
        fetched = Fetched(format=media, **{name: getattr(row, name) for name in names})
    return Work(
        row.id,
        row.run_id,
        part_of(row),
        row.interaction_date,
        row.expected_sha256,
        fetched,
        row.listing or {},
        row.batch,
        row.carried_over,
    )
