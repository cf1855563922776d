"""Holds of a lost catalog, from the archive's documents; a hold that differs in the catalog is named and left as it is.

Events come first: a document must have the hash that its event has. A foreign document, which has no event, is named: a
hold holds all the same, a release releases nothing, until a person takes it up (`take_up`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from hashlib import sha256

from sqlalchemy import Connection, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import holds
from recording_archive.errors import PermanentError
from recording_archive.holds import rows
from recording_archive.holds.documents import FOLDER, Hold, parse, parse_release, read_key, release_key_of
from recording_archive.holds.survey import Recorded, read_recorded
from recording_archive.recovery.documents import changed, enter_documents, foreign
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.store.base import Store

_RELEASE = frozenset({"released_at", "released_by", "release_reason"})


def reindex_holds(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Enter every hold of the archive, and end those released; one result for each document.

    A release that is foreign, that cannot be read, or whose hold is missing, is bad: the hold goes on holding.
    """
    archive_id = store.required_identity()
    with catalog.read() as connection:
        recorded = read_recorded(connection)
    missing = set(recorded.hashes)

    def read(key: str) -> bytes:
        missing.discard(key)
        read_key(key)
        return store.read(key)

    def enter(connection: Connection, key: str, content: bytes) -> bool:
        is_foreign, ends = key not in recorded.hashes, read_key(key)[1]
        if is_foreign and ends:
            raise foreign(key, "it releases nothing")
        added = enter_hold_document(connection, archive_id, key, content, recorded)
        _require_release(connection, store, key)
        if is_foreign:
            raise foreign(key, "it holds until a person looks at it")
        return added

    yield from enter_documents(catalog, "holds", store.list(FOLDER), read=read, enter=enter)
    for key in sorted(missing):
        yield Indexed("holds", key, IndexResult.BAD, _lost(key, recorded))


def enter_hold_document(connection: Connection, archive_id: str, key: str, content: bytes, recorded: Recorded) -> bool:
    """Enter one document; False when the catalog knew it. A hold comes before its release, by their keys.

    Raises PermanentError for one that is damaged, or not as its event has it. No event is written.
    """
    digest, expected = sha256(content).hexdigest(), recorded.hashes.get(key)
    if expected not in (None, digest):
        raise changed(key, digest, str(expected))
    hold_id, ends = read_key(key)
    known = _known(connection, hold_id)
    if not ends:
        return _enter(connection, known, parse(content, hold_id, archive_id), digest)
    if known is None:
        raise PermanentError(f"{key} releases a hold of which the archive has no sound document: restore that")
    return _end(connection, known, parse_release(content, known, archive_id), digest)


def _enter(connection: Connection, known: Hold | None, hold: Hold, digest: str) -> bool:
    if known is None:
        rows.enter(connection, hold, digest, tell=False)
    else:
        _compare(known, hold, without=_RELEASE)
    return known is None


def _end(connection: Connection, known: Hold, ended: Hold, digest: str) -> bool:
    if known.released_at is not None:
        _compare(known, ended)
    return rows.end(connection, ended, digest, tell=False)


def _known(connection: Connection, hold_id: str) -> Hold | None:
    row = connection.execute(select(holds).where(holds.c.id == hold_id)).one_or_none()
    return None if row is None else rows.to_hold(row)


def _compare(known: Hold, stored: Hold, without: frozenset[str] = frozenset()) -> None:
    names = [field.name for field in fields(Hold) if field.name not in without]
    if differing := [name for name in names if getattr(known, name) != getattr(stored, name)]:
        raise PermanentError(
            f"the catalog has another {', '.join(differing)} of hold {stored.id}; it was left as it is"
        )


def _require_release(connection: Connection, store: Store, key: str) -> None:
    """Raise PermanentError when the catalog ended a hold that the archive has not ended."""
    hold_id, ends = read_key(key)
    known = None if ends else _known(connection, hold_id)
    if known and known.released_at is not None and store.size(release_key_of(hold_id)) is None:
        raise PermanentError(
            f"the catalog has hold {hold_id} released, the archive has no document of it: find out who changed which"
        )


def _lost(key: str, recorded: Recorded) -> str:
    """Say what is to be done about a document of which only the ledger tells."""
    hold_id, ends = read_key(key)
    if ends or hold_id in recorded.released:
        return "the ledger records it, and it is missing: restore it from a copy"
    return (
        "the ledger tells that it holds, and it is gone: enforce_retention deletes nothing until it is restored from a "
        f"copy and reindexed, or ended with `recording-archive hold release {hold_id} --reason …`"
    )
