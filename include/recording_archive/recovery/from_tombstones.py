"""Deleted parts of a lost catalog, from tombstones and certificates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import NO_FAILURE, is_part, part_of
from recording_archive.catalog.tables import events, recordings
from recording_archive.disposition.certificate import certificate_key, listed_parts
from recording_archive.disposition.certifying import finish_deletion
from recording_archive.disposition.tombstone import to_recording, tombstone_key
from recording_archive.errors import PermanentError
from recording_archive.model import PartId, State, is_safe_id
from recording_archive.recovery.documents import enter_documents, is_hash, part_in
from recording_archive.recovery.result import Indexed
from recording_archive.retention.rules import Action
from recording_archive.store import sidecar
from recording_archive.store.base import Store


def reindex_tombstones(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Enter deleted parts with their certificates; a tombstone without a certificate is left for the next run.

    A recording that is in the archive in spite of its tombstone is bad, and left as it is: someone put it back.
    """
    archive_id = store.required_identity()
    for what, enter in (("tombstones", _enter_tombstone), ("certificates", _enter_certificate)):
        yield from enter_documents(
            catalog, what, store.list(f"{what}/"), read=store.read, enter=partial(enter, store, archive_id)
        )


def _enter_tombstone(store: Store, archive_id: str, connection: Connection, key: str, content: bytes) -> bool:
    """Make the row of a deleted part, its deletion not finished; False when the catalog knew of the deletion."""
    columns = to_recording(content, key)
    _require_sound(columns, json.loads(content)["archiveId"], archive_id, key)
    part = part_in(columns)
    known = connection.execute(select(recordings).where(is_part(recordings, part))).one_or_none()
    if known is not None and (known.deleting_at or known.certificate):
        if known.stored_sha256 != columns["stored_sha256"]:
            raise PermanentError(f"{key} tells of {columns['stored_sha256']}, the catalog of {known.stored_sha256}")
        return False
    if lying := [each for each in _files(columns, known) if store.size(each) is not None]:
        raise PermanentError(
            f"{key} says that {part} was deleted, and {', '.join(lying)} lies in the archive: find out who put it back"
        )
    state = State.ERASED if columns["key"] is None else State.QUARANTINED
    values = {**columns, "state": state, "deletion": columns["deletion"] | {"tombstone": sha256(content).hexdigest()}}
    if known is None:
        connection.execute(insert(recordings).values(**values))
    else:
        connection.execute(update(recordings).where(is_part(recordings, part)).values(**values, **NO_FAILURE))
    return True


def _files(*rows: Any) -> Iterator[str]:
    """Yield the keys of the objects and sidecars that rows, or columns, name."""
    named = (row["key"] if isinstance(row, dict) else row and row.key for row in rows)
    for key in {key for key in named if key}:
        yield from (key, sidecar.beside(key))


def _require_sound(columns: Mapping[str, Any], archive_id: str, expected: str, key: str) -> None:
    """Raise PermanentError unless a tombstone is this archive's, in its place, and safe to make keys of."""
    part = part_in(columns)
    hashes = (columns["sha256"], columns["stored_sha256"], columns["sidecar_sha256"])
    moments = (columns["deleting_at"], columns["interaction_date"], columns["archived_at"], columns["quarantined_at"])
    sound = (
        is_safe_id(part.interaction_id)
        and is_safe_id(part.recording_id)
        and type(part.part) is int
        and all(each is None or (isinstance(each, str) and is_hash(each)) for each in hashes)
        and all(each is None or each.tzinfo for each in moments)
        and columns["deleting_at"] is not None
    )
    if not sound:
        raise PermanentError(f"The tombstone {key} is damaged: restore it from a copy of the archive")
    if archive_id != expected or key != tombstone_key(part, columns["deleting_at"]):
        raise PermanentError(f"{key} is a tombstone of {part} in archive {archive_id}: it was moved; put it back")


def _enter_certificate(store: Store, archive_id: str, connection: Connection, key: str, content: bytes) -> bool:
    """Finish the rows that a certificate lists; False when all of them were."""
    listed, number = listed_parts(content), key.rpartition("/")[2].removesuffix(".json")
    if not listed or json.loads(content).get("archiveId") != archive_id or certificate_key(number) != key:
        raise PermanentError(f"The certificate {key} is damaged or not this archive's: restore it from a copy")
    rows = {part_of(row): row for row in _rows(connection, list(listed))}
    added, lacking = False, []
    for part, digest in listed.items():
        row = rows.get(part)
        if row is None or not (row.deleting_at or row.certificate) or not _agree(store, row, digest):
            lacking.append(part)
        elif row.deleting_at:
            finish_deletion(connection, row, number)
            files = {key: sha256(content).hexdigest(), tombstone_key(part, row.deleting_at): digest}
            _tell(connection, row, number, files)
            added = True
    if lacking:
        raise PermanentError(f"{key} lists {lacking[0]} and {len(lacking) - 1} others that have no such tombstone")
    return added


def _agree(store: Store, row: Row[Any], digest: str) -> bool:
    """Tell whether a part was deleted as its certificate says; a row that is finished is believed."""
    if row.certificate:
        return True
    known = row.deletion.get("tombstone")
    if known is None:  # the catalog saw the intent, and a crash kept it from the end
        return not any(store.size(each) is not None for each in _files(row))
    return bool(known == digest)


def _tell(connection: Connection, row: Row[Any], number: str, files: Mapping[str, str]) -> None:
    """Write the event that the ledger would have, unless it has it."""
    kind = "erased" if row.deletion["action"] == Action.ERASE else "purged"
    same = select(events.c.id).where(is_part(events, part_of(row)), events.c.kind == kind).limit(1)
    if connection.execute(same).first() is None:
        facts = {name: row.deletion.get(name) for name in ("plan", "policy", "rule")}
        detail = {"certificate": number, "storedSha256": row.stored_sha256, **facts, "files": dict(files)}
        run_id, by = row.deletion["run"], row.deletion.get("by")
        record(connection, kind, part_of(row), at=row.deleting_at, run_id=run_id, actor=by, detail=detail)


def _rows(connection: Connection, parts: Sequence[PartId]) -> Sequence[Row[Any]]:
    interactions = {part.interaction_id for part in parts}
    wanted = set(parts)
    rows = connection.execute(select(recordings).where(recordings.c.interaction_id.in_(interactions))).all()
    return [row for row in rows if part_of(row) in wanted]
