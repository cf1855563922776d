"""Reconcile: what the source keeps against what the archive holds, and what is deleted there before it is here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import chunked
from recording_archive.catalog.tables import recordings
from recording_archive.model import WHOLE, State
from recording_archive.sources import Stored

PAGE = 500
YOUNG = timedelta(days=2)  # a recording of today is archived tonight


class Standing(StrEnum):
    """The state of one of the source's recordings in the archive."""

    ARCHIVED = "archived"
    YOUNG = "young"
    WAITING = "waiting"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Compared:
    """One recording of the source; ``at_risk`` when it is deleted there soon and not safely here."""

    stored: Stored
    standing: Standing
    at_risk: bool

    @property
    def is_well(self) -> bool:
        """Tell if nobody needs to look."""
        return not self.at_risk and self.standing in {Standing.ARCHIVED, Standing.YOUNG}

    def in_words(self) -> str:
        """One line for a person."""
        when = f", deleted there on {self.stored.delete_at:%Y-%m-%d}" if self.stored.delete_at else ""
        risk = "at risk: " if self.at_risk else ""
        return f"{risk}{self.stored.interaction_id}~{self.stored.recording_id}: {self.standing}{when}"

    def to_json(self) -> dict[str, object]:
        """Return the figures for programs."""
        delete_at = self.stored.delete_at
        return {
            "interactionId": self.stored.interaction_id,
            "recordingId": self.stored.recording_id,
            "standing": self.standing,
            "atRisk": self.at_risk,
            "deleteDate": delete_at.isoformat() if delete_at else None,
        }


def reconcile(archive: Archive, inventory: Iterable[Stored], *, within: timedelta) -> Iterator[Compared]:
    """Compare page by page; ``within`` is how near a delete date must be to be a risk."""
    now, rest = archive.clock(), iter(inventory)
    for page in chunked(rest):
        with archive.catalog.read() as connection:
            known = _standings(connection, page)
        for stored in page:
            standing = known.get((stored.interaction_id, stored.recording_id), Standing.UNKNOWN)
            yield _compared(stored, standing, now, within)


def _compared(stored: Stored, standing: Standing, now: datetime, within: timedelta) -> Compared:
    safe = standing is Standing.ARCHIVED
    risk = not safe and stored.delete_at is not None and stored.delete_at < now + within
    if not safe and stored.created_at is not None and stored.created_at > now - YOUNG:
        standing = Standing.YOUNG
    return Compared(stored, standing, risk)


def _standings(connection: Connection, page: Sequence[Stored]) -> dict[tuple[str, str], Standing]:
    """Waiting as long as one part of a recording is; what was lawfully purged here counts as archived."""
    columns = recordings.c
    ids = {stored.interaction_id for stored in page}
    rows = connection.execute(
        select(columns.interaction_id, columns.recording_id, columns.state).where(columns.interaction_id.in_(ids))
    ).all()
    found: dict[tuple[str, str], Standing] = {}
    for row in rows:
        key = (row.interaction_id, row.recording_id)
        waits = row.state == State.DISCOVERED or found.get(key) is Standing.WAITING
        found[key] = Standing.WAITING if waits else Standing.ARCHIVED
    unnamed = {row.interaction_id for row in rows if row.recording_id == WHOLE}
    for stored in page:
        if stored.interaction_id in unnamed:
            found.setdefault((stored.interaction_id, stored.recording_id), Standing.WAITING)
    return found
