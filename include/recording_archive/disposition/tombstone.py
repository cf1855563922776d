"""Tombstones: for each part that was deleted, a document that says so for good, and holds nothing personal.

It is a function of the row and its intent, so that an attempt after a crash writes the same again. Names and numbers of
people are not in it: for an erasure it has keyed hashes instead (`subjects`). From tombstones a rebuilt catalog learns
again which parts are gone (`recovery.from_tombstones`).
"""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.disposition import subject_hashes
from recording_archive.errors import PermanentError
from recording_archive.model import PartId, moment_of
from recording_archive.retention.rules import Action
from recording_archive.store import documents

FORMAT_VERSION = 1
_FACTS = ("run", "plan", "policy", "rule", "due", "by", "approvedBy", "approvedAt")
_COLUMNS = {  # of `recordings`, by their names in the document
    "key": "key",
    "mimeType": "mime_type",
    "sha256": "sha256",
    "bytes": "size_bytes",
    "storedSha256": "stored_sha256",
    "storedBytes": "stored_bytes",
    "sidecarSha256": "sidecar_sha256",
    "sourceChecksum": "source_checksum",
    "archivedBy": "archived_by",
}
_MOMENTS = {
    "interactionDate": "interaction_date",
    "archivedAt": "archived_at",
    "quarantinedAt": "quarantined_at",
    "deletedAt": "deleting_at",
}


def publish_tombstone(archive: Archive, row: Row[Any]) -> tuple[str, str]:
    """Store the tombstone of a part, durable on return; return its key and SHA-256.

    An existing one is taken over when it is about the same bytes; raise PermanentError otherwise.
    """
    key, content = tombstone_key(part_of(row), row.deleting_at), _compose(archive, row)
    if not archive.store.put(key, content):
        content = archive.store.read(key)
        existing = to_recording(content, key)
        if any(existing[name] != getattr(row, name) for name in (*PartId._fields, "stored_sha256")):
            stored = row.stored_sha256 or "none"
            raise PermanentError(f"{key} is about other bytes than {stored}: find out who put it there")
    return key, sha256(content).hexdigest()


def tombstone_key(part: PartId, deleting_at: datetime) -> str:
    """Return the key of a tombstone, by the year of the deletion."""
    return f"tombstones/{deleting_at.year}/{part}.json"


def _compose(archive: Archive, row: Row[Any]) -> bytes:
    """Compose the tombstone of a part whose intent is written."""
    facts, erased = row.deletion, row.deletion["action"] == Action.ERASE
    moments = {name: getattr(row, column) for name, column in _MOMENTS.items()}
    if erased:
        moments["interactionDate"] = row.interaction_date and row.interaction_date.date()
    return documents.compose(
        {
            "formatVersion": FORMAT_VERSION,
            "archiveId": archive.id,
            "interactionId": row.interaction_id,
            "recordingId": row.recording_id,
            "part": row.part,
            "action": facts["action"],
            **{name: moment and moment.isoformat() for name, moment in moments.items()},
            **{name: getattr(row, column) for name, column in _COLUMNS.items()},
            **{name: facts.get(name) for name in _FACTS},
            "subjects": subject_hashes.hashes(archive.settings, row) if erased else [],
        }
    )


def to_recording(content: bytes, key: str) -> dict[str, Any]:
    """Read the columns of `recordings` from a tombstone, the deletion begun; raise PermanentError for a damaged one."""
    try:
        document = json.loads(content)
        facts = {name: document[name] for name in _FACTS} | {"storedSha256": document["storedSha256"]}
        return {
            "interaction_id": document["interactionId"],
            "recording_id": document["recordingId"],
            "part": document["part"],
            **{column: document[name] for name, column in _COLUMNS.items()},
            **{column: document[name] and moment_of(document[name]) for name, column in _MOMENTS.items()},
            "deletion": {"action": str(Action(document["action"])), **facts},
        }
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(
            f"The tombstone {key} is damaged ({type(error).__name__}: {error}): restore it from a copy of the archive"
        ) from error
