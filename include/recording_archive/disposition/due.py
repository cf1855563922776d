"""Judge what is due: for each candidate the action of a plan, or why it stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Row

from recording_archive import holds
from recording_archive.catalog.database import Catalog
from recording_archive.disposition.plan_table import RESTORE
from recording_archive.model import State
from recording_archive.retention.rules import Action, Kept, Policy, Verdict, heed, judge, later, restored_until

RESTORED = "restored"  # why a recording stays that a person took out of quarantine, for as long as one lasts
NO_LONGER = frozenset({Kept.HELD, Kept.POSSIBLY_HELD, Kept.TOO_YOUNG, Kept.POSSIBLY_LONGER, Kept.UNDATED})
"""Reasons that take a recording out of quarantine: it may not go now, so it belongs to the archive again."""


class Due(NamedTuple):
    """The action of a plan for one recording, by which rule and since when; without one ``why`` says why it stays."""

    action: str | None
    why: str
    rule: str
    due_at: datetime | None


class Judge:
    """A policy at a moment, asked about all recordings. Holds made later are seen by the next check (`recheck`)."""

    def __init__(self, catalog: Catalog, policy: Policy, as_of: datetime, quarantine_days: int) -> None:
        self._policy, self._as_of, self._quarantine_days = policy, as_of, quarantine_days
        with catalog.read() as connection:
            self._matcher = holds.Matcher(connection)

    def decide(self, page: Sequence[Row[Any]]) -> Iterator[Due]:
        """Yield what is to be done with each row of a page."""
        for row, verdict in zip(page, self._verdicts(page), strict=True):
            action, why = self._action(row, verdict)
            purged = action == Action.PURGE
            due_at = later(row.quarantined_at, self._quarantine_days) if purged else verdict.expires_at
            yield Due(action, why, verdict.rule, due_at)

    def _verdicts(self, page: Sequence[Row[Any]]) -> list[Verdict]:
        """Judge a page. Holds are looked up only for what is due without them, or waits in quarantine."""
        unheld = partial(judge, as_of=self._as_of, quarantine_days=self._quarantine_days, holding=None)
        verdicts = [unheld(row, self._policy) for row in page]
        places = [place for place, verdict in enumerate(verdicts) if verdict.may_go]
        for place, holding in zip(places, self._matcher.each([page[place] for place in places], enough=1), strict=True):
            verdicts[place] = heed(verdicts[place], holding)
        return verdicts

    def _action(self, row: Row[Any], verdict: Verdict) -> tuple[str | None, str]:
        """Choose the action for a row; say why there is none, or why it is restored."""
        until = restored_until(row)
        if row.state == State.ARCHIVED and until is not None and until > self._as_of and verdict.action is not None:
            return None, RESTORED
        if row.state == State.QUARANTINED and verdict.kept in NO_LONGER:
            return RESTORE, str(verdict.kept)
        return (None, str(verdict.kept)) if verdict.action is None else (str(verdict.action), "")
