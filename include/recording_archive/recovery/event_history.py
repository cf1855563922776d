"""Changes that only events record: read from the catalog's events, in the order of the ledger, unsealed ones last.

The state of a part follows from them once `from_events` brought them back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import is_part, pages, part_of
from recording_archive.catalog.tables import events, recordings
from recording_archive.model import PartId, State

_ORDER = (events.c.segment.nulls_last(), events.c.id)
_CHANGING = ("archived", "repaired", "verified", "quarantined", "restored")


@dataclass(slots=True)
class Life:
    """The state of a part by its events: columns of `recordings`, whether it was archived, its sidecar's SHA-256."""

    columns: dict[str, Any] = field(default_factory=dict)
    archived: bool = False
    sidecar_sha256: str | None = None


def lives(connection: Connection, parts: Collection[PartId]) -> dict[PartId, Life]:
    """Follow the events of each of the parts; a part without events has an empty life."""
    found = {part: Life() for part in parts}
    wanted = (events.c.interaction_id.in_({part.interaction_id for part in parts}), events.c.kind.in_(_CHANGING))
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


def has_event(connection: Connection, kind: str, part: PartId, run_id: str, until: datetime) -> bool:
    """Tell whether the run recorded an event of that kind on the part until then."""
    same = (is_part(events, part), events.c.kind == kind, events.c.run_id == run_id, events.c.at <= until)
    return connection.execute(select(events.c.id).where(*same).limit(1)).first() is not None


def vouched_files(catalog: Catalog, kind: str) -> dict[str, str]:
    """Collect the hashes, by key, of documents that events of that kind vouch for, except events on recordings."""
    wanted = (events.c.interaction_id.is_(None), events.c.kind == kind)  # the first has an index
    files: dict[str, str] = {}
    with catalog.read() as connection:
        for detail in connection.execute(select(events.c.detail).where(*wanted).order_by(*_ORDER)).scalars():
            files |= (detail or {}).get("files", {})
    return files


def _follow(life: Life, kind: str, at: datetime, detail: Mapping[str, Any]) -> None:
    """Apply one event to the life of its part."""
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
    """Find the hash of a sidecar among the files of an event."""
    files = detail.get("files") or {}
    sidecars = (key for key in files if key.startswith("recordings/") and key.endswith(".json"))
    return next((files[key] for key in sidecars), None)


def _acknowledge(connection: Connection, part: PartId) -> bool:
    """Mark a failed part when its newest event says that someone accepted the failure."""
    newest = (
        select(events.c.kind, events.c.at)
        .where(is_part(events, part), events.c.kind.in_(("acknowledged", "failed")))
        .order_by(*(column.desc() for column in (events.c.segment.is_(None), events.c.segment, events.c.id)))
        .limit(1)
    )
    event = connection.execute(newest).one()
    if event.kind != "acknowledged":
        return False
    open_failure = (recordings.c.state == State.DISCOVERED, recordings.c.failed_since.is_not(None))
    changes = update(recordings).where(is_part(recordings, part), *open_failure, recordings.c.acknowledged_at.is_(None))
    return bool(connection.execute(changes.values(acknowledged_at=event.at)).rowcount)
