"""The ledger: events sealed into the archive as a hash chain, for anyone to check who holds a head of it.

Unsealed events become the next segment by conditional create, then the catalog notes it, in one transaction. What a
crash between the two left behind, or another process has put there at this moment, is noted before anything is sealed
after it; so no event is sealed twice. `chain` has the form of a segment, `ledger_proof` checks it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.rows import chunked, insert_missing
from recording_archive.catalog.tables import events, fixity_runs, plans, runs, segments
from recording_archive.errors import ArchiveError, StoreError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.store.base import Store

__all__ = [
    "SEGMENT_EVENTS",
    "Head",
    "newest",
    "note_segment",
    "seal",
    "seal_for_report",
    "to_document",
    "unknown_segments",
]

log = logging.getLogger(__name__)

SEGMENT_EVENTS = 500
_CHUNK = 500
_LONGEST_RUN = timedelta(days=7)  # what is open for longer was given up, and its documents are not waited for


def seal(archive: Archive, *, most: int = SEGMENT_EVENTS) -> Head | None:
    """Seal every unsealed event, at most ``most`` a segment; return the ledger's head, None when there is no event.

    May be run at any time and by several at once. Raises StoreError or TransientError when root or catalog fail; what
    was not sealed is sealed the next time.
    """
    lost = 0
    while True:
        head = _catch_up(archive)
        number = head.segment + 1 if head else 1
        if number == lost:
            raise StoreError(f"{chain.key_of(number)} in {archive.store} is no file: find out who put it there")
        at = archive.clock()
        complete = _complete_until(archive, at)
        rows = _unsealed(archive, most)
        if not rows:
            return head
        if len(rows) == most:  # the next segment may hold what happened at the same time
            complete = min(complete, rows[0].at)
        header = _header(archive, number, len(rows), at, complete)
        lines = list(chain.chained(head.sha256 if head else chain.START, [header, *map(to_document, rows)]))
        if archive.store.put(chain.key_of(number), b"".join(lines)):
            _note(archive, Head(number, sha256(lines[-1]).hexdigest()), rows, at)
        else:
            lost = number


def seal_for_report(archive: Archive) -> str | None:
    """Seal the ledger and return its head; a report is not lost because that fails: None, and the log says why."""
    try:
        head = seal(archive)
    except ArchiveError:
        log.exception("The ledger could not be sealed; the next run tries again")
        return None
    return str(head) if head else None


def newest(store: Store) -> Head | None:
    """The head of the ledger as it lies in the archive, read from its newest segment alone."""
    last = deque(chain.numbers(store), maxlen=1)
    return Head(last[0], _last_line(store, last[0])) if last else None


def unknown_segments(archive: Archive) -> list[int]:
    """Segments in the archive that the catalog does not know: it is older than the archive, and wants a reindex.

    Those with nothing but events of this catalog, which a crash may leave, are noted on the way.
    """
    _catch_up(archive)
    unknown, rest = [], chain.numbers(archive.store)
    for page in chunked(rest, _CHUNK):
        with archive.catalog.read() as connection:
            known = set(connection.execute(select(segments.c.number).where(segments.c.number.in_(page))).scalars())
        unknown += [number for number in page if number not in known]
    return unknown


def to_document(row: Row[Any]) -> dict[str, Any]:
    """An event as its line tells it, but for the hash of the line before."""
    return {
        "uid": row.uid,
        "at": row.at.isoformat(),
        "kind": row.kind,
        "interactionId": row.interaction_id,
        "recordingId": row.recording_id,
        "part": row.part,
        "runId": row.run_id,
        "actor": row.actor,
        "detail": row.detail or {},
    }


def note_segment(connection: Connection, head: Head, *, count: int, at: datetime) -> None:
    """Enter a segment into the catalog; another process may have been faster."""
    row = {"number": head.segment, "sha256": head.sha256, "events": count, "sealed_at": at}
    insert_missing(connection, segments, [row])


def _catch_up(archive: Archive) -> Head | None:
    """The newest head of archive and catalog, after segments that are newer than the catalog's newest were taken up.

    The catalog's word goes for what it knows: a newest segment that was removed or changed leaves its mark.
    """
    with archive.catalog.read() as connection:
        known = connection.execute(select(segments).order_by(segments.c.number.desc()).limit(1)).one_or_none()
    head = Head(known.number, known.sha256) if known else None
    for number in chain.numbers(archive.store):
        if head is None or number > head.segment:
            head = _take_up(archive, number, head)
    return head


def _take_up(archive: Archive, number: int, before: Head | None) -> Head:
    """Mark the events that a segment holds as they are here; note it when it is whole and holds no others."""
    previous = before.sha256 if before else chain.START
    header: Mapping[str, Any] | None = None
    lines = chain.read(archive.store, number, archive_id=archive.id, previous=previous)
    flawed, ours, digest = False, 0, previous
    with archive.catalog.write() as connection:
        for page in chunked(lines, _CHUNK):
            header = header or page[0].told
            told = [line.told for line in page if line.told and line.number > 1]
            flawed |= any(line.flaw for line in page)
            ids = _known(connection, number, told)
            _mark(connection, number, ids)
            ours, digest = ours + len(ids), page[-1].sha256
        head = Head(number, digest)
        if not flawed and header and ours == header["events"]:
            note_segment(connection, head, count=ours, at=datetime.fromisoformat(header["sealedAt"]))
            log.info("noted segment %d of the ledger, which was sealed but not noted", number)
        else:
            log.error("segment %d of the ledger is not this catalog's: run `recording-archive reindex`", number)
    return head


def _known(connection: Connection, number: int, told: Sequence[Mapping[str, Any]]) -> list[int]:
    """Row ids of the events that were not sealed elsewhere and are here exactly as ``told``."""
    by_uid = {document["uid"]: document for document in told}
    free = or_(events.c.segment.is_(None), events.c.segment == number)
    rows = connection.execute(select(events).where(events.c.uid.in_(by_uid), free)).all()
    return [row.id for row in rows if {**to_document(row), "previous": by_uid[row.uid]["previous"]} == by_uid[row.uid]]


def _mark(connection: Connection, number: int, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        connection.execute(update(events).where(events.c.id.in_(chunk)).values(segment=number))


def _unsealed(archive: Archive, most: int) -> Sequence[Row[Any]]:
    with archive.catalog.read() as connection:
        return connection.execute(
            select(events).where(events.c.segment.is_(None)).order_by(events.c.id).limit(most)
        ).all()


def _complete_until(archive: Archive, at: datetime) -> datetime:
    """Documents older than this have their events by now; a run at work publishes first and tells of it then."""
    with archive.catalog.read() as connection:
        begun: list[datetime | None] = [
            connection.execute(
                select(func.min(table.c.started_at)).where(
                    table.c.closed_at.is_(None), table.c.started_at > at - _LONGEST_RUN
                )
            ).scalar()
            for table in (runs, plans, fixity_runs)
        ]
    return min([at, *(moment for moment in begun if moment)])


def _header(archive: Archive, number: int, count: int, at: datetime, complete: datetime) -> dict[str, Any]:
    return {
        "formatVersion": chain.FORMAT_VERSION,
        "archiveId": archive.id,
        "segment": number,
        "events": count,
        "sealedAt": at.isoformat(),
        "completeUntil": complete.isoformat(),
    }


def _note(archive: Archive, head: Head, rows: Sequence[Row[Any]], at: datetime) -> None:
    with archive.catalog.write() as connection:
        _mark(connection, head.segment, [row.id for row in rows])
        note_segment(connection, head, count=len(rows), at=at)
    log.info("sealed %d events: ledger head %s", len(rows), head)


def _last_line(store: Store, number: int) -> str:
    line = b""
    with store.open(chain.key_of(number)) as file:
        for line in file:  # noqa: B007 - the last one stays
            pass
    return sha256(line).hexdigest()
