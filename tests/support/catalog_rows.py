"""Recordings put into the catalog without an archive run, for tests that count them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.model import State

AS_OF = datetime(2026, 11, 23, 9, 30, 0, 500_000, tzinfo=UTC)


def archived_row(number: int, date: datetime | None, **columns: Any) -> dict[str, Any]:
    """An archived recording of that date; ``number`` makes its id, and its size."""
    name = f"call-{number}"
    values = {"interaction_id": name, "recording_id": name, "part": 0, "state": State.ARCHIVED, "verified_ok": True}
    names = (
        "agent_id",
        "agent_name",
        "queue_id",
        "queue_name",
        "direction",
        "media_type",
        "ani",
        "dnis",
        "quarantined_at",
    )
    plain = dict.fromkeys(names)
    return {**values, **plain, "interaction_date": date, "stored_bytes": number + 1, **columns}


def fill(archive: Archive, *rows: dict[str, Any]) -> Archive:
    """The archive with these recordings in its catalog, its clock standing at `AS_OF`."""
    with archive.catalog.write() as connection:
        connection.execute(insert(recordings), list(rows))
    return replace(archive, clock=lambda: AS_OF)
