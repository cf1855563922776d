"""The books of a run: one work row per part, from what the source lists to what became of it.

An outcome is written once: a second attempt that comes late, or never knew that it was given up, changes nothing.
Every function runs inside a transaction of the caller's, so that rows, recordings and events change together.
*asked = successful + failed + checksumErrors + alreadyArchived + excluded + missing* holds when the books close.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, func, insert, or_, select, update

from recording_archive.catalog.rows import (
    NO_FAILURE,
    PAGE,
    Batch,
    among,
    insert_missing,
    is_part,
    pages,
    part_of,
    same_part,
)
from recording_archive.catalog.rows import cut as cut_rows
from recording_archive.catalog.tables import events, recordings, runs, work
from recording_archive.model import FAILURES, Fetched, Listing, MediaFormat, Outcome, PartId, SourceChecksum, State

_UNKNOWN_SIZE = 1_000_000  # expected bytes of a part whose duration the source does not give
_BYTES_PER_MS = 16  # 8 kHz, 16 bit, one channel
_OPEN = work.c.outcome.is_(None)
_GONE = frozenset({State.QUARANTINED, State.PURGED, State.ERASED})  # or about to
_RETRY_SLACK = timedelta(hours=12)  # so that a daily run a few minutes early still takes up yesterday's failure


@dataclass(frozen=True, slots=True)
class Work:
    """An open work row: what is still to do for one part in one run."""

    id: int
    run_id: str
    part_id: PartId
    interaction_date: datetime | None
    expected_sha256: str | None
    fetched: Fetched | None
    listing: Mapping[str, Any]
    batch: int | None
    carried_over: bool


def begin(connection: Connection, run_id: str, *, at: datetime, **facts: Any) -> None:
    """Open the run's books, or open them again when the run was cleared: what failed is to do once more."""
    known = connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id)).first()
    if known is None:
        connection.execute(insert(runs).values(run_id=run_id, started_at=at, **facts))
        return
    fresh = {"asked": None, "closed_at": None, "status": None, "report_key": None}
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**facts, **fresh))
    again = (work.c.run_id == run_id, work.c.outcome.in_((*FAILURES, Outcome.MISSING, Outcome.DEFERRED)))
    _exclude(connection, *again)
    connection.execute(update(work).where(*again).values(outcome=None, error=None, staged=False, batch=None))


def enter(connection: Connection, run_id: str, listings: Sequence[Listing], *, scheduled: bool, at: datetime) -> None:
    """Enter what the source lists: recordings seen for the first time, and a work row for each part."""
    by_part = {listing.part_id: listing for listing in listings}
    _see(connection, run_id, by_part, at)
    entered = {part_of(row) for row in _rows(connection, work, by_part, work.c.run_id == run_id)}
    known = {part_of(row): row for row in _rows(connection, recordings, by_part)}
    rows = [
        _work_row(run_id, by_part[part], row, scheduled=scheduled) for part, row in known.items() if part not in entered
    ]
    if rows:
        connection.execute(insert(work), rows)
    for row in rows:
        if row["outcome"] == Outcome.FAILED:
            _count_failure(connection, PartId(row["interaction_id"], row["recording_id"], row["part"]), run_id, row, at)


def enter_missing(connection: Connection, run_id: str, interaction_ids: Iterable[str]) -> None:
    """Enter each asked id for which the source listed nothing."""
    for interaction_id in interaction_ids:
        found = select(work.c.id).where(work.c.run_id == run_id, work.c.interaction_id == interaction_id)
        if connection.execute(found.limit(1)).first() is None:
            error = "the source lists no recording of this interaction"
            row = _blank(run_id, PartId(interaction_id, "", 0), outcome=Outcome.MISSING, error=error)
            connection.execute(insert(work).values(row))


