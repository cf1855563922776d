"""Report: close the books of a run and write its compliance report, manifest and coverage.

Rows are streamed from the catalog into JSON and CSV, so that a day of 50,000 recordings costs no more memory than one.
The ledger is sealed before, so that the report names its head, and after, so that the ledger vouches for the report.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, func, select

from recording_archive.archive import Archive
from recording_archive.archiving import coverage, entering, outcomes, work_rows
from recording_archive.catalog.rows import pages, same_part
from recording_archive.catalog.tables import recordings, runs, work
from recording_archive.errors import ArchiveError, PermanentError
from recording_archive.ledger import sealing
from recording_archive.model import FAILURES, Outcome, SourceChecksum, Window
from recording_archive.reports import run_state, writing
from recording_archive.store import sidecar

log = logging.getLogger(__name__)

PROCESSED = (Outcome.SUCCESS, *FAILURES)
CSV_COLUMNS = (
    *("interactionId", "recordingId", "part", "status", "checksumValid", "sourceChecksum", "filePath"),
    *("interactionDate", "bytes", "storedBytes", "sha256", "expectedSha256", "storedSha256", "attempts", "carriedOver"),
    "error",
)


@dataclass(frozen=True, slots=True)
class Summary:
    """The totals of a closed run, as its report tells them, and why it counts as failed (empty when it does not).

    ``ledger_head`` is ``segment:sha256`` after the report was sealed; None when the ledger could not be sealed.
    """

    run_id: str
    report_key: str
    counts: Mapping[str, int]
    bytes_downloaded: int
    bytes_stored: int
    problems: tuple[str, ...]
    ledger_head: str | None

    @property
    def failed(self) -> bool:
        """Whether the run must end failed."""
        return bool(self.problems)


def report(archive: Archive, run_id: str) -> Summary:
    """Close the run's books and write its report.

    What no task finished is closed as failed, to be taken up again. The report is written whatever the books say;
    the caller makes the run fail when `Summary.failed`.
    """
    with archive.catalog.read() as connection:
        known = connection.execute(select(runs.c.problem).where(runs.c.run_id == run_id)).one_or_none()
    if known is None:
        note_problem(archive, run_id, "the source was never asked")
    run = _close_rows(archive, run_id, (known and known.problem) or "no task of this run finished it; its log says why")
    totals = _totals(archive, run_id)
    problems = _problems(run, totals, archive.settings.allowed_failure_ratio)
    head = sealing.seal_for_report(archive)
    at = archive.clock()
    key, files = writing.publish_report(
        archive,
        day=run.started_at.date().isoformat(),
        run_id=run_id,
        name="compliance_report",
        table=lambda: _csv(archive, run_id),
        document=_json(archive, run_id, _top(run, totals, problems, at=at, head=head)),
        manifest=_manifest(archive, run_id),
    )
    with archive.catalog.write() as connection:
        if _covers(run, totals):
            window = Window(run.range_start, run.range_end)
            coverage.close(connection, source=run.source, window=window, run_id=run_id, kind=run.kind, at=at)
        detail, status = {"files": files}, run_state.status_of(problems)
        run_state.close(connection, runs, run_id, at=at, report_key=key, detail=detail, status=status)
    head = sealing.seal_for_report(archive) or head
    with archive.catalog.read() as connection:
        archive.staging.drop(run_id, lambda number: work_rows.is_over(connection, run_id, number))
    return Summary(run_id, key, totals, totals["bytesDownloaded"], totals["bytesStored"], tuple(problems), head)


def close_left_open(archive: Archive, is_over: Callable[[str], bool]) -> list[Summary]:
    """Close the books of runs that ended without a report (marked failed by hand, for instance)."""
    with archive.catalog.read() as connection:
        left = connection.execute(select(runs.c.run_id).where(runs.c.closed_at.is_(None))).scalars().all()
    over = [run_id for run_id in left if is_over(run_id)]
    for run_id in over:
        note_problem(archive, run_id, "the run ended before its report")
    return [report(archive, run_id) for run_id in over]


def noted(archive: Archive, run_id: str, kind: type[ArchiveError] = PermanentError) -> AbstractContextManager[None]:
    """Write the error that ends a task for good into the run, as `reports.run_state.noted` does."""
    return run_state.noted(lambda problem: note_problem(archive, run_id, problem), kind)


def note_problem(archive: Archive, run_id: str, problem: str) -> None:
    """Write down what stopped a run, for its report to tell."""
    unknown: dict[str, Any] = {"at": archive.clock(), "source": "unknown", "kind": "asked", "problem": problem}
    with archive.catalog.write() as connection:
        begin = partial(entering.begin, connection, run_id, **unknown)
        run_state.note_problem(connection, runs, run_id, problem, begin)


def _close_rows(archive: Archive, run_id: str, problem: str) -> Row[Any]:
    with archive.catalog.write() as connection:
        outcomes.abandon(connection, run_id, error=problem, at=archive.clock())
        return connection.execute(select(runs).where(runs.c.run_id == run_id)).one()


def _totals(archive: Archive, run_id: str) -> dict[str, int]:
    with archive.catalog.read() as connection:
        counts = work_rows.tally(connection, run_id)
        wire, stored = connection.execute(
            select(
                func.coalesce(func.sum(work.c.wire_bytes), 0),
                func.coalesce(func.sum(work.c.stored_bytes).filter(work.c.outcome == Outcome.SUCCESS), 0),
            ).where(work.c.run_id == run_id)
        ).one()
        unavailable = connection.execute(
            select(func.count()).where(
                work.c.run_id == run_id,
                work.c.outcome == Outcome.SUCCESS,
                work.c.source_checksum == SourceChecksum.NOT_GIVEN,
            )
        ).scalar_one()
    return {
        "totalProcessed": sum(counts[outcome] for outcome in PROCESSED),
        "successful": counts[Outcome.SUCCESS],
        "failed": counts[Outcome.FAILED],
        "checksumErrors": counts[Outcome.CHECKSUM_MISMATCH],
        "alreadyArchived": counts[Outcome.ALREADY_ARCHIVED],
        "excluded": counts[Outcome.EXCLUDED],
        "missing": counts[Outcome.MISSING],
        "deferred": counts[Outcome.DEFERRED],
        "checksumUnavailable": unavailable,
        "bytesDownloaded": int(wire),
        "bytesStored": int(stored),
        "own": counts["own"],
        "ownFailures": counts["own_failures"],
    }


def _closes(run: Row[Any], totals: Mapping[str, int]) -> bool:
    ends = ("totalProcessed", "alreadyArchived", "excluded", "missing", "deferred")
    return bool(run.asked == sum(totals[name] for name in ends))


def _covers(run: Row[Any], totals: Mapping[str, int]) -> bool:
    """Whether this run closes its range: the source was listed to its end, for all interactions, and all are booked."""
    return run.range_start is not None and run.kind != "asked" and _closes(run, totals)


def _problems(run: Row[Any], totals: Mapping[str, int], allowed_ratio: float) -> list[str]:
    problems = [run.problem] if run.problem else []
    if run.asked is None:
        problems.append("the source was not listed to its end")
    elif not _closes(run, totals):
        problems.append(f"the books do not close: {run.asked} asked for, {dict(totals)}")
    if totals["missing"]:
        problems.append(f"{totals['missing']} asked interactions are not at the source")
    if totals["ownFailures"] > allowed_ratio * totals["own"]:
        problems.append(f"{totals['ownFailures']} of {totals['own']} recordings failed")
    return problems


def _top(
    run: Row[Any], totals: Mapping[str, int], problems: Iterable[str], *, at: datetime, head: str | None
) -> dict[str, Any]:
    """The report but for its lists."""
    closed = _covers(run, totals)
    shown = {name: count for name, count in totals.items() if name not in {"own", "ownFailures", "missing"}}
    return {
        "runId": run.run_id,
        "source": run.source,
        "kind": run.kind,
        "startedAt": run.started_at.isoformat(),
        "rangeStart": run.range_start.isoformat() if run.range_start else None,
        "rangeEnd": run.range_end.isoformat() if run.range_end else None,
        "generatedAt": at.isoformat(),
        "asked": run.asked,
        **shown,
        "apiRequests": run.api_requests,
        "ledgerHead": head,
        "coverageClosed": closed,
        "problems": list(problems),
    }


def _json(archive: Archive, run_id: str, top: Mapping[str, Any]) -> Iterator[str]:
    carried = (_identity(row) for row in _rows(archive, run_id, PROCESSED) if row.carried_over)
    return writing.as_json(
        top,
        missing=(row.interaction_id for row in _rows(archive, run_id, (Outcome.MISSING,))),
        carriedOver=carried,
        entries=(_entry(row) for row in _rows(archive, run_id, PROCESSED)),
    )


def _csv(archive: Archive, run_id: str) -> Iterator[str]:
    """All rows of the run, the ones left out of the JSON included."""
    rows = _rows(archive, run_id, tuple(Outcome))
    return writing.as_csv(CSV_COLUMNS, (_entry(row) | {"carriedOver": row.carried_over} for row in rows))


def _entry(row: Row[Any]) -> dict[str, Any]:
    matched = row.source_checksum == SourceChecksum.MATCHED and row.outcome == Outcome.SUCCESS
    entry = {
        **_identity(row),
        "status": row.outcome,
        "checksumValid": matched,
        "filePath": row.key,
        "sourceChecksum": row.source_checksum or SourceChecksum.NOT_GIVEN,
        "expectedSha256": row.expected_sha256,
        "sha256": row.sha256,
        "storedSha256": row.stored_sha256,
        "bytes": row.size_bytes,
        "storedBytes": row.stored_bytes,
        "attempts": row.requests,
        "interactionDate": row.interaction_date.isoformat() if row.interaction_date else None,
    }
    return entry | ({"error": row.error} if row.error else {})


def _identity(row: Row[Any]) -> dict[str, Any]:
    return {"interactionId": row.interaction_id, "recordingId": row.recording_id, "part": row.part}


def _manifest(archive: Archive, run_id: str) -> Iterator[str]:
    """Objects and sidecars that this run archived, for `cd {root} && sha256sum -c`."""
    for row in _rows(archive, run_id, (Outcome.SUCCESS,)):
        yield f"{row.stored_sha256}  {row.key}\n"
        yield f"{row.sidecar_sha256}  {sidecar.beside(row.key)}\n"


def _rows(archive: Archive, run_id: str, ended: Iterable[Outcome]) -> Iterator[Row[Any]]:
    """Work rows of the run with their sidecar's hash, a page at a time."""
    query = select(work, recordings.c.sidecar_sha256).outerjoin(recordings, same_part(work, recordings))
    query = query.where(work.c.run_id == run_id, work.c.outcome.in_(tuple(ended)))
    for page in pages(archive.catalog, query, work.c.id):
        yield from page
