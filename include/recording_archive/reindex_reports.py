"""Runs, coverage and failures of a lost catalog, from the compliance reports in the archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from recording_archive import books, coverage
from recording_archive.catalog import Catalog, record
from recording_archive.errors import ArchiveError, FixityError, RunError
from recording_archive.indexed import Indexed, Result
from recording_archive.model import WHOLE, Outcome, PartId, State
from recording_archive.replay import is_told, told_files
from recording_archive.schema import recordings, runs
from recording_archive.store import Store
from recording_archive.stored_report import StoredReport, check_bytes, hash_of, keys_of, read_report, read_rows


def index_reports(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Enter what finished reports tell, those of one run in the order they were written.

    One that a crash left without its event gets it; one that is not what its event tells is bad.
    """
    vouched = told_files(catalog, "reported")
    keys = (key for key in store.list("reports/") if key.endswith("/compliance_report.sha256"))
    for _, group in groupby(keys, key=lambda key: key.rsplit("/", 2)[0]):
        for key in sorted(group, key=lambda key: (len(key), key)):
            document = keys_of(key)[0]
            try:
                _check(store, document, vouched)
                report = read_report(store, document)
            except RunError:
                raise
            except ArchiveError as error:
                yield Indexed("runs", document, Result.BAD, str(error))
                continue
            with catalog.write() as connection:
                indexed = list(_enter_report(connection, report, read_rows(store, document)))
                if document not in vouched:
                    files = {each: hash_of(store, each) for each in _files_of(store, document)}
                    detail, at = {"files": files}, report.closed_at
                    record(connection, "reported", None, at=at, run_id=report.run_id, detail=detail)
            yield from indexed


def _check(store: Store, document: str, vouched: Mapping[str, str]) -> None:
    """Raise FixityError unless JSON and CSV have the hashes beside them, and those are what the ledger knows."""
    check_bytes(store, document)
    checksums = keys_of(document)[2]
    found = hash_of(store, checksums)
    if (due := vouched.get(checksums, found)) != found:
        raise FixityError(f"{checksums} (restore it from a copy of the archive)", expected=due, found=found)


def _files_of(store: Store, document: str) -> list[str]:
    """The files of a report, and the manifest of its run when it was still written."""
    _, day, run, number, _ = document.split("/")
    manifest = f"manifests/{day}/{run}.{number}/manifest-sha256.txt"
    return [*keys_of(document), *([manifest] if store.size(manifest) is not None else [])]


def _enter_report(connection: Connection, report: StoredReport, rows: Iterable[Mapping[str, str]]) -> Iterator[Indexed]:
    """Run, coverage and failures of one report, unless the catalog has the run as it was then or later."""
    known = connection.execute(select(runs).where(runs.c.run_id == report.run_id)).one_or_none()
    if known is not None and (known.closed_at is None or known.closed_at >= report.closed_at):
        yield Indexed("runs", report.key, Result.KNOWN)
        return
    facts = _run_columns(report)
    if known is None:
        connection.execute(insert(runs).values(**facts))
    else:
        connection.execute(update(runs).where(runs.c.run_id == report.run_id).values(**facts))
    yield Indexed("runs", report.key, Result.ADDED)
    if report.covers and report.window:
        coverage.close(
            connection,
            source=report.source,
            window=report.window,
            run_id=report.run_id,
            kind=report.kind,
            at=report.closed_at,
        )
        yield Indexed("coverage", report.key, Result.ADDED)
    for row in rows:
        comes_again = row["status"] == Outcome.DEFERRED or row["recordingId"] == WHOLE
        if comes_again:
            _defer(connection, report, row)
        elif row["status"] in books.FAILURES and _fail(connection, report, row):
            yield Indexed("failures", report.key, Result.ADDED)


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
    known = connection.execute(select(recordings).where(_same(part))).first()
    if known is None and row["status"] != Outcome.EXCLUDED:
        date = datetime.fromisoformat(row["interactionDate"]) if row["interactionDate"] else None
        facts = {"interaction_date": date, "retry_at": report.closed_at, "last_error": row["error"]}
        connection.execute(insert(recordings).values(**part._asdict(), state=State.DISCOVERED, **facts))


def _fail(connection: Connection, report: StoredReport, row: Mapping[str, str]) -> bool:
    """Count a reported failure of a part that is not archived; reports need not come in order of time."""
    part = PartId(row["interactionId"], row["recordingId"], int(row["part"]))
    known = connection.execute(select(recordings).where(_same(part))).one_or_none()
    if known is None:
        date = datetime.fromisoformat(row["interactionDate"]) if row["interactionDate"] else None
        values = {**part._asdict(), "state": State.DISCOVERED, "interaction_date": date}
        connection.execute(insert(recordings).values(**values, **_counted(None, report.closed_at, row["error"])))
    elif known.state == State.DISCOVERED:
        values = _counted(known, report.closed_at, row["error"])
        connection.execute(update(recordings).where(_same(part)).values(**values))
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


def _same(part: PartId) -> Any:
    return and_(*(recordings.c[name] == value for name, value in part._asdict().items()))