def carry_over(connection: Connection, run_id: str, *, at: datetime, retry_days: int) -> int:
    """Take up failures of earlier runs whose next try is due; return how many.

    One that was booked in the future, by a clock that was wrong, is due now and not only in that future.
    """
    since = at - timedelta(days=retry_days)
    taken = select(work.c.id).where(work.c.run_id == run_id, same_part(work, recordings))
    due = select(recordings).where(
        recordings.c.state == State.DISCOVERED,
        or_(recordings.c.retry_at <= at, recordings.c.failed_since > at),
        or_(recordings.c.failed_since.is_(None), recordings.c.failed_since >= since),  # None: deferred, not failed
        recordings.c.acknowledged_at.is_(None),
        ~taken.exists(),
    )
    count = 0
    while page := connection.execute(due.limit(PAGE)).all():
        new = [_blank(run_id, part_of(row), carried_over=True, interaction_date=row.interaction_date) for row in page]
        connection.execute(insert(work), new)
        count += len(new)
    return count


def cut(connection: Connection, run_id: str, *, most_parts: int, most_bytes: int, most_batches: int) -> list[Batch]:
    """Number the open rows into batches by count and expected bytes; make them larger rather than too many."""
    size = func.coalesce(func.sum(work.c.expected_bytes), 0)
    count, size_bytes = connection.execute(select(func.count(), size).where(*_to_do(run_id))).one()
    return cut_rows(
        ((row.id, row.expected_bytes) for row in _open_rows(connection, run_id)),
        partial(_update_many, connection, work),
        total=(count, int(size_bytes)),
        most_parts=most_parts,
        most_bytes=most_bytes,
        most_batches=most_batches,
    )


def open_work(connection: Connection, run_id: str, batch: int, *, staged: bool) -> list[Work]:
    """What is left to do in a batch: parts to download, or with ``staged`` parts to compress."""
    todo = (*_to_do(run_id), work.c.batch == batch, work.c.staged == staged)
    return [_to_work(row) for row in connection.execute(select(work).where(*todo).order_by(work.c.id))]


def stage(connection: Connection, done: Iterable[tuple[Work, Fetched, Listing]]) -> None:
    """Note that the raw bytes of parts lie complete in staging."""
    rows = [
        {
            **_fetched_columns(fetched),
            "row_id": job.id,
            "more_requests": fetched.requests,
            "more_bytes": fetched.wire_bytes,
            "interaction_date": listing.interaction_date,
            "expected_sha256": listing.expected_sha256,
            "source_checksum": SourceChecksum.MATCHED if listing.expected_sha256 else SourceChecksum.NOT_GIVEN,
            "listing": {"attributes": asdict(listing.attributes), "fields": dict(listing.source_fields)},
        }
        for job, fetched, listing in done
    ]
    counters = {
        "requests": work.c.requests + bindparam("more_requests"),
        "wire_bytes": work.c.wire_bytes + bindparam("more_bytes"),
    }
    _update_many(connection, work, rows, _OPEN, staged=True, **counters)


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
    still = update(work).where(work.c.id == job.id, _OPEN)
    if connection.execute(still.values(**values, **counters)).rowcount:
        _count_failure(connection, job.part_id, job.run_id, {**values, "outcome": outcome}, at)


def defer(connection: Connection, job: Work, why: str, *, at: datetime) -> None:
    """Note that a part cannot be archived yet: no failure, and the next scheduled run takes it up again."""
    still = update(work).where(work.c.id == job.id, _OPEN)
    if connection.execute(still.values(outcome=Outcome.DEFERRED, error=why, staged=False)).rowcount:
        later = {**NO_FAILURE, "retry_at": at + _RETRY_SLACK, "last_error": why}
        connection.execute(update(recordings).where(is_part(recordings, job.part_id)).values(later))


def count_requests(connection: Connection, run_id: str, requests: int) -> None:
    """Add requests to the API to those that the run has made so far."""
    total = runs.c.api_requests + requests
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(api_requests=total))


