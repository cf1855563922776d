"""Runs of `verify_archive`, newest first: what each re-read, what it found, and what needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from recording_archive.archive import Archive
from recording_archive.catalog.search import Position
from recording_archive.catalog.tables import fixity_runs, readings
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.run_list import newest_runs, one_run

_c = readings.c
PAGE = 100
SOUND = "sound"


class FixityRun(ApiDocument):
    """One run. ``planned`` recordings were to be re-read, ``counts`` says what was found of them, by finding.

    ``facts`` is what its tasks did beside: what was swept, what the ledger said. ``status`` is None while it runs.
    """

    run_id: str
    kind: str
    started_at: datetime
    planned: int | None
    counts: dict[str, int]
    facts: dict[str, Any]
    problem: str | None
    closed_at: datetime | None
    report_key: str | None
    status: str | None


class FixityPage(ApiDocument):
    """A page of runs, newest first."""

    items: list[FixityRun]
    next: str | None


class Reading(ApiDocument):
    """The finding of a run about one part or file that was not simply sound; ``why`` it was not repaired.

    A file that is none of ours has a ``key`` and no recording.
    """

    id: int
    interaction_id: str | None
    recording_id: str | None
    part: int | None
    key: str | None
    stored_bytes: int
    outcome: str | None
    problem: str | None
    why: str | None


def list_fixity_runs(
    archive: Archive, *, limit: int = 50, after: Position | None = None
) -> tuple[list[FixityRun], Position | None]:
    """The next runs after ``after``."""
    rows, following = newest_runs(archive, fixity_runs, limit=limit, after=after)
    return [_to_run(archive, row) for row in rows], following


def read_fixity_run(archive: Archive, run_id: str) -> FixityRun | None:
    """A run with what it found so far."""
    row = one_run(archive, fixity_runs, run_id)
    return _to_run(archive, row) if row else None


def list_readings(archive: Archive, run_id: str, *, after: int = 0) -> tuple[list[Reading], int | None]:
    """List what a run found beside sound recordings, after the reading numbered ``after``."""
    wanted = (_c.run_id == run_id, _c.id > after, _c.outcome.is_not(None), _c.outcome != SOUND)
    query = select(readings).where(*wanted).order_by(_c.id).limit(PAGE + 1)
    with archive.catalog.read() as connection:
        rows = connection.execute(query).mappings().all()
    found = [Reading.model_validate(dict(row)) for row in rows[:PAGE]]
    return found, found[-1].id if len(rows) > PAGE else None


def _to_run(archive: Archive, row: Mapping[str, Any]) -> FixityRun:
    """With the counts of its books while it has not closed them."""
    counts = row["counts"] if row["counts"] is not None else _count(archive, row["run_id"])
    return FixityRun.model_validate({**row, "counts": counts, "facts": row["facts"] or {}})


def _count(archive: Archive, run_id: str) -> dict[str, int]:
    query = select(_c.outcome, func.count()).where(_c.run_id == run_id, _c.outcome.is_not(None)).group_by(_c.outcome)
    with archive.catalog.read() as connection:
        return dict(connection.execute(query).tuples().all())
