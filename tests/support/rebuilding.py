"""Catalogs lost and rebuilt, and their rows to compare."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select, update

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import (
    recordings,
)
from recording_archive.model import PartId
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.settings import Settings

NIGHT = datetime(2026, 11, 21, 1, tzinfo=UTC)


def dump(catalog: Catalog, table: Table, *without: str) -> list[dict[str, Any]]:
    """All rows of a table as dictionaries, in an order of their own."""
    with catalog.read() as connection:
        found = [dict(row) for row in connection.execute(select(table)).mappings()]
    kept = [{name: value for name, value in row.items() if name not in without} for row in found]
    return sorted(kept, key=str)


def at(archive: Archive, moment: datetime) -> Archive:
    """The archive with a clock that stands still, so that every time of a run is the same."""
    return replace(archive, clock=lambda: moment)


def lose_catalog(settings: Settings) -> None:
    """Remove the catalog."""
    for path in settings.root.parent.glob("catalog.db*"):
        path.unlink()


def rebuild(settings: Settings) -> Counter[tuple[str, str]]:
    """Rebuild the catalog; count the results by kind."""
    return Counter((found.what, found.result.value) for found in reindex(settings))


def bad(settings: Settings) -> list[Indexed]:
    """Rebuild the catalog; list what was bad."""
    return [found for found in reindex(settings) if found.result is IndexResult.BAD]


def some_sidecar(archive: Archive) -> Path:
    """The file of one sidecar."""
    key = next(key for key in archive.store.list("recordings/") if key.endswith(".json"))
    return archive.settings.root / key


def first_part(archive: Archive) -> PartId:
    """The first archived part."""
    with archive.catalog.read() as connection:
        stored = select(recordings).where(recordings.c.key.is_not(None)).order_by(recordings.c.interaction_id)
        return PartId(*tuple(connection.execute(stored.limit(1)).one())[:3])


def change_with_event(
    archive: Archive, kind: str, part: PartId, detail: dict[str, Any] | None = None, **columns: Any
) -> None:
    """Change a recording with its event, as dispositions do."""
    same = [recordings.c[name] == value for name, value in part._asdict().items()]
    with archive.catalog.write() as connection:
        connection.execute(update(recordings).where(*same).values(**columns))
        record(connection, kind, part, at=archive.clock(), actor="ann", detail=detail)


def record_one(archive: Archive, actor: str) -> None:
    """Record one event."""
    with archive.catalog.write() as connection:
        record(connection, "played", PartId("call", "call"), at=archive.clock(), actor=actor)


def rebuilt(archive: Archive) -> tuple[Archive, list[Indexed]]:
    """The archive with a new catalog made from its files, and what was bad among them."""
    archive.catalog.close()
    for path in archive.settings.root.parent.glob("catalog.db*"):
        path.unlink()
    bad = [each for each in reindex(archive.settings) if each.result is IndexResult.BAD]
    return open_archive(archive.settings), bad
