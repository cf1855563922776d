"""Recordings of a lost catalog, from their sidecars, in the state that their events left them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index, reindex
from recording_archive.catalog.rows import NO_FAILURE, among, chunked, is_part, part_of
from recording_archive.catalog.tables import events, recordings
from recording_archive.errors import ArchiveError, PermanentError, RunError
from recording_archive.model import STORED, Attributes, PartId, SourceChecksum, State, is_safe_id
from recording_archive.parties.documents import PARTY_COLUMNS
from recording_archive.recovery.documents import is_hash, part_in
from recording_archive.recovery.event_history import Life, lives
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.store import sidecar
from recording_archive.store.base import Store


def index_recordings(store: Store, catalog: Catalog, archive_id: str, region: str) -> Iterator[Indexed]:
    """Enter every sidecar of the archive; a damaged or changed one is bad, and becomes no row.

    ``region`` reads telephone numbers without a country.
    """
    keys = (key for key in store.list("recordings/") if key.endswith(".json"))
    for page in chunked(keys):
        sidecars: dict[str, dict[str, Any]] = {}
        for key in page:
            try:
                sidecars[key] = _read_sidecar(store, key, archive_id, region)
            except RunError:
                raise
            except ArchiveError as error:
                yield Indexed("recordings", key, IndexResult.BAD, str(error))
        with catalog.write() as connection:
            indexed = list(_enter_page(connection, sidecars))
        yield from indexed


def _read_sidecar(store: Store, key: str, archive_id: str, region: str) -> dict[str, Any]:
    """Read the row of a sidecar; raise PermanentError when it is damaged, misplaced, or of another archive."""
    content = store.read(key)
    row = sidecar.to_recording(content, key, region)
    if flaws := sorted(name for name, value in row.items() if not _is_sound(name, value)):
        raise PermanentError(
            f"The sidecar {key} is damaged ({', '.join(flaws)}): restore it from a copy of the archive"
        )
    if sidecar.beside(row["key"]) != key or not key.endswith(f"/{part_in(row)}.json"):
        raise PermanentError(f"The sidecar {key} tells of {row['key']}: it was moved or renamed; put it back")
    if (other := json.loads(content).get("archiveId")) != archive_id:
        raise PermanentError(f"The sidecar {key} belongs to archive {other}: find out who put it into this one")
    return row | {"verified_ok": store.size(row["key"]) == row["stored_bytes"]}


def _is_sound(name: str, value: Any) -> bool:
    """Tell whether the catalog can take a value: of its column's type, and safe where keys are made of it."""
    if name in PARTY_COLUMNS:  # their form was checked when they were read
        return r"\u0000" not in json.dumps(value)
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


_RESTORE = "restore it from a copy of the archive"
_LIVING: dict[str, Any] = {"quarantined_at": None, "deletion": None}  # the columns of `Life` that no sidecar has
_OPTIONAL = frozenset(Attributes.__dataclass_fields__) | {"interaction_date"}
_SHAPES: Mapping[str, Callable[[str], bool]] = {
    "interaction_id": is_safe_id,
    "recording_id": is_safe_id,
    "sha256": is_hash,
    "stored_sha256": is_hash,
    "source_checksum": set(SourceChecksum).__contains__,
}


def _enter_page(connection: Connection, sidecars: Mapping[str, dict[str, Any]]) -> Iterator[Indexed]:
    """Make the rows of archived parts as their events left them, and compare those that are there."""
    parts = {key: part_in(row) for key, row in sidecars.items()}
    present = connection.execute(select(recordings).where(among(recordings, parts.values())))
    known = {part_of(row): row._asdict() for row in present}
    for key, row in sidecars.items():
        deleting_at = known.get(parts[key], {}).get("deleting_at")  # the next run of enforce_retention finishes that
        if not row["verified_ok"] and deleting_at is None:
            yield Indexed("recordings", key, IndexResult.BAD, f"its object {row['key']} is missing or has another size")
    life_of = lives(connection, parts.values())
    new: list[dict[str, Any]] = []
    unvouched: list[dict[str, Any]] = []
    for key, row in sidecars.items():
        part, life = parts[key], life_of[parts[key]]
        if part in known and known[part]["state"] != State.DISCOVERED:
            yield _compare(connection, key, row, known[part], life)
        elif life.sidecar_sha256 not in (None, row["sidecar_sha256"]):
            problem = f"its SHA-256 is {row['sidecar_sha256']}, the ledger has {life.sidecar_sha256}: {_RESTORE}"
            yield Indexed("recordings", key, IndexResult.BAD, problem)
        else:
            full = _LIVING | row | life.columns
            full["verified_ok"] = full["verified_ok"] and row["verified_ok"]
            if part in known:
                reindex(connection, [(SimpleNamespace(**known[part]), full)])
                connection.execute(update(recordings).where(is_part(recordings, part)).values(**full, **NO_FAILURE))
            else:
                new.append(full)
            known[part] = full
            unvouched += [] if life.archived else [_archived_event(part, row)]
            yield Indexed("recordings", key, IndexResult.ADDED)
    index(connection, new)
    for table, rows in ((recordings, new), (events, unvouched)):
        if rows:
            connection.execute(insert(table), rows)


def _compare(connection: Connection, key: str, row: Mapping[str, Any], known: Mapping[str, Any], life: Life) -> Indexed:
    """Name columns in which sidecar and catalog differ; catch up with changes that only events know."""
    part = part_in(row)
    if known["state"] in STORED and known["deleting_at"] is None:
        newest = (
            life.columns if row["verified_ok"] else {**life.columns, "verified_ok": False}
        )  # its object is not whole
        behind = {name: value for name, value in newest.items() if known[name] != value}
        if behind:
            connection.execute(update(recordings).where(is_part(recordings, part)).values(**behind))
    names = sidecar.differing(known, row)
    problem = f"the catalog has another {', '.join(names)}; it was left as it is" if names else None
    return Indexed("recordings", key, IndexResult.BAD if problem else IndexResult.KNOWN, problem)


def _archived_event(part: PartId, row: Mapping[str, Any]) -> dict[str, Any]:
    detail = {name: row[name] for name in ("key", "sha256", "stored_sha256", "sidecar_sha256")}
    when = {"at": row["archived_at"], "kind": "archived", "run_id": row["archived_by"]}
    return when | {"detail": detail} | part._asdict()
