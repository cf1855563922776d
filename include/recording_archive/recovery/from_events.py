"""Events of a lost catalog, from the ledger: segment by segment, each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import chunked
from recording_archive.catalog.tables import events, segments
from recording_archive.errors import ArchiveError, PermanentError, RunError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.segments import note_segment
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.store.base import Store


def restore_events(store: Store, catalog: Catalog, archive_id: str) -> Iterator[Indexed]:
    """Enter the events of every segment that the catalog does not know; a damaged or missing one is bad."""
    before: Head | None = Head(0, chain.START)
    number = 0
    for number in chain.segment_numbers(store):
        if before and number != before.segment + 1:
            yield _missing(before.segment + 1)
            before = None
        known = _known(catalog, number)
        if known:
            before = known
            yield Indexed("ledger", chain.segment_key(number), IndexResult.KNOWN)
            continue
        try:
            with catalog.write() as connection:
                before = _enter(connection, store, number, archive_id, before)
        except RunError:
            raise
        except (ArchiveError, ValueError) as error:  # ValueError: text that no database takes
            before = None
            yield Indexed("ledger", chain.segment_key(number), IndexResult.BAD, str(error))
        else:
            yield Indexed("ledger", chain.segment_key(number), IndexResult.ADDED)
    with catalog.read() as connection:
        newest = connection.execute(select(func.max(segments.c.number))).scalar() or 0
    if newest > number:
        yield _missing(number + 1)


def _missing(number: int) -> Indexed:
    return Indexed(
        "ledger", chain.segment_key(number), IndexResult.BAD, "missing: restore it from a copy of the archive"
    )


def _known(catalog: Catalog, number: int) -> Head | None:
    with catalog.read() as connection:
        row = connection.execute(select(segments).where(segments.c.number == number)).one_or_none()
    return Head(number, row.sha256) if row else None


def _enter(connection: Connection, store: Store, number: int, archive_id: str, before: Head | None) -> Head:
    """Enter the events of one segment, but for those that the catalog has; raise PermanentError when it is damaged."""
    lines = chain.read_segment(store, number, archive_id=archive_id, previous=before.sha256 if before else None)
    header: Mapping[str, Any] = {}
    digest = ""
    for page in chunked(lines):
        for line in page:
            if line.flaw:
                raise PermanentError(f"line {line.number} {line.flaw}: restore the segment from a copy of the archive")
        header, digest = header or page[0].document, page[-1].sha256
        _enter_events(connection, number, [line.document for line in page if line.is_event])
    head, at = Head(number, digest), datetime.fromisoformat(header["sealedAt"])
    note_segment(connection, head, count=header["events"], at=at)
    return head


def _enter_events(connection: Connection, number: int, documents: Iterable[Mapping[str, Any]]) -> None:
    """Insert events that are new, and note on the others the segment that holds them."""
    rows = {document["uid"]: _to_row(document, number) for document in documents}
    same = and_(events.c.uid.in_(rows), or_(events.c.segment.is_(None), events.c.segment == number))
    known = set(connection.execute(select(events.c.uid).where(same)).scalars())
    connection.execute(update(events).where(same).values(segment=number))
    if new := [row for uid, row in rows.items() if uid not in known]:
        connection.execute(insert(events), new)


def _to_row(document: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {
        "uid": document["uid"],
        "at": datetime.fromisoformat(document["at"]),
        "kind": document["kind"],
        "interaction_id": document["interactionId"],
        "recording_id": document["recordingId"],
        "part": document["part"],
        "run_id": document["runId"],
        "actor": document["actor"],
        "detail": document["detail"],
        "segment": number,
    }
