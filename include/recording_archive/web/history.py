"""The runs of `archive_recordings`: newest first, each with its totals and where its report lies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, literal, select, tuple_

from recording_archive import books
from recording_archive.archive import Archive
from recording_archive.model import PartId
from recording_archive.schema import runs
from recording_archive.stored_report import StoredReport, read_report
from recording_archive.web.rows import RunDetails, RunRow
from recording_archive.web.search import Position

_KEY = (runs.c.started_at, runs.c.run_id)


def list_runs(
    archive: Archive, *, limit: int = 50, after: Position | None = None
) -> tuple[list[RunRow], Position | None]:
    """The next runs after ``after``, whose part names the run as its interaction."""
    query = select(runs).order_by(*(column.desc() for column in _KEY)).limit(limit + 1)
    if after is not None:
        values = zip(_KEY, (after.date, after.part.interaction_id), strict=True)
        query = query.where(tuple_(*_KEY) < tuple_(*(literal(value, column.type) for column, value in values)))
    with archive.catalog.read() as connection:
        rows = connection.execute(query).all()
    found = [RunRow.model_validate(_columns(row)) for row in rows[:limit]]
    return found, _position(found[-1]) if len(rows) > limit else None


def read_run(archive: Archive, run_id: str) -> RunDetails | None:
    """A run with the totals of its report, or with its books as they stand while there is none."""
    with archive.catalog.read() as connection:
        row = connection.execute(select(runs).where(runs.c.run_id == run_id)).one_or_none()
        counts = books.tally(connection, run_id) if row is not None and row.report_key is None else {}
    if row is None:
        return None
    report = read_report(archive.store, row.report_key) if row.report_key else None
    return RunDetails.model_validate({**_columns(row), **_totals(report, counts, row.problem)})


def _totals(report: StoredReport | None, counts: dict[str, int], problem: str | None) -> dict[str, Any]:
    if report:
        return {"totals": dict(report.totals), "problems": list(report.problems)}
    return {"totals": counts, "problems": [problem] if problem else []}


def _columns(row: Row[Any]) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name in RunRow.model_fields}


def _position(run: RunRow) -> Position:
    started: datetime = run.started_at
    return Position(started, PartId(run.run_id, ""))
