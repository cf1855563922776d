"""The files of a compliance report: document (JSON), table (CSV) and manifest.

Rows are streamed from the catalog, so that a day of 50,000 recordings costs no more memory than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.archiving import mismatches
from recording_archive.archiving.totals import PROCESSED, covers
from recording_archive.archiving.work_rows import first_deferred
from recording_archive.catalog.rows import pages, part_of, same_part
from recording_archive.catalog.tables import recordings, work
from recording_archive.model import Outcome, SourceChecksum
from recording_archive.reports import writing
from recording_archive.sources import Gap
from recording_archive.store import sidecar

CSV_COLUMNS = (
    *("interactionId", "recordingId", "part", "status", "checksumValid", "sourceChecksum", "filePath"),
    *("interactionDate", "bytes", "storedBytes", "sha256", "expectedSha256", "storedSha256", "attempts", "carriedOver"),
    "error",
)


def head_of(
    run: Row[Any],
    totals: Mapping[str, int],
    problems: Iterable[str],
    *,
    at: datetime,
    head: str | None,
    gaps: Sequence[Gap] = (),
) -> dict[str, Any]:
    """Compose the document up to its lists; ``head`` is the head of the ledger, ``gaps`` are not acknowledged."""
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
        "coverageClosed": covers(run, totals) and not gaps,
        "coverage": "open" if not covers(run, totals) else "partial" if gaps else "closed",
        "listing": run.listing,
        "problems": list(problems),
    }


def as_document(archive: Archive, run_id: str, top: Mapping[str, Any]) -> Iterator[str]:
    """Write the document as JSON: ``top``, then the lists of missing, deferred, carried-over and processed parts."""
    carried = (_identity(row) for row in _rows(archive, run_id, PROCESSED) if row.carried_over)
    return writing.as_json(
        top,
        missing=(row.interaction_id for row in _rows(archive, run_id, (Outcome.MISSING,))),
        deferredParts=_deferred(archive, run_id),
        carriedOver=carried,
        entries=_entries(archive, run_id),
    )


def as_table(archive: Archive, run_id: str) -> Iterator[str]:
    """Write every row of the run as CSV, those that the document leaves out included."""
    rows = _rows(archive, run_id, tuple(Outcome))
    return writing.as_csv(CSV_COLUMNS, (_entry(row) | {"carriedOver": row.carried_over} for row in rows))


def as_manifest(archive: Archive, run_id: str) -> Iterator[str]:
    """List the objects and sidecars that a run archived, for `cd {root} && sha256sum -c`."""
    for row in _rows(archive, run_id, (Outcome.SUCCESS,)):
        yield f"{row.stored_sha256}  {row.key}\n"
        yield f"{row.sidecar_sha256}  {sidecar.beside(row.key)}\n"


def _entries(archive: Archive, run_id: str) -> Iterator[dict[str, Any]]:
    """The entries of the document, with the hashes of media that came wrong."""
    for page in _pages(archive, run_id, PROCESSED):
        with archive.catalog.read() as connection:
            wrong = mismatches.of_rows(connection, page)
        for row in page:
            found = wrong.get(part_of(row))
            yield _entry(row) | ({"mismatches": found} if found else {})


def _deferred(archive: Archive, run_id: str) -> Iterator[dict[str, Any]]:
    """Parts that wait, each with the start of the first run that deferred it: nothing waits for ever unseen."""
    for page in _pages(archive, run_id, (Outcome.DEFERRED,)):
        with archive.catalog.read() as connection:
            since = first_deferred(connection, {row.interaction_id for row in page})
        for row in page:
            yield _identity(row) | {"reason": row.error, "since": since[part_of(row)].isoformat()}


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


def _rows(archive: Archive, run_id: str, ended: Iterable[Outcome]) -> Iterator[Row[Any]]:
    """Work rows of the run with their sidecar's hash."""
    for page in _pages(archive, run_id, ended):
        yield from page


def _pages(archive: Archive, run_id: str, ended: Iterable[Outcome]) -> Iterator[Sequence[Row[Any]]]:
    query = select(work, recordings.c.sidecar_sha256).outerjoin(recordings, same_part(work, recordings))
    query = query.where(work.c.run_id == run_id, work.c.outcome.in_(tuple(ended)))
    return pages(archive.catalog, query, work.c.id)
