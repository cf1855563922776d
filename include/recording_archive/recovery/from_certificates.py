"""Deletions of a lost catalog finished by their certificates, also those whose tombstone is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import among, is_part, part_of
from recording_archive.catalog.tables import events, recordings
from recording_archive.disposition.certificate import certificate_key, listed_parts
from recording_archive.disposition.certifying import finish_deletion
from recording_archive.disposition.tombstone import tombstone_key
from recording_archive.errors import PermanentError
from recording_archive.model import PartId, State
from recording_archive.recovery.documents import changed, enter_documents
from recording_archive.recovery.from_tombstones import bury, files_of, require_sound
from recording_archive.recovery.result import Indexed
from recording_archive.retention.rules import Action
from recording_archive.store.base import Store

_FACTS = ("run", "plan", "policy", "by", "approvedBy", "approvedAt")  # of the certificate
_OWN_FACTS = ("rule", "due", "storedSha256")  # of each of its parts
_COLUMNS = {
    "key": "key",
    "sha256": "sha256",
    "storedSha256": "stored_sha256",
    "storedBytes": "stored_bytes",
    "sidecarSha256": "sidecar_sha256",
}


def reindex_certificates(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Finish the deletions that certificates list; bad is one that lists a part whose tombstone is gone.

    That part is deleted all the same, so that no run archives it again.
    """
    enter = partial(_enter, store, store.required_identity())
    yield from enter_documents(catalog, "certificates", store.list("certificates/"), read=store.read, enter=enter)


def _enter(store: Store, archive_id: str, connection: Connection, key: str, content: bytes) -> bool:
    """Finish the rows that a certificate lists; False when all of them were."""
    listed, number = listed_parts(content), key.rpartition("/")[2].removesuffix(".json")
    if not listed or json.loads(content).get("archiveId") != archive_id or certificate_key(number) != key:
        raise PermanentError(f"The certificate {key} is damaged or not this archive's: restore it from a copy")
    digest = sha256(content).hexdigest()
    unburied, problems = _bury_unburied(store, connection, key, content, _rows(connection, list(listed)))
    rows = {part_of(row): row for row in _rows(connection, list(listed))}
    added, lacking = False, []
    for part, tombstone in listed.items():
        row = rows.get(part)
        if row is None or not (row.deleting_at or row.certificate) or not _agree(store, row, tombstone):
            lacking.append(part)
        elif row.deleting_at:
            finish_deletion(connection, row, number)
            _tell(connection, row, number, {key: digest, tombstone_key(part, row.deleting_at): tombstone})
            added = True
    if problems:
        raise problems[0]
    if lacking:
        raise PermanentError(f"{key} lists {lacking[0]} and {len(lacking) - 1} others that have no such tombstone")
    if unburied:
        raise PermanentError(
            f"{key} lists {unburied[0]} and {len(unburied) - 1} others whose tombstones are gone: they count as "
            "deleted; restore the tombstones from a copy of the archive"
        )
    return added


def _bury_unburied(
    store: Store, connection: Connection, key: str, content: bytes, known: Sequence[Row[Any]]
) -> tuple[list[PartId], list[PermanentError]]:
    """Make rows, their deletion not finished, of parts that no tombstone told of; return these, and why not others."""
    rows, document = {part_of(row): row for row in known}, json.loads(content)
    buried, problems = list[PartId](), list[PermanentError]()
    for entry in document["parts"]:
        part = PartId(entry["interactionId"], entry["recordingId"], entry["part"])
        row = rows.get(part)
        if row is not None and (row.deleting_at or row.certificate):
            continue
        try:
            _require_recorded(connection, part, key, sha256(content).hexdigest())
            columns = _columns(key, document, entry)
            require_sound(columns, entry["tombstone"]["key"], key)
            bury(connection, store, row, columns, source=key)
            buried.append(part)
        except PermanentError as error:
            problems.append(error)
    return buried, problems


def _columns(key: str, document: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Make the columns of a part that a certificate lists, as its tombstone would have made those it tells."""
    try:
        facts = {name: document[name] for name in _FACTS} | {name: entry[name] for name in _OWN_FACTS}
        return {
            **PartId(entry["interactionId"], entry["recordingId"], entry["part"])._asdict(),
            **{column: entry[name] for name, column in _COLUMNS.items()},
            "state": State.ERASED if entry["key"] is None else State.QUARANTINED,
            "deleting_at": datetime.fromisoformat(entry["deletedAt"]),
            "deletion": {"action": str(Action(document["action"])), **facts, "tombstone": entry["tombstone"]["sha256"]},
        }
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(
            f"The certificate {key} is damaged ({type(error).__name__}: {error}): restore it from a copy of the archive"
        ) from error


def _require_recorded(connection: Connection, part: PartId, key: str, digest: str) -> None:
    """Raise PermanentError when the event of a deletion has another hash of its certificate."""
    gone = (is_part(events, part), events.c.kind.in_(("purged", "erased")))
    for detail in connection.execute(select(events.c.detail).where(*gone)).scalars():
        if (recorded := detail.get("files", {}).get(key, digest)) != digest:
            raise changed(key, digest, recorded)


def _agree(store: Store, row: Row[Any], digest: str) -> bool:
    """Tell whether a part was deleted as its certificate says; a row that is finished is believed."""
    if row.certificate:
        return True
    known = row.deletion.get("tombstone")
    if known is None:  # the catalog saw the intent, and a crash kept it from the end
        return not any(store.size(each) is not None for each in files_of(row.key))
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
    return connection.execute(select(recordings).where(among(recordings, parts))).all()
