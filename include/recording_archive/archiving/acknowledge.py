"""Failures that need a person's decision, and the decision: acknowledged, with a reason and a name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import is_named, is_part
from recording_archive.catalog.tables import recordings
from recording_archive.errors import ConfigurationError
from recording_archive.model import Decision, PartId, State


def acknowledge(
    archive: Archive,
    interaction_id: str,
    *,
    reason: str,
    actor: str,
    recording: str | None = None,
    part: int | None = None,
) -> list[Decision]:
    """Mark the failures of an interaction as decided: no run takes them up again unless the source lists them anew.

    Also ends the retries of a failure whose days are not used up. An empty list means that the catalog has no such
    part. The reason is kept with the event for good, so it should name a decision, not a person's data.
    """
    if not reason.strip():
        raise ConfigurationError("--reason is empty: say why the failure is accepted; it is kept for good")
    wanted = is_named(recordings, interaction_id, recording, part)
    at, decisions = archive.clock(), []
    with archive.catalog.write() as connection:
        for row in connection.execute(select(recordings).where(wanted)).all():
            refused, who = _refusal(row), PartId(*tuple(row)[:3])
            if refused is None:
                same = is_part(recordings, who)
                connection.execute(update(recordings).where(same).values(acknowledged_at=at))
                detail = {"reason": reason.strip(), "error": row.last_error}
                record(connection, "acknowledged", who, at=at, actor=actor, detail=detail)
            decisions.append(Decision(who, refused))
    return decisions


def _refusal(row: Row[Any]) -> str | None:
    """Why a part has nothing to acknowledge, or None when it has."""
    if row.state != State.DISCOVERED:
        return f"it is {row.state}, not failed"
    if row.failed_since is None:
        return "it has not failed; a run may still be at work on it"
    if row.acknowledged_at is not None:
        return f"it was acknowledged on {row.acknowledged_at:%Y-%m-%d}"
    return None
