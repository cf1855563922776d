"""Report: close the books of a run and write its compliance report, manifest and coverage.

Rows are streamed from the catalog into JSON and CSV, so that a day of 50,000 recordings costs no more memory than one.
The ledger is sealed before, so that the report names its head, and after, so that the ledger vouches for the report.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update

from recording_archive import books, coverage, ledger, sidecar, staging
from recording_archive.archive import Archive
from recording_archive.catalog import record
from recording_archive.errors import ArchiveError, PermanentError, StoreError
from recording_archive.model import Outcome, PartId, SourceChecksum, Window
from recording_archive.schema import events, recordings, runs, work
from recording_archive.stored_report import hash_of

log = logging.getLogger(__name__)

PROCESSED = (Outcome.SUCCESS, *books.FAILURES)
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
    head = ledger.seal_for_report(archive)
    at = archive.clock()
    folder, files = _publish(archive, run, totals, problems, at=at, head=head)
    with archive.catalog.write() as connection:
        if _covers(run, totals):
            window = Window(run.range_start, run.range_end)
            coverage.close(connection, source=run.source, window=window, run_id=run_id, kind=run.kind, at=at)
        status = "failed" if problems else "success"
        key = f"{folder}/compliance_report.json"
        connection.execute(
            update(runs).where(runs.c.run_id == run_id).values(closed_at=at, status=status, report_key=key)
        )
        record(connection, "reported", None, at=at, run_id=run_id, detail={"files": files})
    head = ledger.seal_for_report(archive) or head
    with archive.catalog.read() as connection:
        archive.staging.drop(run_id, lambda number: books.is_over(connection, run_id, number))
    return Summary(run_id, key, totals, totals["bytesDownloaded"], totals["bytesStored"], tuple(problems), head)


def close_left_open(archive: Archive, is_over: Callable[[str], bool]) -> list[Summary]:
    """Close the books of runs that ended without a report (marked failed by hand, for instance)."""
    with archive.catalog.read() as connection:
        left = connection.execute(select(runs.c.run_id).where(runs.c.closed_at.is_(None))).scalars().all()
    over = [run_id for run_id in left if is_over(run_id)]
    for run_id in over:
        note_problem(archive, run_id, "the run ended before its report")
    return [report(archive, run_id) for run_id in over]


@contextmanager
def noted(archive: Archive, run_id: str, kind: type[ArchiveError] = PermanentError) -> Iterator[None]:
    """Write what ends a task for good into the run's books, so that the report names the cause.

    A TransientError is noted on request alone: a retry of the task may overcome it, and only one that begins the books
    anew would take the note back.
    """
    try:
        yield
    except kind as error:
        with suppress(StoreError):  # the disk that is full may hold the catalog as well: the first error is the cause
            note_problem(archive, run_id, str(error))
        raise


def note_problem(archive: Archive, run_id: str, problem: str) -> None:
    """Write down what stopped a run, for its report to tell."""
    with archive.catalog.write() as connection:
        run = connection.execute(select(runs.c.problem).where(runs.c.run_id == run_id)).one_or_none()
        if run is None:
            books.begin(connection, run_id, at=archive.clock(), source="unknown", kind="asked", problem=problem)
        elif problem not in (run.problem or ""):
            both = "; ".join(text for text in (run.problem, problem) if text)
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(problem=both))


def _close_rows(archive: Archive, run_id: str, problem: str) -> Row[Any]:
    with archive.catalog.write() as connection:
        books.abandon(connection, run_id, error=problem, at=archive.clock())
        return connection.execute(select(runs).where(runs.c.run_id == run_id)).one()


def _totals(archive: Archive, run_id: str) -> dict[str, int]:
    with archive.catalog.read() as connection:
        counts = books.tally(connection, run_id)
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


def _publish(
    archive: Archive,
    run: Row[Any],
    totals: Mapping[str, int],
    problems: Iterable[str],
    *,
    at: datetime,
    head: str | None,
) -> tuple[str, dict[str, str]]:
    """Write manifest and report under the next free number; return the report's folder, and the hashes of all files."""
    day, name = run.started_at.date().isoformat(), staging.safe_name(run.run_id)
    number = 1
    while archive.store.size(f"reports/{day}/{name}/{number}/compliance_report.csv") is not None:
        number += 1
    table, document, checksums, manifest = keys = _keys(day, name, number)
    top = _top(run, totals, problems, at=at, head=head)
    hashes = [_write(archive, table, _csv(archive, run.run_id))]
    hashes.append(_write(archive, document, _json(archive, run.run_id, top)))
    lines = (f"{digest}  {key.rpartition('/')[2]}\n" for key, digest in zip(keys, hashes[:2], strict=False))
    hashes.append(_write(archive, checksums, lines))
    hashes.append(_write(archive, manifest, _manifest(archive, run.run_id)))
    left = _left_over(archive, run.run_id, [key for earlier in range(1, number) for key in _keys(day, name, earlier)])
    return document.rpartition("/")[0], {**left, **dict(zip(keys, hashes, strict=True))}


