"""The ledger's segments as the catalog knows them: note a sealed one, and take up those that only the archive has.

A crash between archive and catalog leaves a segment that the catalog does not know; so does another process at this
moment. It is noted before anything is sealed after it, so that no event is sealed twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.rows import chunked, insert_missing
from recording_archive.catalog.tables import events, segments
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head

log = logging.getLogger(__name__)

_PAGE = 1000


def unknown_segments(archive: Archive) -> list[int]:
    """List segments in the archive that the catalog does not know: it is older than the archive, and needs a reindex.

    Segments that hold nothing but events of this catalog, as a crash may leave them, are noted on the way.
    """
    catch_up(archive)
    unknown = []
    for page in chunked(chain.segment_numbers(archive.store)):
        with archive.catalog.read() as connection:
            known = set(connection.execute(select(segments.c.number).where(segments.c.number.in_(page))).scalars())
        unknown += [number for number in page if number not in known]
    return unknown


def lost_segments(archive: Archive) -> Iterator[tuple[str, str]]:
    """Yield segments that the catalog knows and the archive does not have, or not so, by key and with the problem.

    So the end of a ledger is missed when it was cut off, which the ledger alone cannot show. Each is read through.
    """
    for number, digest in _known_segments(archive):
        key = chain.segment_key(number)
        if archive.store.size(key) is None:
            yield key, "missing, and the catalog knows it: it was cut off; restore it from a copy of the archive"
        elif problem := _difference(archive, number, digest):
            yield key, problem


def _difference(archive: Archive, number: int, digest: str) -> str | None:
    """Say how a segment differs from itself, or from what the catalog knows of it."""
    found = ""
    for line in chain.read_segment(archive.store, number, archive_id=archive.id):
        if line.flaw:
            return f"line {line.number} {line.flaw}"
        found = line.sha256
    if found != digest:
        return f"ends with {found}, and the catalog has {digest}: it was changed, or the ledger was rewritten"
    return None


def _known_segments(archive: Archive) -> Iterator[tuple[int, str]]:
    query = select(segments.c.number, segments.c.sha256).order_by(segments.c.number).limit(_PAGE)
    last = 0
    while True:
        with archive.catalog.read() as connection:
            page = connection.execute(query.where(segments.c.number > last)).all()
        if not page:
            return
        yield from ((row.number, row.sha256) for row in page)
        last = page[-1].number


def catch_up(archive: Archive) -> Head | None:
    """Take up segments newer than the newest one in the catalog; return the newest head of archive and catalog.

    The catalog is believed for what it knows: a newest segment that was removed or changed leaves its mark.
    """
    with archive.catalog.read() as connection:
        known = connection.execute(select(segments).order_by(segments.c.number.desc()).limit(1)).one_or_none()
    head = Head(known.number, known.sha256) if known else None
    for number in chain.segment_numbers(archive.store):
        if head is None or number > head.segment:
            head = _take_up(archive, number, head)
    return head


def note_segment(connection: Connection, head: Head, *, count: int, at: datetime) -> None:
    """Enter a segment into the catalog; another process may have been faster."""
    row = {"number": head.segment, "sha256": head.sha256, "events": count, "sealed_at": at}
    insert_missing(connection, segments, [row])


def mark_sealed(connection: Connection, number: int, ids: Iterable[int]) -> None:
    """Note on events, by row id, the segment that holds them."""
    for chunk in chunked(ids):
        connection.execute(update(events).where(events.c.id.in_(chunk)).values(segment=number))


def to_document(row: Row[Any]) -> dict[str, Any]:
    """Turn a row of `events` into its line of the ledger, without the hash of the line before it."""
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


def _take_up(archive: Archive, number: int, before: Head | None) -> Head:
    """Mark the events that a segment holds as they are here; note it when it is whole and holds no others."""
    previous = before.sha256 if before else chain.START
    header: Mapping[str, Any] | None = None
    lines = chain.read_segment(archive.store, number, archive_id=archive.id, previous=previous)
    flawed, ours, digest = False, 0, previous
    with archive.catalog.write() as connection:
        for page in chunked(lines):
            header = header or page[0].document
            flawed |= any(line.flaw for line in page)
            ids = _known(connection, number, [line.document for line in page if line.is_event])
            mark_sealed(connection, number, ids)
            ours, digest = ours + len(ids), page[-1].sha256
        head = Head(number, digest)
        if not flawed and header and ours == header["events"]:
            note_segment(connection, head, count=ours, at=datetime.fromisoformat(header["sealedAt"]))
            log.info("noted segment %d of the ledger, which was sealed but not noted", number)
        else:
            log.error("segment %d of the ledger is not this catalog's: run `recording-archive reindex`", number)
    return head


def _known(connection: Connection, number: int, documents: Sequence[Mapping[str, Any]]) -> list[int]:
    """Find the events that are in the catalog exactly as the lines have them, and not sealed elsewhere; by row id."""
    by_uid = {document["uid"]: document for document in documents}
    free = or_(events.c.segment.is_(None), events.c.segment == number)
    rows = connection.execute(select(events).where(events.c.uid.in_(by_uid), free)).all()
    return [row.id for row in rows if {**to_document(row), "previous": by_uid[row.uid]["previous"]} == by_uid[row.uid]]
