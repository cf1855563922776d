"""What only the ledger still knows of a lost catalog: its events, and what they changed that no document tells.

Events come first, segment by segment, each whole or not at all. Then the state of a part follows from its events in
the order of the ledger, those that were never sealed last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import chunked, pages, part_of
from recording_archive.catalog.tables import events, recordings, segments
from recording_archive.errors import ArchiveError, PermanentError, RunError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.segments import note_segment
from recording_archive.model import PartId, State
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.store.base import Store

_ORDER = (events.c.segment.nulls_last(), events.c.id)
_TELLING = ("archived", "repaired", "verified", "quarantined", "restored")


@dataclass(slots=True)
class Life:
    """What the events of a part tell: columns of `recordings`, whether it was archived, its sidecar's SHA-256."""

    columns: dict[str, Any] = field(default_factory=dict)
    archived: bool = False
    sidecar_sha256: str | None = None


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


def lives(connection: Connection, parts: Collection[PartId]) -> dict[PartId, Life]:
    """What events tell of each of the parts; one of which they tell nothing has an empty life."""
    found = {part: Life() for part in parts}
    wanted = (events.c.interaction_id.in_({part.interaction_id for part in parts}), events.c.kind.in_(_TELLING))
    for row in connection.execute(select(events).where(*wanted).order_by(*_ORDER)):
        life = found.get(part_of(row))
        if life is not None:
            _follow(life, row.kind, row.at, row.detail or {})
    return found


def restore_acknowledgements(catalog: Catalog) -> Iterator[PartId]:
    """Mark the failures that a person accepted and that did not fail again since; yield their parts."""
    for page in pages(catalog, select(events).where(events.c.kind == "acknowledged"), events.c.id):
        with catalog.write() as connection:
            parts = {part_of(row) for row in page}
            changed = [part for part in parts if _acknowledge(connection, part)]
        yield from changed


def is_told(connection: Connection, kind: str, part: PartId, run_id: str, until: datetime) -> bool:
    """Whether an event of that kind tells of the part, written by the run until then."""
    same = (events.c[name] == value for name, value in part._asdict().items())
    told = (events.c.kind == kind, events.c.run_id == run_id, events.c.at <= until)
    return connection.execute(select(events.c.id).where(*same, *told).limit(1)).first() is not None


def told_files(catalog: Catalog, kind: str) -> dict[str, str]:
    """Hashes by key of the documents that events of that kind, which are not about recordings, vouch for."""
    wanted = (events.c.interaction_id.is_(None), events.c.kind == kind)  # the first has an index
    told: dict[str, str] = {}
    with catalog.read() as connection:
        for detail in connection.execute(select(events.c.detail).where(*wanted).order_by(*_ORDER)).scalars():
            told |= (detail or {}).get("files", {})
    return told


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
        _enter_events(connection, number, [line.document for line in page if line.number > 1])
    head, at = Head(number, digest), datetime.fromisoformat(header["sealedAt"])
    note_segment(connection, head, count=header["events"], at=at)
    return head


def _enter_events(connection: Connection, number: int, told: Iterable[Mapping[str, Any]]) -> None:
    """Insert events that are new, and note of the others where they are sealed."""
    rows = {document["uid"]: _to_row(document, number) for document in told}
    same = and_(events.c.uid.in_(rows), or_(events.c.segment.is_(None), events.c.segment == number))
    known = set(connection.execute(select(events.c.uid).where(same)).scalars())
    connection.execute(update(events).where(same).values(segment=number))
    if new := [row for uid, row in rows.items() if uid not in known]:
        connection.execute(insert(events), new)


def _to_row(told: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {
        "uid": told["uid"],
        "at": datetime.fromisoformat(told["at"]),
        "kind": told["kind"],
        "interaction_id": told["interactionId"],
        "recording_id": told["recordingId"],
        "part": told["part"],
        "run_id": told["runId"],
        "actor": told["actor"],
        "detail": told["detail"],
        "segment": number,
    }


def _follow(life: Life, kind: str, at: datetime, detail: Mapping[str, Any]) -> None:
    """Take one event into account."""
    match kind:
        case "archived" | "repaired":
            life.archived = True
            life.sidecar_sha256 = detail.get("sidecar_sha256") or _sidecar_in(detail) or life.sidecar_sha256
        case "verified":
            life.columns |= {"verified_at": at, "verified_ok": bool(detail.get("ok"))}
        case "quarantined":
            life.columns |= {"state": State.QUARANTINED, "quarantined_at": at, "deletion": None}
        case "restored":
            until = {"restoredUntil": detail["restoredUntil"]} if "restoredUntil" in detail else None
            life.columns |= {"state": State.ARCHIVED, "quarantined_at": None, "deletion": until}


def _sidecar_in(detail: Mapping[str, Any]) -> str | None:
    """The hash of a sidecar among the files that an event tells of."""
    files = detail.get("files") or {}
    return next(
        (digest for key, digest in files.items() if key.startswith("recordings/") and key.endswith(".json")), None
    )


def _acknowledge(connection: Connection, part: PartId) -> bool:
    """Mark a failed part, when its newest word is that someone accepted the failure."""
    same = [events.c[name] == value for name, value in part._asdict().items()]
    newest = (
        select(events.c.kind, events.c.at)
        .where(*same, events.c.kind.in_(("acknowledged", "failed")))
        .order_by(*(column.desc() for column in (events.c.segment.is_(None), events.c.segment, events.c.id)))
        .limit(1)
    )
    word = connection.execute(newest).one()
    if word.kind != "acknowledged":
        return False
    row = [recordings.c[name] == value for name, value in part._asdict().items()]
    open_one = (recordings.c.state == State.DISCOVERED, recordings.c.failed_since.is_not(None))
    changes = update(recordings).where(*row, *open_one, recordings.c.acknowledged_at.is_(None))
    return bool(connection.execute(changes.values(acknowledged_at=word.at)).rowcount)