def _keys(day: str, name: str, number: int) -> tuple[str, str, str, str]:
    """The files of a run's report: CSV, which is written first, JSON, checksums, and manifest."""
    stem = f"reports/{day}/{name}/{number}/compliance_report"
    manifest = f"manifests/{day}/{name}.{number}/manifest-sha256.txt"
    return f"{stem}.csv", f"{stem}.json", f"{stem}.sha256", manifest


def _left_over(archive: Archive, run_id: str, keys: Iterable[str]) -> dict[str, str]:
    """Hashes of those files that an attempt of this run left behind before it could tell of them."""
    there = [key for key in keys if archive.store.size(key) is not None]
    if not there:
        return {}
    # by the absent interaction first: of that there is an index
    own = (events.c.interaction_id.is_(None), events.c.kind == "reported", events.c.run_id == run_id)
    with archive.catalog.read() as connection:
        details = connection.execute(select(events.c.detail).where(*own)).scalars().all()
    told = {key for detail in details for key in detail["files"]}
    return {key: hash_of(archive.store, key) for key in there if key not in told}


def _write(archive: Archive, key: str, lines: Iterable[str]) -> str:
    """Write a text document once; return its SHA-256."""
    digest = hashlib.sha256()
    with archive.store.begin(key) as draft:
        for line in lines:
            content = line.encode()
            digest.update(content)
            draft.file.write(content)
        draft.seal()
        draft.publish()
    archive.store.sync([key])
    return digest.hexdigest()


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


def _json(archive: Archive, run_id: str, head: Mapping[str, Any]) -> Iterator[str]:
    yield json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    missing = (row.interaction_id for row in _rows(archive, run_id, (Outcome.MISSING,)))
    yield from _list("missing", missing)
    carried = (_identity(row) for row in _rows(archive, run_id, PROCESSED) if row.carried_over)
    yield from _list("carriedOver", carried)
    yield from _list("entries", (_entry(row) for row in _rows(archive, run_id, PROCESSED)))
    yield "\n}\n"


def _list(name: str, items: Iterable[Any]) -> Iterator[str]:
    yield f',\n "{name}": ['
    for number, item in enumerate(items):
        yield (",\n  " if number else "\n  ") + json.dumps(item, ensure_ascii=False)
    yield "]"


def _csv(archive: Archive, run_id: str) -> Iterator[str]:
    """All rows of the run, the ones left out of the JSON included."""
    line = io.StringIO()
    writer = csv.DictWriter(line, CSV_COLUMNS, lineterminator="\r\n")  # as RFC 4180; else "\r" in a cell is not quoted
    writer.writeheader()
    for row in _rows(archive, run_id, tuple(Outcome)):
        entry = _entry(row) | {"carriedOver": row.carried_over}
        writer.writerow({name: spreadsheet_cell(entry.get(name)) for name in CSV_COLUMNS})
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def spreadsheet_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


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


def _rows(archive: Archive, run_id: str, outcomes: Iterable[Outcome]) -> Iterator[Row[Any]]:
    """Work rows of the run with their sidecar's hash, a page at a time."""
    same = [work.c[name] == recordings.c[name] for name in PartId._fields]
    query = select(work, recordings.c.sidecar_sha256).outerjoin(recordings, same[0] & same[1] & same[2])
    last = 0
    while True:
        where = (work.c.run_id == run_id, work.c.id > last, work.c.outcome.in_(tuple(outcomes)))
        with archive.catalog.read() as connection:
            page = connection.execute(query.where(*where).order_by(work.c.id).limit(books.PAGE)).all()
        if not page:
            return
        yield from page
        last = page[-1].id
