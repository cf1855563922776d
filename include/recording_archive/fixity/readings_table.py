"""The record of a run of `verify_archive`: `fixity_runs` has a row per run, `readings` one per part to re-read.

The rows of sound recordings are dropped when the run closes: the recordings themselves carry when they were verified.
One run is open at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, or_, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.rows import PAGE, Batch, chunked, cut, pages, same_part
from recording_archive.catalog.tables import fixity_runs, readings, recordings
from recording_archive.reports import run_state

WHOLE = ("due", "everything")  # kinds of runs that are about the archive, not about named recordings or left-overs


class Finding(StrEnum):
    """The finding of a run on one part or file."""

    SOUND = "sound"
    BAD = "bad"
    REPAIRED = "repaired"
    GONE = "gone"  # left the archive after the plan was made
    ABSENT = "absent"  # asked for by id, and not in the archive
    STRAY = "stray"  # a file that the catalog does not know


def begin_run(archive: Archive, run_id: str, kind: str, **facts: Any) -> None:
    """Begin the run's record, anew when it was cleared, and close those that stopped runs left open."""
    at = archive.clock()
    with archive.catalog.write() as connection:
        left = connection.execute(select(fixity_runs.c.run_id).where(fixity_runs.c.closed_at.is_(None))).scalars()
        over = [other for other in left if other != run_id]
        ended = {"closed_at": at, "status": "failed", "problem": "the run ended before its report"}
        connection.execute(update(fixity_runs).where(fixity_runs.c.run_id.in_(over)).values(ended))
        connection.execute(delete(readings).where(readings.c.run_id == run_id))
        connection.execute(delete(fixity_runs).where(fixity_runs.c.run_id == run_id))
        _open(connection, run_id, kind, at=at, facts=facts)
    for other in over:
        drop_sound(archive, other)


def add_readings(archive: Archive, run_id: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows of `readings`, a page at a time; all have the same columns."""
    for page in chunked({"run_id": run_id, **row} for row in rows):
        with archive.catalog.write() as connection:
            connection.execute(insert(readings), page)


def cut_batches(archive: Archive, run_id: str) -> list[Batch]:
    """Number the rows to read into batches by count and bytes; make them larger rather than too many."""
    mine, size = unread(run_id), func.coalesce(func.sum(readings.c.stored_bytes), 0)
    with archive.catalog.read() as connection:
        parts, size_bytes = connection.execute(select(func.count(), size).where(*mine)).one()
    query = select(readings.c.id, readings.c.stored_bytes).where(*mine)
    batches = cut(
        ((row.id, row.stored_bytes) for page in pages(archive.catalog, query, readings.c.id) for row in page),
        partial(_place, archive),
        total=(parts, int(size_bytes)),
        most_parts=archive.settings.batch_parts,
        most_bytes=archive.settings.batch_bytes,
    )
    with archive.catalog.write() as connection:
        connection.execute(update(fixity_runs).where(fixity_runs.c.run_id == run_id).values(planned=parts))
    return batches


def unread(run_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Match the rows of a run that are still to be read."""
    return readings.c.run_id == run_id, readings.c.outcome.is_(None)


def recordings_of(archive: Archive, *mine: ColumnElement[bool], most: int) -> Sequence[Row[Any]]:
    """Select the first readings that match, each as its row of `recordings` with the reading's id as ``reading``."""
    query = select(recordings, readings.c.id.label("reading")).join(readings, same_part(readings, recordings))
    with archive.catalog.read() as connection:
        return connection.execute(query.where(*mine).order_by(readings.c.id).limit(most)).all()


def mark(connection: Connection, reading: int, **found: Any) -> None:
    """Write the finding into a row."""
    connection.execute(update(readings).where(readings.c.id == reading).values(found))


def kind_of(archive: Archive, run_id: str) -> str | None:
    """Read the kind of the run, as its scope calls it; None when it has no record."""
    with archive.catalog.read() as connection:
        return connection.execute(select(fixity_runs.c.kind).where(fixity_runs.c.run_id == run_id)).scalar()


def note_facts(archive: Archive, run_id: str, **facts: Any) -> None:
    """Write into the run's row what a task found beside its readings, for the report."""
    with archive.catalog.write() as connection:
        row = read_run(connection, run_id)
        if row is not None:
            both = {**row.facts, **facts}
            connection.execute(update(fixity_runs).where(fixity_runs.c.run_id == run_id).values(facts=both))


def note_problem(archive: Archive, run_id: str, problem: str) -> None:
    """Write into the run's row why it failed whatever it read; a run that never came to its plan begins with it."""
    with archive.catalog.write() as connection:
        begin = partial(_open, connection, run_id, "due", at=archive.clock(), problem=problem)
        run_state.note_problem(connection, fixity_runs, run_id, problem, begin)


def noted(archive: Archive, run_id: str) -> AbstractContextManager[None]:
    """Write the error that ends a task for good into the run, as `reports.run_state.noted` does."""
    return run_state.noted(lambda problem: note_problem(archive, run_id, problem))


def read_run(connection: Connection, run_id: str) -> Row[Any] | None:
    """Read the run's row, locked for the transaction; None when the run has no record."""
    return connection.execute(select(fixity_runs).where(fixity_runs.c.run_id == run_id).with_for_update()).one_or_none()


def drop_sound(archive: Archive, run_id: str) -> None:
    """Delete the readings of a closed run that name nothing wrong."""
    harmless = or_(readings.c.outcome.is_(None), readings.c.outcome.in_((Finding.SOUND, Finding.GONE)))
    some = select(readings.c.id).where(readings.c.run_id == run_id, harmless).limit(10 * PAGE).scalar_subquery()
    dropped = 1
    while dropped:
        with archive.catalog.write() as connection:
            dropped = connection.execute(delete(readings).where(readings.c.id.in_(some))).rowcount


def _open(connection: Connection, run_id: str, kind: str, *, at: datetime, **known: Any) -> None:
    blank = {"run_id": run_id, "kind": kind, "started_at": at, "facts": {}}
    connection.execute(insert(fixity_runs).values({**blank, **known}))


def _place(archive: Archive, places: list[dict[str, int]]) -> None:
    with archive.catalog.write() as connection:
        connection.execute(update(readings).where(readings.c.id == bindparam("row_id")), places)