def succeed(
    connection: Connection, done: Sequence[tuple[Work, Mapping[str, Any]]], *, at: datetime
) -> dict[int, Outcome]:
    """Note that parts lie in the archive, each with the facts of its sidecar as columns of `recordings`.

    Returns how it went for each work row: ``already_archived`` when another run, or another attempt, noted it first.
    """
    parts = [job.part_id for job, _ in done]
    new = {part_of(row) for row in _rows(connection, recordings, parts, recordings.c.state == State.DISCOVERED)}
    first = [(job, archived) for job, archived in done if job.part_id in new]
    _update_many(connection, recordings, [{**archived, **_key(job.part_id)} for job, archived in first], **NO_FAILURE)
    outcomes = {job.id: Outcome.SUCCESS if job.part_id in new else Outcome.ALREADY_ARCHIVED for job, _ in done}
    facts = ("key", "stored_sha256", "stored_bytes")
    rows = [
        {"row_id": job.id, "outcome": outcomes[job.id], **{name: archived[name] for name in facts}}
        for job, archived in done
    ]
    _update_many(connection, work, rows, _OPEN, staged=False)
    told = ("key", "sha256", "stored_sha256", "sidecar_sha256")
    news = [
        {
            **{"at": at, "kind": "archived", "run_id": job.run_id, **job.part_id._asdict()},
            "detail": {name: archived[name] for name in told},
        }
        for job, archived in first
    ]
    if news:
        connection.execute(insert(events), news)
    return outcomes


def abandon(connection: Connection, run_id: str, *, error: str, at: datetime) -> int:
    """Close rows that no task finished, as failures to be taken up again; return how many."""
    count = 0
    for row in _open_rows(connection, run_id):
        fail(connection, _to_work(row), error, at=at)
        count += 1
    return count


def is_over(connection: Connection, run_id: str, work_id: int) -> bool:
    """Whether this row is the run's, and has its outcome."""
    row = select(work.c.id).where(work.c.id == work_id, work.c.run_id == run_id, work.c.outcome.is_not(None))
    return connection.execute(row).first() is not None


def tally(connection: Connection, run_id: str) -> dict[str, int]:
    """How many rows of the run ended in each outcome; ``own_failures`` leaves out carried-over parts."""
    rows = connection.execute(
        select(work.c.outcome, work.c.carried_over, func.count())
        .where(work.c.run_id == run_id)
        .group_by(work.c.outcome, work.c.carried_over)
    )
    counts = dict.fromkeys((*Outcome, "open", "own_failures", "own"), 0)
    for outcome, carried_over, count in rows:
        counts[outcome or "open"] += count
        counts["own"] += 0 if carried_over else count
        counts["own_failures"] += count if outcome in FAILURES and not carried_over else 0
    return {str(name): count for name, count in counts.items()}


def _see(connection: Connection, run_id: str, listings: Mapping[PartId, Listing], at: datetime) -> None:
    """Make a recording of each part that is new, and tell so."""
    seen = {part_of(row) for row in _rows(connection, recordings, listings)}
    new = [
        {
            **part._asdict(),
            "state": State.DISCOVERED,
            "interaction_date": entry.interaction_date,
            **asdict(entry.attributes),
        }
        for part, entry in listings.items()
        if part not in seen
    ]
    if new:
        insert_missing(connection, recordings, new)  # two runs may see the same recording at once
        told = {"at": at, "kind": "seen", "run_id": run_id, "detail": {}}
        named = [row for row in new if not _part_id_of(row).is_whole]
        if named:
            connection.execute(insert(events), [{name: row[name] for name in PartId._fields} | told for row in named])


def _rows(connection: Connection, table: Table, parts: Collection[PartId], *where: Any) -> Sequence[Row[Any]]:
    return connection.execute(select(table).where(among(table, parts), *where).with_for_update()).all()


