"""Rebuild the catalog from what must outlive it: ledger for events, sidecars for recordings, reports for runs.

It may be run on a filled catalog too, and again after it was stopped: it adds what is missing, and names what differs
without changing it. The catalog is bound to the archive last, so no run works with one that is half rebuilt. A document
that a crash left without its event gets one.

Not rebuilt, because only the catalog had it: the work of each archiving run part by part (reports still tell), plans
that were not carried out, events that were not sealed, and the attributes of recordings that never were archived.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import NO_FAILURE, chunked, is_part
from recording_archive.catalog.tables import events, recordings
from recording_archive.errors import ArchiveError, PermanentError, RunError, StoreError
from recording_archive.fixity.examine import differing
from recording_archive.model import STORED, Attributes, PartId, SourceChecksum, State, is_safe_id
from recording_archive.recovery.from_events import Life, lives, restore_acknowledgements, restore_events
from recording_archive.recovery.from_holds import reindex_holds
from recording_archive.recovery.from_reports import index_reports
from recording_archive.recovery.from_tombstones import reindex_tombstones
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.settings import Settings
from recording_archive.store import sidecar
from recording_archive.store.base import IDENTITY_KEY, Store
from recording_archive.store.locate import store_at

__all__ = ["Indexed", "reindex"]


def reindex(settings: Settings) -> Iterator[Indexed]:
    """Bring the catalog to what the archive tells, one thing at a time; it is done when the iterator ends.

    Raises StoreError when the root is no archive or the catalog indexes another one.
    """
    store, catalog = store_at(settings), Catalog(settings.catalog)
    archive_id, in_catalog = store.required_identity(), catalog.archive_id()
    if in_catalog not in (None, archive_id):
        raise StoreError(
            f"The root {store} holds archive {archive_id}, the catalog indexes {in_catalog}: set "
            "RECORDING_ARCHIVE_CATALOG_URL to this archive's catalog, or to a new one to rebuild it there"
        )
    yield from restore_events(store, catalog, archive_id)
    yield from _index_recordings(store, catalog, archive_id)
    yield from reindex_tombstones(store, catalog)
    yield from index_reports(store, catalog)
    yield from (Indexed("acknowledged", str(part), IndexResult.ADDED) for part in restore_acknowledgements(catalog))
    yield from reindex_holds(store, catalog)
    catalog.bind(archive_id, _created(store))
    catalog.close()


def _index_recordings(store: Store, catalog: Catalog, archive_id: str) -> Iterator[Indexed]:
    keys = (key for key in store.list("recordings/") if key.endswith(".json"))
    for page in chunked(keys):
        told: dict[str, dict[str, Any]] = {}
        for key in page:
            try:
                told[key] = _read_sidecar(store, key, archive_id)
            except RunError:
                raise
            except ArchiveError as error:
                yield Indexed("recordings", key, IndexResult.BAD, str(error))
        with catalog.write() as connection:
            indexed = list(_enter_page(connection, told))
        yield from indexed


def _read_sidecar(store: Store, key: str, archive_id: str) -> dict[str, Any]:
    """The row a sidecar tells; raise PermanentError when it is damaged, misplaced, or of another archive."""
    content = store.read(key)
    row = sidecar.to_recording(content, key)
    if flaws := sorted(name for name, value in row.items() if not _is_sound(name, value)):
        raise PermanentError(
            f"The sidecar {key} is damaged ({', '.join(flaws)}): restore it from a copy of the archive"
        )
    if sidecar.beside(row["key"]) != key or not key.endswith(f"/{_part_of(row)}.json"):
        raise PermanentError(f"The sidecar {key} tells of {row['key']}: it was moved or renamed; put it back")
    if (other := json.loads(content).get("archiveId")) != archive_id:
        raise PermanentError(f"The sidecar {key} belongs to archive {other}: find out who put it into this one")
    return row | {"verified_ok": store.size(row["key"]) == row["stored_bytes"]}


def _is_sound(name: str, value: Any) -> bool:
    """Whether a value may become the catalog's: of its column's type, and safe where keys are made of it."""
    kind = recordings.c[name].type.python_type
    if value is None:
        return name in _OPTIONAL
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        return False
    if isinstance(value, int):
        return 0 <= value < (2**31 if name == "part" else 2**63)
    if isinstance(value, datetime):
        return value.tzinfo is not None
    return "\0" not in value and _SHAPES.get(name, _any)(value)


def _any(_: str) -> bool:
    return True


def _is_hash(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


_RESTORE = "restore it from a copy of the archive"
_LIVING: dict[str, Any] = {"quarantined_at": None, "deletion": None}  # the columns of `Life` that no sidecar has
_OPTIONAL = frozenset(Attributes.__dataclass_fields__) | {"interaction_date"}
_SHAPES: Mapping[str, Callable[[str], bool]] = {
    "interaction_id": is_safe_id,
    "recording_id": is_safe_id,
    "sha256": _is_hash,
    "stored_sha256": _is_hash,
    "source_checksum": set(SourceChecksum).__contains__,
}


def _enter_page(connection: Connection, told: Mapping[str, dict[str, Any]]) -> Iterator[Indexed]:
    """Make the rows of archived parts as their events left them, and compare those that are there."""
    # By the first column alone: SQLite searches no index for a list of whole keys.
    present = select(recordings).where(
        recordings.c.interaction_id.in_({row["interaction_id"] for row in told.values()})
    )
    known = {PartId(*tuple(row)[:3]): row._asdict() for row in connection.execute(present)}
    for key, row in told.items():
        on_its_way = known.get(_part_of(row), {}).get("deleting_at")  # the next run of enforce_retention finishes that
        if not row["verified_ok"] and on_its_way is None:
            yield Indexed("recordings", key, IndexResult.BAD, f"its object {row['key']} is missing or has another size")
    life_of = lives(connection, [_part_of(row) for row in told.values()])
    new: list[dict[str, Any]] = []
    told_of: list[dict[str, Any]] = []
    for key, row in told.items():
        part = _part_of(row)
        life = life_of[part]
        if part in known and known[part]["state"] != State.DISCOVERED:
            yield _compare(connection, key, row, known[part], life)
            continue
        if life.sidecar_sha256 not in (None, row["sidecar_sha256"]):
            problem = f"its SHA-256 is {row['sidecar_sha256']}, the ledger has {life.sidecar_sha256}: {_RESTORE}"
            yield Indexed("recordings", key, IndexResult.BAD, problem)
            continue
        full = _LIVING | row | life.columns
        full["verified_ok"] = full["verified_ok"] and row["verified_ok"]
        if part in known:
            connection.execute(update(recordings).where(is_part(recordings, part)).values(**full, **NO_FAILURE))
        else:
            new.append(full)
        known[part] = full
        told_of += [] if life.archived else [_archived_event(part, row)]
        yield Indexed("recordings", key, IndexResult.ADDED)
    for table, rows in ((recordings, new), (events, told_of)):
        if rows:
            connection.execute(insert(table), rows)


def _compare(connection: Connection, key: str, row: Mapping[str, Any], known: Mapping[str, Any], life: Life) -> Indexed:
    """Name what differs between sidecar and catalog; what the events of other segments changed since is made good."""
    part = _part_of(row)
    if known["state"] in STORED and known["deleting_at"] is None:
        told = life.columns if row["verified_ok"] else {**life.columns, "verified_ok": False}  # its object is not whole
        behind = {name: value for name, value in told.items() if known[name] != value}
        if behind:
            connection.execute(update(recordings).where(is_part(recordings, part)).values(**behind))
    names = differing(known, row)
    problem = f"the catalog has another {', '.join(names)}; it was left as it is" if names else None
    return Indexed("recordings", key, IndexResult.BAD if problem else IndexResult.KNOWN, problem)


def _archived_event(part: PartId, row: Mapping[str, Any]) -> dict[str, Any]:
    detail = {name: row[name] for name in ("key", "sha256", "stored_sha256", "sidecar_sha256")}
    when = {"at": row["archived_at"], "kind": "archived", "run_id": row["archived_by"]}
    return when | {"detail": detail} | part._asdict()


def _part_of(row: Mapping[str, Any]) -> PartId:
    return PartId(row["interaction_id"], row["recording_id"], row["part"])


def _created(store: Store) -> datetime:
    return datetime.fromisoformat(json.loads(store.read(IDENTITY_KEY))["created"])
