"""Runs, coverage and failures of a lost catalog, from the reports in the archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recording_archive.archiving import coverage
from recording_archive.catalog.database import Catalog, record
from recording_archive.catalog.rows import is_part
from recording_archive.catalog.tables import recordings, runs
from recording_archive.errors import ArchiveError, FixityError, RunError
from recording_archive.model import FAILURES, WHOLE, Outcome, PartId, State
from recording_archive.recovery.from_events import is_told, told_files
from recording_archive.recovery.from_run_reports import ENTERING
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.reports.reading import (
    StoredReport,
    check_bytes,
    damage_named,
    hash_of,
    keys_of,
    name_of,
    read_head,
    read_report,
    read_rows,
)
from recording_archive.reports.writing import manifest_key
from recording_archive.store.base import Store


def index_reports(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Enter what finished reports tell, those of one run in the order they were written.

    What a crash left without its event gets one, the files of an unfinished report too; one that is not what its event
    tells is bad.
    """
    vouched = told_files(catalog, "reported")
    keys = (key for key in store.list("reports/") if key.endswith(".sha256") and name_of(key) in _ENTERING)
    for _, group in groupby(keys, key=lambda key: key.rsplit("/", 2)[0]):
        for key in sorted(group, key=lambda key: (len(key), key)):
            document = keys_of(key)[0]
            try:
                _check(store, document, vouched)
                with catalog.write() as connection:
                    indexed = list(_ENTERING[name_of(key)](connection, store, document))
                    if document not in vouched:
                        _vouch(connection, store, document)
            except RunError:
                raise
            except ArchiveError as error:
                yield Indexed("runs", document, IndexResult.BAD, str(error))
            else:
                yield from indexed
    yield from _unfinished(store, catalog, vouched)


def _vouch(connection: Connection, store: Store, document: str) -> None:
    """Write the event that a finished report lacks."""
    files = {each: hash_of(store, each) for each in _files_of(store, document)}
    head = read_head(store, document)
    with damage_named(document):
        run_id, at = str(head["runId"]), datetime.fromisoformat(head["generatedAt"])
    record(connection, "reported", None, at=at, run_id=run_id, detail={"files": files})


def _unfinished(store: Store, catalog: Catalog, vouched: Mapping[str, str]) -> Iterator[Indexed]:
    """Vouch for what was written of reports that never came to their checksums; they tell nothing."""
    for key in store.list("reports/"):
        if not key.endswith(".csv") or name_of(key) not in _ENTERING or key in vouched:
            continue
        if store.size(keys_of(key)[2]) is None:
            files = {each: hash_of(store, each) for each in _files_of(store, key)}
            with catalog.write() as connection:
                record(connection, "reported", None, at=datetime.now(UTC), detail={"unfinished": True, "files": files})
            yield Indexed("reports", key, IndexResult.ADDED)


def _check(store: Store, document: str, vouched: Mapping[str, str]) -> None:
    """Raise FixityError unless JSON and CSV have the hashes beside them, and those are what the ledger knows."""
    check_bytes(store, document)
    checksums = keys_of(document)[2]
    found = hash_of(store, checksums)
    if (due := vouched.get(checksums, found)) != found:
        raise FixityError(f"{checksums} (restore it from a copy of the archive)", expected=due, found=found)


def _files_of(store: Store, report_key: str) -> list[str]:
    """What there is of a report, and of the manifest of its run."""
    _, day, run, number, _ = report_key.split("/")
    files = (*keys_of(report_key), manifest_key(day, run, number))
    return [key for key in files if store.size(key) is not None]


def _enter_compliance(connection: Connection, store: Store, key: str) -> Iterator[Indexed]:
    return _enter_report(connection, read_report(store, key), read_rows(store, key))


_ENTERING = {"compliance_report": _enter_compliance, **ENTERING}


def _enter_report(connection: Connection, report: StoredReport, rows: Iterable[Mapping[str, str]]) -> Iterator[Indexed]:
    """Run, coverage and failures of one report, unless the catalog has the run as it was then or later."""
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
        coverage.close(
            connection,
            source=report.source,
            window=report.window,
            run_id=report.run_id,
            kind=report.kind,
            at=report.closed_at,
        )
        yield Indexed("coverage", report.key, IndexResult.ADDED)
    for row in rows:
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
        "status": "failed" if report.problems else "success",
        "api_requests": report.totals.get("apiRequests", 0),
    }


def _defer(connection: Connection, report: StoredReport, row: Mapping[str, str]) -> None:
    """Have the next scheduled run ask again for what waited, or was never named: it may be archived since."""
    part = PartId(row["interactionId"], row["recordingId"], int(row["part"]))
    known = connection.execute(select(recordings).where(is_part(recordings, part))).first()
    if known is None and row["status"] != Outcome.EXCLUDED:
        date = datetime.fromisoformat(row["interactionDate"]) if row["interactionDate"] else None
        facts = {"interaction_date": date, "retry_at": report.closed_at, "last_error": row["error"]}
        connection.execute(insert(recordings).values(**part._asdict(), state=State.DISCOVERED, **facts))


def _fail(connection: Connection, report: StoredReport, row: Mapping[str, str]) -> bool:
    """Count a reported failure of a part that is not archived; reports need not come in order of time."""
    part = PartId(row["interactionId"], row["recordingId"], int(row["part"]))
    known = connection.execute(select(recordings).where(is_part(recordings, part))).one_or_none()
    if known is None:
        date = datetime.fromisoformat(row["interactionDate"]) if row["interactionDate"] else None
        values = {**part._asdict(), "state": State.DISCOVERED, "interaction_date": date}
        connection.execute(insert(recordings).values(**values, **_counted(None, report.closed_at, row["error"])))
    elif known.state == State.DISCOVERED:
        values = _counted(known, report.closed_at, row["error"])
        connection.execute(update(recordings).where(is_part(recordings, part)).values(**values))
    else:
        return False
    if not is_told(connection, "failed", part, report.run_id, report.closed_at):
        detail = {"outcome": row["status"], "error": row["error"]}
        record(connection, "failed", part, at=report.closed_at, run_id=report.run_id, detail=detail)
    return True


def _counted(known: Row[Any] | None, at: datetime, error: str) -> dict[str, Any]:
    """The failure columns after one more failure at ``at``, which may lie before those counted so far."""
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
    """How long after the latest of so many failures a run tries again, as `books` has it."""
    return timedelta(days=2 ** min(failures - 1, 10), hours=-12)
