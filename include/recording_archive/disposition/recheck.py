"""Check that a part may go, in the transaction that deletes it.

A plan may be a day old, and a hold a second. The questions are those of the plan, about the row as it is now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.rows import is_part, part_of
from recording_archive.catalog.tables import recordings, work
from recording_archive.disposition.evidence import Evidence
from recording_archive.locks.waiting import why_locked
from recording_archive.model import PartId, State
from recording_archive.retention.rules import Action, HoldIds, Kept, Policy, judge

HELD_BY = (f"{Kept.HELD} by ", f"{Kept.POSSIBLY_HELD} by ")
"""The beginnings of what `held_by` says."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """The check under ``policy``, at ``as_of``; an erasure needs no policy."""

    archive: Archive
    policy: Policy | None
    as_of: datetime
    evidence: Evidence = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "evidence", Evidence(self.archive))

    def __call__(self, connection: Connection, row: Row[Any], facts: Mapping[str, Any]) -> str | None:
        """Say why ``row`` stays, or None when it may go; ``facts`` are those of its deletion."""
        holding = holds.holding(connection, [row]).get(part_of(row))
        if why := held_by(holding):
            return why
        if facts["action"] == Action.PURGE and (why := self._why_not_purged(row, facts, holding)):
            return why
        return _at_work(connection, row)

    def _why_not_purged(self, row: Row[Any], facts: Mapping[str, Any], holding: HoldIds | None) -> str | None:
        if row.state != State.QUARANTINED:
            return f"it is {row.state}, not quarantined"
        if row.stored_sha256 != facts["storedSha256"]:
            return other_bytes(row.stored_sha256, facts["storedSha256"])
        if self.policy is None:
            return "there is no policy to purge it by"
        days = self.archive.settings.quarantine_days
        verdict = judge(row, self.policy, as_of=self.as_of, quarantine_days=days, holding=holding)
        if verdict.action is not Action.PURGE:
            return str(verdict.kept or verdict.action)
        if (size := self.archive.store.size(row.key)) != row.stored_bytes:
            has = "is gone" if size is None else f"has {size} bytes"
            return f"its object {has}, the catalog has {row.stored_bytes} bytes: verify it"
        return why_locked(self.archive, row.key)


def held_by(holding: HoldIds | None) -> str | None:
    """Name the holds that keep a recording; None when there is none."""
    if not holding or not (holding.held or holding.possibly):
        return None
    held, possibly = HELD_BY
    return held + ", ".join(holding.held) if holding.held else possibly + ", ".join(holding.possibly)


def other_bytes(now: str | None, planned: str | None) -> str:
    """Say that a part has other bytes than the plan was made for."""
    names = [f"has the SHA-256 {digest}" if digest else "is none" for digest in (now, planned)]
    return f"its stored object {names[0]}, in the plan it {names[1]}"


def lock_part(connection: Connection, part: PartId) -> Row[Any]:
    """Lock the row of a part until this transaction ends, and keep new holds from coming in between.

    On SQLite there is one writer. On PostgreSQL a hold that is being made is waited for, and a new one waits.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE holds IN SHARE MODE"))
    same = is_part(recordings, part)
    return connection.execute(select(recordings).where(same).with_for_update()).one()


def _at_work(connection: Connection, row: Row[Any]) -> str | None:
    """Name the run that is archiving a part: it would publish the part again after its deletion."""
    same = is_part(work, part_of(row))
    run_id = connection.execute(select(work.c.run_id).where(same, work.c.outcome.is_(None)).limit(1)).scalar()
    return f"run {run_id} of archive_recordings is at work on it" if run_id else None
