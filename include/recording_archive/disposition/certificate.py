"""Certificates as documents: the record of what was deleted, with the hashes of up to 1,000 parts of one run."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.catalog.tables import plans
from recording_archive.model import PartId
from recording_archive.store import documents

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Gone:
    """A part of which nothing is left but its tombstone."""

    part: PartId
    tombstone: str
    tombstone_sha256: str


def new_number(at: datetime) -> str:
    """Make a number for a certificate; a document that has it already is never replaced."""
    return f"C-{at:%Y%m%d}-{secrets.token_hex(3)}"


def certificate_key(number: str) -> str:
    """Return the key of a certificate."""
    return f"certificates/{number}.json"


def compose_certificate(archive: Archive, number: str, rows: Sequence[Row[Any]], gone: Mapping[PartId, Gone]) -> bytes:
    """Compose the certificate of parts that one run has deleted."""
    facts = rows[0].deletion  # rows of one number are of one run
    with archive.catalog.read() as connection:
        reason = connection.execute(select(plans.c.reason).where(plans.c.run_id == facts["run"])).scalar_one_or_none()
    return documents.compose(
        {
            "formatVersion": FORMAT_VERSION,
            "archiveId": archive.id,
            "certificate": number,
            "action": facts["action"],
            "issuedAt": archive.clock().isoformat(),
            "reason": reason,
            **{name: facts.get(name) for name in ("run", "plan", "policy", "by", "approvedBy", "approvedAt")},
            "parts": [_part(row, gone[part_of(row)]) for row in rows],
        }
    )


def listed_parts(content: bytes) -> dict[PartId, str]:
    """Read the parts that a certificate lists, with the hashes of their tombstones; none when it is damaged."""
    try:
        parts = json.loads(content)["parts"]
        names = [PartId(each["interactionId"], each["recordingId"], each["part"]) for each in parts]
        return dict(zip(names, (each["tombstone"]["sha256"] for each in parts), strict=True))
    except (ValueError, KeyError, TypeError):
        return {}


def _part(row: Row[Any], gone: Gone) -> dict[str, Any]:
    return {
        "interactionId": row.interaction_id,
        "recordingId": row.recording_id,
        "part": row.part,
        "key": row.key,
        "sha256": row.sha256,
        "storedSha256": row.stored_sha256,
        "sidecarSha256": row.sidecar_sha256,
        "storedBytes": row.stored_bytes,
        "rule": row.deletion.get("rule"),
        "due": row.deletion.get("due"),
        "deletedAt": row.deleting_at.isoformat(),
        "tombstone": {"key": gone.tombstone, "sha256": gone.tombstone_sha256},
    }
