"""Rows of the table `recordings` as documents, with the holds on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from recording_archive.archive import Archive
from recording_archive.holds import Holding, holding
from recording_archive.model import STORED, PartId, State, known_date
from recording_archive.retention.rules import later
from recording_archive.web.read.failures import needs_decision
from recording_archive.web.read.recording_documents import RecordingRow


def to_row(row: Mapping[str, Any], archive: Archive, holding: Holding | None = None) -> RecordingRow:
    """A row of `recordings` as API and pages show it; `to_rows` finds who holds it."""
    return RecordingRow.model_validate(to_fields(row, archive, holding))


def to_fields(row: Mapping[str, Any], archive: Archive, holding: Holding | None = None) -> dict[str, Any]:
    """The values of a `RecordingRow`, and all other columns under their own names."""
    return {
        **row,
        "interaction_date": known_date(row["state"], row["interaction_date"]),
        "file_path": row["key"],
        "bytes": row["size_bytes"],
        "run_id": row["archived_by"],
        "needs_decision": needs_decision(row, archive),
        "held_by": list(holding.held) if holding else [],
        "possibly_held_by": list(holding.possibly) if holding else [],
        "purge_from": purge_from(row, archive),
        "restored_until": _restored_until(row),
    }


def purge_from(row: Mapping[str, Any], archive: Archive) -> datetime | None:
    """Return the end of a part's quarantine; None for any other."""
    if row["state"] != State.QUARANTINED or row["quarantined_at"] is None:
        return None
    return later(row["quarantined_at"], archive.settings.quarantine_days)


def _restored_until(row: Mapping[str, Any]) -> datetime | None:
    """Until when retention leaves a part alone that a person took out of quarantine."""
    text = (row["deletion"] or {}).get("restoredUntil")
    return datetime.fromisoformat(text) if text else None


def to_rows(archive: Archive, rows: Sequence[Mapping[str, Any]]) -> list[RecordingRow]:
    """Rows of `recordings`, at most 1,000 of them, as API and pages show them."""
    found = holdings(archive, rows)
    return [to_row(row, archive, found.get(_part(row))) for row in rows]


def holdings(archive: Archive, rows: Sequence[Mapping[str, Any]]) -> dict[PartId, Holding]:
    """Find the holds of each row whose bytes are in the archive; what is not there cannot be held."""
    stored = [SimpleNamespace(**row) for row in rows if row["state"] in STORED]
    if not stored:
        return {}
    with archive.catalog.read() as connection:
        return holding(connection, stored)


def _part(row: Mapping[str, Any]) -> PartId:
    return PartId(row["interaction_id"], row["recording_id"], row["part"])
