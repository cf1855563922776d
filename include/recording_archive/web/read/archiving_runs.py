"""Runs of `archive_recordings`, newest first, with their totals and the key of their report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from recording_archive.archive import Archive
from recording_archive.archiving.work_rows import tally
from recording_archive.catalog.search import Position
from recording_archive.catalog.tables import runs
from recording_archive.reports.reading import StoredReport, read_report
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.run_list import newest_runs, one_run


class RunRow(ApiDocument):
    """One run of `archive_recordings`; ``asked`` is None while the source was not listed to its end."""

    run_id: str
    source: str
    kind: str
    range_start: datetime | None
    range_end: datetime | None
    started_at: datetime
    closed_at: datetime | None
    status: str | None
    asked: int | None
    problem: str | None
    report_key: str | None


class RunPage(ApiDocument):
    """A page of runs, newest first."""

    items: list[RunRow]
    next: str | None


class RunDetails(RunRow):
    """A run with its totals by name: those of its report, or the books so far."""

    totals: dict[str, int]
    problems: list[str]


def list_runs(
    archive: Archive, *, limit: int = 50, after: Position | None = None
) -> tuple[list[RunRow], Position | None]:
    """The next runs after ``after``, whose part names the run as its interaction."""
    rows, following = newest_runs(archive, runs, limit=limit, after=after)
    return [RunRow.model_validate(_columns(row)) for row in rows], following


def read_run(archive: Archive, run_id: str) -> RunDetails | None:
    """A run with the totals of its report, or with its books as they stand while there is none."""
    row = one_run(archive, runs, run_id)
    if row is None:
        return None
    if row["report_key"]:
        return _details(row, read_report(archive.store, row["report_key"]), {})
    with archive.catalog.read() as connection:
        return _details(row, None, tally(connection, run_id))


def _details(row: Mapping[str, Any], report: StoredReport | None, counts: dict[str, int]) -> RunDetails:
    return RunDetails.model_validate({**_columns(row), **_totals(report, counts, row["problem"])})


def _totals(report: StoredReport | None, counts: dict[str, int], problem: str | None) -> dict[str, Any]:
    if report:
        return {"totals": dict(report.totals), "problems": list(report.problems)}
    return {"totals": counts, "problems": [problem] if problem else []}


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in RunRow.model_fields}
