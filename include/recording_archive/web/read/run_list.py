"""Runs of any DAG, newest first: `runs`, `plans` and `fixity_runs` have the same key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, literal, select, tuple_

from recording_archive.archive import Archive
from recording_archive.catalog.search import Position
from recording_archive.model import PartId
from recording_archive.web.problem import Problem
from recording_archive.web.read.filters import read_cursor


def newest_runs(
    archive: Archive, table: Table, *, limit: int = 50, after: Position | None = None
) -> tuple[list[Mapping[str, Any]], Position | None]:
    """The next rows of ``table`` after ``after``, whose part names the run as its interaction."""
    key = (table.c.started_at, table.c.run_id)
    query = select(table).order_by(*(column.desc() for column in key)).limit(limit + 1)
    if after is not None:
        values = zip(key, (after.date, after.part.interaction_id), strict=True)
        query = query.where(tuple_(*key) < tuple_(*(literal(value, column.type) for column, value in values)))
    with archive.catalog.read() as connection:
        rows = connection.execute(query).mappings().all()
    found: list[Mapping[str, Any]] = [dict(row) for row in rows[:limit]]
    return found, _position(found[-1]) if len(rows) > limit else None


def one_run(archive: Archive, table: Table, run_id: str) -> Mapping[str, Any] | None:
    """The row of a run."""
    with archive.catalog.read() as connection:
        row = connection.execute(select(table).where(table.c.run_id == run_id)).mappings().one_or_none()
    return dict(row) if row else None


def read_dated(cursor: str | None) -> Position | None:
    """A cursor of a list whose rows all have a date."""
    position = read_cursor(cursor)
    if position is not None and position.date is None:
        raise Problem(400, "The cursor is malformed", "after: it is of another list.")
    return position


def _position(row: Mapping[str, Any]) -> Position:
    return Position(row["started_at"], PartId(row["run_id"], ""))
