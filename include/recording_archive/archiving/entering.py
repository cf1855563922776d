"""Entering: the run record is opened, and what the source lists becomes work rows.

Every function runs inside a transaction of the caller's, so that rows, recordings and events change together.
At the end of a run,
*asked = successful + failed + checksumErrors + alreadyArchived + excluded + missing + deferred*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recording_archive.archiving.retry import count_failure
from recording_archive.archiving.work_rows import UNKNOWN_SIZE, blank_row, lock_rows
from recording_archive.catalog.party_index import index
from recording_archive.catalog.rows import insert_missing, is_named, part_of, same_part
from recording_archive.catalog.tables import events, recordings, runs, work
from recording_archive.model import FAILURES, Listing, Outcome, PartId, State
from recording_archive.parties.documents import columns

_BYTES_PER_MS = 16  # 8 kHz, 16 bit, one channel
_GONE = frozenset({State.QUARANTINED, State.PURGED, State.ERASED})  # or about to


def begin(connection: Connection, run_id: str, *, at: datetime, **facts: Any) -> None:
    """Open the run record, or open it again when the run was cleared: what failed is done once more."""
    known = connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id)).first()
    if known is None:
        connection.execute(insert(runs).values(run_id=run_id, started_at=at, **facts))
        return
    fresh = {"asked": None, "closed_at": None, "status": None, "report_key": None}
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**facts, **fresh))
    again = (work.c.run_id == run_id, work.c.outcome.in_((*FAILURES, Outcome.MISSING, Outcome.DEFERRED)))
    _exclude(connection, *again)
    connection.execute(update(work).where(*again).values(outcome=None, error=None, staged=False, batch=None))


def enter(
    connection: Connection, run_id: str, listings: Sequence[Listing], *, scheduled: bool, at: datetime, region: str
) -> None:
    """Enter what the source lists: recordings seen for the first time, and a work row for each part.

    ``region`` reads telephone numbers without a country.
    """
    by_part = {listing.part_id: listing for listing in listings}
    _see(connection, run_id, by_part, at, region)
    entered = {part_of(row) for row in lock_rows(connection, work, by_part, work.c.run_id == run_id)}
    known = {part_of(row): row for row in lock_rows(connection, recordings, by_part)}
    rows = [
        _work_row(run_id, by_part[part], row, scheduled=scheduled) for part, row in known.items() if part not in entered
    ]
    if rows:
        connection.execute(insert(work), rows)
    for row in rows:
        if row["outcome"] == Outcome.FAILED:
            count_failure(connection, _part_id_of(row), run_id, row, at)


def enter_missing(connection: Connection, run_id: str, interaction_ids: Iterable[str]) -> None:
    """Enter each asked id for which the source listed nothing."""
    for interaction_id in interaction_ids:
        found = select(work.c.id).where(work.c.run_id == run_id, is_named(work, interaction_id))
        if connection.execute(found.limit(1)).first() is None:
            error = "the source lists no recording of this interaction"
            row = blank_row(run_id, PartId(interaction_id, "", 0), outcome=Outcome.MISSING, error=error)
            connection.execute(insert(work).values(row))


def _see(connection: Connection, run_id: str, listings: Mapping[PartId, Listing], at: datetime, region: str) -> None:
    """Add a recording for each part that is new, with a ``seen`` event."""
    seen = {part_of(row) for row in lock_rows(connection, recordings, listings)}
    new = [
        {
            **part._asdict(),
            "state": State.DISCOVERED,
            "interaction_date": entry.interaction_date,
            **asdict(entry.attributes),
            **columns(entry.attributes, entry.parties, region),
        }
        for part, entry in listings.items()
        if part not in seen
    ]
    insert_missing(connection, recordings, new)  # two runs may see the same recording at once
    index(connection, new)
    shared = {"at": at, "kind": "seen", "run_id": run_id, "detail": {}}
    rows = [{name: row[name] for name in PartId._fields} | shared for row in new if not _part_id_of(row).is_whole]
    if rows:
        connection.execute(insert(events), rows)


def _work_row(run_id: str, listing: Listing, row: Row[Any], *, scheduled: bool) -> dict[str, Any]:
    outcome, error = _outcome_at_sight(listing, row)
    duration = listing.attributes.duration_ms
    return blank_row(
        run_id,
        listing.part_id,
        carried_over=scheduled and row.failed_since is not None,
        interaction_date=listing.interaction_date,
        expected_sha256=listing.expected_sha256,
        expected_bytes=duration * _BYTES_PER_MS if duration else UNKNOWN_SIZE,
        outcome=outcome,
        error=error,
        key=row.key,
        sha256=row.sha256,
        stored_sha256=row.stored_sha256,
        stored_bytes=row.stored_bytes,
        size_bytes=row.size_bytes,
    )


def _outcome_at_sight(listing: Listing, row: Row[Any]) -> tuple[Outcome | None, str | None]:
    """The outcome of a part that needs no download: lawfully gone, already here, or impossible."""
    if row.state in _GONE:
        return Outcome.EXCLUDED, _why_excluded(row)
    if listing.defect:
        return Outcome.FAILED, listing.defect
    if row.state == State.DISCOVERED:
        return None, None
    if listing.expected_sha256 and listing.expected_sha256 != row.sha256:
        return Outcome.FAILED, (
            f"the source now gives SHA-256 {listing.expected_sha256}, the archive holds {row.sha256}: "
            "ask Genesys Cloud why the recording changed; the archived one stays"
        )
    return Outcome.ALREADY_ARCHIVED, None


def _exclude(connection: Connection, *where: Any) -> None:
    """Exclude what was deleted between two attempts of a run: the lawfully deleted never comes back."""
    gone = (
        select(work.c.id, recordings)
        .join(recordings, same_part(work, recordings))
        .where(*where, recordings.c.state.in_(_GONE))
    )
    for row in connection.execute(gone).all():
        values = {"outcome": Outcome.EXCLUDED, "error": _why_excluded(row)}
        connection.execute(update(work).where(work.c.id == row.id).values(values))


def _why_excluded(row: Row[Any]) -> str:
    """Why a part is not to be archived again."""
    if row.state == State.QUARANTINED and row.deleting_at is None:
        return f"{row.state} since {row.quarantined_at:%Y-%m-%d}" if row.quarantined_at else str(row.state)
    return f"{row.state}, certificate {row.certificate or 'pending'}"


def _part_id_of(values: Mapping[str, Any]) -> PartId:
    return PartId(*(values[name] for name in PartId._fields))