def _key(part: PartId) -> dict[str, Any]:
    return {f"row_{name}": value for name, value in part._asdict().items()}


def _update_many(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *only: Any, **fixed: Any
) -> None:
    """Update rows of equal columns, named by ``row_…`` keys, in one prepared statement; ``fixed`` goes into each."""
    if not rows:
        return
    where = [table.c[name.removeprefix("row_")] == bindparam(name) for name in rows[0] if name.startswith("row_")]
    connection.execute(update(table).where(*where, *only).values(**fixed), list(rows))


def _to_do(run_id: str) -> tuple[Any, ...]:
    return work.c.run_id == run_id, _OPEN


def _open_rows(connection: Connection, run_id: str) -> Iterator[Row[Any]]:
    """Every open row of a run, a page at a time, so that the caller may change rows on the way."""
    for page in pages(connection, select(work).where(*_to_do(run_id)), work.c.id):
        yield from page


def _work_row(run_id: str, listing: Listing, row: Row[Any], *, scheduled: bool) -> dict[str, Any]:
    outcome, error = _outcome_at_sight(listing, row)
    duration = listing.attributes.duration_ms
    return _blank(
        run_id,
        listing.part_id,
        carried_over=scheduled and row.failed_since is not None,
        interaction_date=listing.interaction_date,
        expected_sha256=listing.expected_sha256,
        expected_bytes=duration * _BYTES_PER_MS if duration else _UNKNOWN_SIZE,
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
    """Leave out of the books what went between two attempts of a run: the lawfully deleted never comes back."""
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


def _blank(run_id: str, part: PartId, **known: Any) -> dict[str, Any]:
    """A work row with every column, so that rows can be inserted many at a time."""
    blank = {
        column.name: None for column in work.columns if column.name not in {"id", "requests", "wire_bytes", "listing"}
    }
    base = {"run_id": run_id, **part._asdict(), "carried_over": False, "staged": False, "expected_bytes": _UNKNOWN_SIZE}
    return {**blank, **base, **known}


def _count_failure(connection: Connection, part: PartId, run_id: str, row: Mapping[str, Any], at: datetime) -> None:
    """Count one more failure of a recording and say when to try again: after 1, 2, 4 … days."""
    known = connection.execute(select(recordings).where(is_part(recordings, part))).first()
    if known is not None and known.state == State.DISCOVERED:
        wait = timedelta(days=2 ** min(known.failures, 10)) - _RETRY_SLACK
        values = {
            "failures": known.failures + 1,
            "failed_since": min(known.failed_since or at, at),
            "retry_at": at + wait,
            "last_error": row["error"],
            "acknowledged_at": None,
        }
        connection.execute(update(recordings).where(is_part(recordings, part)).values(values))
    detail = {"outcome": row["outcome"], "error": row["error"]}
    event = {"at": at, "kind": "failed", "run_id": run_id, "detail": detail, **part._asdict()}
    connection.execute(insert(events).values(event))


def _part_id_of(values: Mapping[str, Any]) -> PartId:
    return PartId(*(values[name] for name in PartId._fields))


def _fetched_columns(fetched: Fetched) -> dict[str, Any]:
    names = ("sha256", "size_bytes", "source_host", "source_date", "fetched_at")
    media = {"extension": fetched.format.extension, "mime_type": fetched.format.mime_type}
    return {name: getattr(fetched, name) for name in names} | media


def _to_work(row: Row[Any]) -> Work:
    fetched = None
    if row.staged:
        media = MediaFormat(row.extension, row.mime_type)
        names = ("sha256", "size_bytes", "wire_bytes", "requests", "source_host", "source_date", "fetched_at")
        fetched = Fetched(format=media, **{name: getattr(row, name) for name in names})
    return Work(
        row.id,
        row.run_id,
        part_of(row),
        row.interaction_date,
        row.expected_sha256,
        fetched,
        row.listing or {},
        row.batch,
        row.carried_over,
    )
