"""Deleted parts of a lost catalog of which the ledger alone tells: tombstone and certificate are gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import unindex
from recording_archive.catalog.rows import among, pages, part_of
from recording_archive.catalog.tables import events, recordings
from recording_archive.disposition.personal import without_personal_data
from recording_archive.errors import PermanentError
from recording_archive.model import PartId, State
from recording_archive.recovery.from_tombstones import bury
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.retention.rules import Action
from recording_archive.store.base import Store

_GONE = {"purged": (State.PURGED, Action.PURGE), "erased": (State.ERASED, Action.ERASE)}
_ARCHIVED = {"key": "key", "sha256": "sha256", "sidecar_sha256": "sidecar_sha256"}  # of the event, by column


def reindex_deletions(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Make the rows of parts that were purged or erased by the ledger's word alone, so that no run archives them again.

    Each is named, because its documents are gone; so is one whose files lie in the archive, which is left as it is.
    """
    deletions = select(events).where(events.c.kind.in_(tuple(_GONE)))
    for page in pages(catalog, deletions, events.c.id):
        with catalog.write() as connection:
            indexed = list(_enter_page(store, connection, page))
        yield from indexed


def _enter_page(store: Store, connection: Connection, page: Sequence[Row[Any]]) -> Iterator[Indexed]:
    parts = {part_of(event): event for event in page}
    rows = {part_of(row): row for row in connection.execute(select(recordings).where(among(recordings, parts)))}
    for part, event in parts.items():
        row = rows.get(part)
        if row is not None and (row.deleting_at or row.certificate):
            continue
        try:
            erased = without_personal_data(row) if row is not None and event.kind == "erased" else {}
            if row is not None and erased:
                unindex(connection, [row])
            bury(connection, store, row, _columns(connection, part, event) | erased, source="The ledger")
            problem = "its tombstone and certificate are gone: it counts as deleted; restore them from a copy"
        except PermanentError as error:
            problem = str(error)
        yield Indexed("deletions", str(part), IndexResult.BAD, problem)


def _columns(connection: Connection, part: PartId, event: Row[Any]) -> dict[str, Any]:
    """Make the columns of a deleted part from its events."""
    (state, action), detail = _GONE[event.kind], event.detail
    facts = {name: detail.get(name) for name in ("plan", "policy", "rule", "storedSha256")}
    archived = _archived(connection, part)
    return {
        **part._asdict(),
        **{column: archived.get(name) for column, name in _ARCHIVED.items()},
        "stored_sha256": detail.get("storedSha256"),
        "state": state,
        "certificate": detail["certificate"],
        "deleting_at": None,
        "deletion": {"action": str(action), "run": event.run_id, "by": event.actor, **facts},
    }


def _archived(connection: Connection, part: PartId) -> Mapping[str, Any]:
    """Read what the ledger has of the archiving of a part; nothing of one that never was archived."""
    mine = among(events, [part])
    archived = select(events.c.detail).where(mine, events.c.kind == "archived").order_by(events.c.id.desc()).limit(1)
    return connection.execute(archived).scalar() or {}
