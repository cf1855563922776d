"""The lock that policy and holds ask for: until the last day that the policy foretells, and held while a hold holds.

The policy is that of the moment in which `Wanted` is made. Without a date, or a policy that can be read, no end is
asked for, and a hold is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.errors import ArchiveError
from recording_archive.retention import policy_in_force
from recording_archive.retention.rules import Policy, decide, later
from recording_archive.store.base import Lock

log = logging.getLogger(__name__)

MOST_DAYS = 36_500  # the longest that buckets take by default
_SOON = timedelta(minutes=2)  # no bucket takes an end that is over when it reads it


class Wanted:
    """The locks that policy and holds ask for; ``problem`` says why the policy cannot be read."""

    def __init__(self, archive: Archive, *, every: bool = False) -> None:
        """Read the policy in force; for ``every`` recording also all holds, once, else those of each page."""
        self._policy: Policy | None = None
        self._clock = archive.clock
        self._matcher: holds.Matcher | None = None
        if every:
            with archive.catalog.read() as connection:
                self._matcher = holds.Matcher(connection)
        self.problem: str | None = None
        try:
            self._policy = policy_in_force.in_force(archive)
        except ArchiveError as error:
            self.problem = f"no lock gets its end, for the policy cannot be read: {error}"
            log.warning("%s", self.problem)

    def of(self, connection: Connection, rows: Sequence[Any]) -> list[Lock]:
        """Find the lock of each of some rows of `recordings`."""
        holding = self._matcher.of(rows) if self._matcher else holds.holding(connection, rows)
        return [Lock(self._until(row), bool(holding[part_of(row)])) for row in rows]

    def of_new(self, connection: Connection, columns: Mapping[str, Any]) -> Lock:
        """Find the lock of a recording that is about to be archived, by its columns."""
        return self.of(connection, [SimpleNamespace(**columns)])[0]

    def _until(self, row: Any) -> datetime | None:
        if self._policy is None or row.interaction_date is None:
            return None
        ends = later(row.interaction_date, min(decide(row, self._policy).last_days, MOST_DAYS))
        if ends <= self._clock() + _SOON:
            return None
        return ends if not ends.microsecond else ends.replace(microsecond=0) + timedelta(seconds=1)  # buckets cut it
