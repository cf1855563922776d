"""How recordings stand: who holds them, what the policy says of them, and the certificate of what is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from recording_archive.archive import Archive
from recording_archive.disposition.certificate import certificate_key
from recording_archive.errors import ArchiveError
from recording_archive.holds import Holding, holding
from recording_archive.model import STORED, PartId
from recording_archive.retention.policy_in_force import in_force
from recording_archive.retention.rules import judge
from recording_archive.web.read.rows import RecordingRow, Retention, to_row


def to_rows(archive: Archive, rows: Sequence[Mapping[str, Any]]) -> list[RecordingRow]:
    """Rows of `recordings`, at most 1,000 of them, as API and pages show them."""
    found = holdings(archive, rows)
    return [to_row(row, archive, found.get(_part(row))) for row in rows]


def holdings(archive: Archive, rows: Sequence[Mapping[str, Any]]) -> dict[PartId, Holding]:
    """Who holds each of the rows whose bytes lie in the archive; what is not there cannot be held."""
    stored = [SimpleNamespace(**row) for row in rows if row["state"] in STORED]
    if not stored:
        return {}
    with archive.catalog.read() as connection:
        return holding(connection, stored)


def read_retention(
    archive: Archive, row: Mapping[str, Any], held: Holding | None
) -> tuple[Retention | None, str | None]:
    """What the policy in force says of a stored part now; where no policy can be read, why."""
    if row["state"] not in STORED:
        return None, None
    try:
        policy = in_force(archive)
    except ArchiveError as error:
        return None, str(error)
    verdict = judge(
        SimpleNamespace(**row),
        policy,
        as_of=archive.clock(),
        quarantine_days=archive.settings.quarantine_days,
        holding=held,
    )
    told = {name: getattr(verdict, name) for name in ("rule", "days", "expires_at", "action", "kept")}
    return Retention(policy=policy.version, policy_name=policy.name, **told), None


def read_certificate(archive: Archive, number: str) -> tuple[dict[str, Any] | None, str | None]:
    """The certificate of what was deleted, as it lies in the archive; where it cannot be read, why."""
    key = certificate_key(number)
    try:
        document = json.loads(archive.store.read(key))
    except ArchiveError as error:
        return None, str(error)
    except ValueError as error:
        return None, f"{key} is damaged ({error}): restore it from a copy of the archive"
    return (document, None) if isinstance(document, dict) else (None, f"{key} is damaged: it is no JSON object")


def certificate_of(archive: Archive, row: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """The certificate of one part, which lists other parts too: without those."""
    if row["certificate"] is None:
        return None, None
    document, problem = read_certificate(archive, row["certificate"])
    if document and isinstance(document.get("parts"), list):
        same = {"interactionId": row["interaction_id"], "recordingId": row["recording_id"], "part": row["part"]}
        mine = [each for each in document["parts"] if isinstance(each, dict) and same.items() <= each.items()]
        document = document | {"parts": mine}
    return document, problem


def _part(row: Mapping[str, Any]) -> PartId:
    return PartId(row["interaction_id"], row["recording_id"], row["part"])
