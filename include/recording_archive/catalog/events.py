"""Events: one change each, written in the transaction of the change and never altered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from recording_archive.catalog.tables import events
from recording_archive.model import PartId


def record(
    connection: Connection,
    kind: str,
    part: PartId | None,
    *,
    at: datetime,
    run_id: str | None = None,
    actor: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one event, in the transaction of the change itself; ``detail`` holds ids and hashes, no names."""
    who = part._asdict() if part else {}
    connection.execute(insert(events).values(at=at, kind=kind, run_id=run_id, actor=actor, detail=detail or {}, **who))
