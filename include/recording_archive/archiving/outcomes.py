"""Outcomes: what tasks note on the work rows of a run, from staged bytes to success or failure.

An outcome is written once: a second attempt that comes late, or never knew that it was given up, changes nothing.
Every function runs inside a transaction of the caller's, so that rows, recordings and events change together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update

from recording_archive.archiving.retry import count_failure, postpone
from recording_archive.archiving.work_rows import OPEN, Work, lock_rows, open_rows, to_work, update_many
from recording_archive.catalog.party_index import reindex
from recording_archive.catalog.rows import NO_FAILURE, part_of
from recording_archive.catalog.tables import events, recordings, runs, work
from recording_archive.model import Fetched, Listing, Outcome, PartId, SourceChecksum, State
from recording_archive.parties.documents import to_json


def stage(connection: Connection, done: Iterable[tuple[Work, Fetched, Listing]]) -> None:
    """Note that the raw bytes of parts are complete in staging."""
    rows = [
        {
            **_fetched_columns(fetched),
            "row_id": job.id,
            "more_requests": fetched.requests,
            "more_bytes": fetched.wire_bytes,
            "interaction_date": listing.interaction_date,
            "expected_sha256": listing.expected_sha256,
            "source_checksum": SourceChecksum.MATCHED if listing.expected_sha256 else SourceChecksum.NOT_GIVEN,
            "listing": {
                "attributes": asdict(listing.attributes),
                "parties": to_json(listing.parties),
                "fields": dict(listing.source_fields),
            },
        }
        for job, fetched, listing in done
    ]
    counters = {
        "requests": work.c.requests + bindparam("more_requests"),
        "wire_bytes": work.c.wire_bytes + bindparam("more_bytes"),
    }
    update_many(connection, work, rows, OPEN, staged=True, **counters)


def unstage(connection: Connection, jobs: Iterable[Work]) -> None:
    """Note that staged bytes are gone or damaged: they must be fetched again."""
    ids = [job.id for job in jobs]
    connection.execute(update(work).where(work.c.id.in_(ids)).values(staged=False))


def fail(
    connection: Connection,
    job: Work,
    error: Exception | str,
    *,
    at: datetime,
    outcome: Outcome = Outcome.FAILED,
    requests: int = 0,
    wire_bytes: int = 0,
    expected_sha256: str | None = None,
    found_sha256: str | None = None,
) -> None:
    """Note that a part failed, why, and when it will be taken up again."""
    values: dict[str, Any] = {"outcome": outcome, "error": str(error), "staged": False}
    if outcome is Outcome.CHECKSUM_MISMATCH:
        values["source_checksum"] = SourceChecksum.MISMATCHED
    values |= {"expected_sha256": expected_sha256} if expected_sha256 else {}
    values |= {"sha256": found_sha256} if found_sha256 else {}
    counters = {"requests": work.c.requests + requests, "wire_bytes": work.c.wire_bytes + wire_bytes}
    still = update(work).where(work.c.id == job.id, OPEN)
    if connection.execute(still.values(**values, **counters)).rowcount:
        count_failure(connection, job.part_id, job.run_id, {**values, "outcome": outcome}, at)


def defer(connection: Connection, job: Work, why: str, *, at: datetime) -> None:
    """Note that a part cannot be archived yet: no failure, and the next scheduled run takes it up again."""
    still = update(work).where(work.c.id == job.id, OPEN)
    if connection.execute(still.values(outcome=Outcome.DEFERRED, error=why, staged=False)).rowcount:
        postpone(connection, job.part_id, why, at)


def succeed(
    connection: Connection, done: Sequence[tuple[Work, Mapping[str, Any]]], *, at: datetime
) -> dict[int, Outcome]:
    """Note that parts are archived, each with the facts of its sidecar as columns of `recordings`.

    Return the outcome of each work row: ``already_archived`` when another run, or another attempt, noted it first.
    """
    parts = [job.part_id for job, _ in done]
    locked = lock_rows(connection, recordings, parts, recordings.c.state == State.DISCOVERED)
    new = {part_of(row): row for row in locked}
    first = [(job, archived) for job, archived in done if job.part_id in new]
    reindex(connection, [(new[job.part_id], archived) for job, archived in first])
    update_many(connection, recordings, [{**archived, **_key(job.part_id)} for job, archived in first], **NO_FAILURE)
    outcomes = {job.id: Outcome.SUCCESS if job.part_id in new else Outcome.ALREADY_ARCHIVED for job, _ in done}
    facts = ("key", "stored_sha256", "stored_bytes")
    rows = [
        {"row_id": job.id, "outcome": outcomes[job.id], **{name: archived[name] for name in facts}}
        for job, archived in done
    ]
    update_many(connection, work, rows, OPEN, staged=False)
    proof = ("key", "sha256", "stored_sha256", "sidecar_sha256")
    same = {"at": at, "kind": "archived"}
    archived_events = [
        {**same, "run_id": job.run_id, **job.part_id._asdict(), "detail": {name: archived[name] for name in proof}}
        for job, archived in first
    ]
    if archived_events:
        connection.execute(insert(events), archived_events)
    return outcomes


def abandon(connection: Connection, run_id: str, *, error: str, at: datetime) -> int:
    """Close rows that no task finished, as failures to be taken up again; return how many."""
    count = 0
    for row in open_rows(connection, run_id):
        fail(connection, to_work(row), error, at=at)
        count += 1
    return count


def count_requests(connection: Connection, run_id: str, requests: int) -> None:
    """Add requests to the API to those that the run has made so far."""
    total = runs.c.api_requests + requests
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(api_requests=total))


def _key(part: PartId) -> dict[str, Any]:
    return {f"row_{name}": value for name, value in part._asdict().items()}


def _fetched_columns(fetched: Fetched) -> dict[str, Any]:
    names = ("sha256", "size_bytes", "source_host", "source_date", "fetched_at")
    media = {"extension": fetched.format.extension, "mime_type": fetched.format.mime_type}
    return {name: getattr(fetched, name) for name in names} | media
