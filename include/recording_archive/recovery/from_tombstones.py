"""Deleted parts of a lost catalog, from their tombstones; `from_certificates` finishes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import reindex
from recording_archive.catalog.rows import NO_FAILURE, is_part
from recording_archive.catalog.tables import recordings
from recording_archive.disposition.tombstone import to_recording, tombstone_key
from recording_archive.errors import PermanentError
from recording_archive.model import State, is_safe_id
from recording_archive.recovery.documents import enter_documents, is_hash, part_in
from recording_archive.recovery.result import Indexed
from recording_archive.store import sidecar
from recording_archive.store.base import Store


def reindex_tombstones(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Enter deleted parts, their deletion not finished; one without a certificate is left for the next run.

    A recording that is in the archive in spite of its tombstone is bad, and left as it is: someone put it back.
    """
    enter = partial(_enter_tombstone, store, store.required_identity())
    yield from enter_documents(catalog, "tombstones", store.list("tombstones/"), read=store.read, enter=enter)


def _enter_tombstone(store: Store, archive_id: str, connection: Connection, key: str, content: bytes) -> bool:
    """Make the row of a deleted part, its deletion not finished; False when the catalog knew of the deletion."""
    columns = to_recording(content, key)
    require_sound(columns, key, key)
    if (other := json.loads(content)["archiveId"]) != archive_id:
        raise PermanentError(f"{key} belongs to archive {other}: find out who put it into this one")
    known = connection.execute(select(recordings).where(is_part(recordings, part_in(columns)))).one_or_none()
    if known is not None and (known.deleting_at or known.certificate):
        if known.stored_sha256 != columns["stored_sha256"]:
            raise PermanentError(f"{key} tells of {columns['stored_sha256']}, the catalog of {known.stored_sha256}")
        return False
    state = State.ERASED if columns["key"] is None else State.QUARANTINED
    values = {**columns, "state": state, "deletion": columns["deletion"] | {"tombstone": sha256(content).hexdigest()}}
    bury(connection, store, known, values, source=key)
    if known is not None:
        reindex(connection, [(known, {**known._asdict(), **values})])
    return True


def bury(
    connection: Connection, store: Store, known: Row[Any] | None, columns: Mapping[str, Any], *, source: str
) -> None:
    """Make or change the row of a deleted part; raise PermanentError when a file of it lies in the archive."""
    part, keys = part_in(columns), {columns["key"], known and known.key}
    if lying := [each for each in files_of(*keys) if store.size(each) is not None]:
        raise PermanentError(
            f"{source} says that {part} was deleted, and {', '.join(lying)} lies in the archive: "
            "find out who put it back"
        )
    if known is None:
        connection.execute(insert(recordings).values(**columns))
    else:
        connection.execute(update(recordings).where(is_part(recordings, part)).values(**columns, **NO_FAILURE))


def files_of(*keys: str | None) -> Iterator[str]:
    """Yield the keys of objects with those of their sidecars."""
    for key in filter(None, keys):
        yield from (key, sidecar.beside(key))


def require_sound(columns: Mapping[str, Any], tombstone: str, source: str) -> None:
    """Raise PermanentError unless columns of a deleted part are safe to make keys of, and ``tombstone`` is its key."""
    part = part_in(columns)
    hashes = (columns["sha256"], columns["stored_sha256"], columns["sidecar_sha256"])
    moments = [columns.get(name) for name in ("deleting_at", "interaction_date", "archived_at", "quarantined_at")]
    sound = (
        is_safe_id(part.interaction_id)
        and is_safe_id(part.recording_id)
        and type(part.part) is int
        and all(each is None or (isinstance(each, str) and is_hash(each)) for each in hashes)
        and all(each is None or each.tzinfo for each in moments)
        and columns["deleting_at"] is not None
    )
    if not sound:
        raise PermanentError(f"{source} is damaged: restore it from a copy of the archive")
    if tombstone != tombstone_key(part, columns["deleting_at"]):
        raise PermanentError(f"{source} has {tombstone} of {part}: it was moved; put it back")
