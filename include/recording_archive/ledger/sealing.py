"""Sealing: unsealed events become the next segment of the ledger, by conditional create, then the catalog notes it.

`chain` has the form of a segment, `segments` what the catalog knows of them, `proof` checks them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, fixity_runs, plans, runs
from recording_archive.errors import ArchiveError, StoreError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.segments import catch_up, mark_sealed, note_segment, to_document
from recording_archive.ledger.signatures import sign_heads

log = logging.getLogger(__name__)

SEGMENT_EVENTS = 500
_LONGEST_RUN = timedelta(days=7)  # what is open for longer was given up, and its documents are not waited for


def seal(archive: Archive, *, most: int = SEGMENT_EVENTS) -> Head | None:
    """Seal every unsealed event, at most ``most`` a segment, and sign; return the ledger's head, None without events.

    May be run at any time and by several at once. Raises StoreError or TransientError when root or catalog fail; what
    was not sealed is sealed the next time.
    """
    head = _seal(archive, most)
    if head:
        sign_heads(archive)
    return head


def _seal(archive: Archive, most: int) -> Head | None:
    lost = 0
    while True:
        head = catch_up(archive)
        number = head.segment + 1 if head else 1
        if number == lost:
            raise StoreError(f"{chain.segment_key(number)} in {archive.store} is not a file: find out who put it there")
        at = archive.clock()
        complete = _complete_until(archive, at)
        rows = _unsealed(archive, most)
        if not rows:
            return head
        if len(rows) == most:  # the next segment may hold what happened at the same time
            complete = min(complete, rows[0].at)
        header = _header(archive, number, len(rows), at, complete)
        lines = list(chain.segment_lines(header, map(to_document, rows), head.sha256 if head else chain.START))
        if archive.store.put(chain.segment_key(number), b"".join(lines)):
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


def _unsealed(archive: Archive, most: int) -> Sequence[Row[Any]]:
    query = select(events).where(events.c.segment.is_(None)).order_by(events.c.id).limit(most)
    with archive.catalog.read() as connection:
        return connection.execute(query).all()


def _complete_until(archive: Archive, at: datetime) -> datetime:
    """Find the time before which every document has its event; a run at work publishes first and records it then."""
    moments = [at]
    with archive.catalog.read() as connection:
        for table in (runs, plans, fixity_runs):
            at_work = (table.c.closed_at.is_(None), table.c.started_at > at - _LONGEST_RUN)
            begun = connection.execute(select(func.min(table.c.started_at)).where(*at_work)).scalar()
            moments += [begun] if begun else []
    return min(moments)


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
        mark_sealed(connection, head.segment, (row.id for row in rows))
        note_segment(connection, head, count=len(rows), at=at)
    log.info("sealed %d events: ledger head %s", len(rows), head)
