"""Runs of `archive_recordings`, their coverage and failures, from compliance reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recording_archive.archiving import account, coverage
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import insert_missing, is_part
from recording_archive.catalog.tables import recordings, runs
from recording_archive.model import FAILURES, WHOLE, Outcome, PartId, State
from recording_archive.recovery.documents import part_in
from recording_archive.recovery.event_history import has_event
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.reports import run_state
from recording_archive.reports.reading import StoredReport, read_report, read_rows
from recording_archive.store.base import Store


def enter_archiving_run(connection: Connection, store: Store, key: str) -> Iterator[Indexed]:
    """Enter the run, coverage and failures of one report, unless the catalog has the run as it was then or later."""
    report = read_report(store, key)
    known = connection.execute(select(runs).where(runs.c.run_id == report.run_id)).one_or_none()
    if known is not None and (known.closed_at is None or known.closed_at >= report.closed_at):
        yield Indexed("runs", report.key, IndexResult.KNOWN)
        return
    facts = _run_columns(report)
    if known is None:
        connection.execute(insert(runs).values(**facts))
    else:
        connection.execute(update(runs).where(runs.c.run_id == report.run_id).values(**facts))
    yield Indexed("runs", report.key, IndexResult.ADDED)
    if report.covers and report.window:
        closed: dict[str, Any] = {"run_id": report.run_id, "kind": report.kind, "at": report.closed_at}
        gaps = [gap.window for gap in account.read_gaps(report.listing)]
        for window in coverage.without(report.window, gaps):
            coverage.close(connection, source=report.source, window=window, **closed)
        yield Indexed("coverage", report.key, IndexResult.ADDED)
    for row in read_rows(store, key):
        comes_again = row["status"] == Outcome.DEFERRED or row["recordingId"] == WHOLE
        if comes_again:
            _defer(connection, report, row)
        elif row["status"] in FAILURES and _fail(connection, report, row):
            yield Indexed("failures", report.key, IndexResult.ADDED)


def _run_columns(report: StoredReport) -> dict[str, Any]:
    return {
        "run_id": report.run_id,
        "source": report.source,
        "kind": report.kind,
        "range_start": report.window and report.window.start,
        "range_end": report.window and report.window.end,
        "started_at": report.started_at,
        "asked": report.asked,
        "problem": "; ".join(report.problems) or None,
        "closed_at": report.closed_at,
        "report_key": report.key,
        "status": run_state.status_of(report.problems),
        "listing": report.listing,
        "api_requests": report.totals.get("apiRequests", 0),
    }


def _defer(connection: Connection, report: StoredReport, row: Mapping[str, str]) -> None:
    """Have the next scheduled run ask again for what waited, or was never named: it may be archived since."""
    if row["status"] != Outcome.EXCLUDED:
        facts = {"retry_at": report.closed_at, "last_error": row["error"]}
        insert_missing(connection, recordings, [_discovered(row) | facts])


def _fail(connection: Connection, report: StoredReport, row: Mapping[str, str]) -> bool:
    """Count a reported failure of a part that is not archived; reports need not come in order of time."""
    part = part_in(discovered := _discovered(row))
    known = connection.execute(select(recordings).where(is_part(recordings, part))).one_or_none()
    if known is None:
        values = discovered | _counted(None, report.closed_at, row["error"])
        connection.execute(insert(recordings).values(values))
    elif known.state == State.DISCOVERED:
        values = _counted(known, report.closed_at, row["error"])
        connection.execute(update(recordings).where(is_part(recordings, part)).values(**values))
    else:
        return False
    if not has_event(connection, "failed", part, report.run_id, report.closed_at):
        detail = {"outcome": row["status"], "error": row["error"]}
        record(connection, "failed", part, at=report.closed_at, run_id=report.run_id, detail=detail)
    return True


def _discovered(row: Mapping[str, str]) -> dict[str, Any]:
    part = PartId(row["interactionId"], row["recordingId"], int(row["part"]))
    date = datetime.fromisoformat(row["interactionDate"]) if row["interactionDate"] else None
    return {**part._asdict(), "state": State.DISCOVERED, "interaction_date": date}


def _counted(known: Row[Any] | None, at: datetime, error: str) -> dict[str, Any]:
    """Compute the failure columns after one more failure at ``at``, which may be before those counted so far."""
    failures = known.failures if known else 0
    latest = known.retry_at - _wait(failures) if known and known.retry_at else at
    since = min(known.failed_since, at) if known and known.failed_since else at
    return {
        "failures": failures + 1,
        "failed_since": since,
        "retry_at": max(latest, at) + _wait(failures + 1),
        "last_error": error if known is None or at >= latest else known.last_error,
    }


def _wait(failures: int) -> timedelta:
    """Compute the wait before the next try after so many failures, as `archiving.work_table` does."""
    return timedelta(days=2 ** min(failures - 1, 10), hours=-12)
