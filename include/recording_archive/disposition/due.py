"""Judge what is due: candidates from the catalog, and for each the action of a plan, or why it stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.rows import pages, part_key
from recording_archive.catalog.tables import recordings
from recording_archive.disposition.caps import STORED
from recording_archive.disposition.plan_table import RESTORE
from recording_archive.model import PartId, State
from recording_archive.retention.rules import Action, Kept, Policy, Verdict, heed, judge, later, restored_until

RESTORED = "restored"  # why a recording stays that a person took out of quarantine, for as long as one lasts
NO_LONGER = frozenset({Kept.HELD, Kept.POSSIBLY_HELD, Kept.TOO_YOUNG, Kept.POSSIBLY_LONGER, Kept.UNDATED})
"""Reasons that take a recording out of quarantine: it may not go now, so it belongs to the archive again."""

_NAMES = {  # columns that decide, or that a plan notes: all of them would take twice as long
    *(*PartId._fields, "state", "interaction_date", "quarantined_at", "verified_ok", "deletion"),
    *("sha256", "stored_sha256", "stored_bytes"),
    *holds.LOOKED_AT,
}


class Due(NamedTuple):
    """The action of a plan for one recording, by which rule and since when; without one ``why`` says why it stays."""

    action: str | None
    why: str
    rule: str
    due_at: datetime | None


class Judge:
    """A policy at a moment, asked about all recordings. Holds made later are seen by the next check (`recheck`)."""

    def __init__(self, archive: Archive, policy: Policy, as_of: datetime) -> None:
        self._archive, self._policy, self._as_of = archive, policy, as_of
        self._quarantine_days = archive.settings.quarantine_days
        self._date = recordings.c.interaction_date
        self._cutoff = _cutoff(policy, as_of)
        with archive.catalog.read() as connection:
            self._matcher = holds.Matcher(connection)

    def candidates(self, page_size: int) -> Iterator[Sequence[Row[Any]]]:
        """Yield pages of what may be due: recordings older than the shortest days, and all that are in quarantine."""
        if self._cutoff is not None:
            yield from self._pages(page_size, recordings.c.state == State.ARCHIVED, self._date <= self._cutoff)
        quarantined = (recordings.c.state == State.QUARANTINED, recordings.c.deleting_at.is_(None))
        yield from self._pages(page_size, *quarantined, self._date.is_not(None))

    def count_the_rest(self) -> Counter[str]:
        """Count what is no candidate, by reason, so that the reasons add up to the archive."""
        young = self._date.is_not(None) if self._cutoff is None else self._date > self._cutoff
        undated = (recordings.c.state.in_(STORED), self._date.is_(None), recordings.c.deleting_at.is_(None))
        counts = Counter[str]()
        for why, where in ((Kept.TOO_YOUNG, (recordings.c.state == State.ARCHIVED, young)), (Kept.UNDATED, undated)):
            query = select(func.count()).select_from(recordings).where(*where)
            with self._archive.catalog.read() as connection:
                counts[why] = connection.execute(query).scalar_one()
        return counts

    def decide(self, page: Sequence[Row[Any]]) -> Iterator[Due]:
        """Yield what is to be done with each row of a page."""
        for row, verdict in zip(page, self._verdicts(page), strict=True):
            action, why = self._action(row, verdict)
            purged = action == Action.PURGE
            due_at = later(row.quarantined_at, self._quarantine_days) if purged else verdict.expires_at
            yield Due(action, why, verdict.rule, due_at)

    def _pages(self, page_size: int, *where: Any) -> Iterator[Sequence[Row[Any]]]:
        """Yield dated rows in the order of their dates."""
        names = {*_NAMES, *self._policy.columns}
        query = select(*(column for column in recordings.c if column.name in names)).where(*where)
        yield from pages(self._archive.catalog, query, self._date, *part_key(recordings), size=page_size)

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


def _cutoff(policy: Policy, as_of: datetime) -> datetime | None:
    try:
        return as_of - timedelta(days=policy.shortest_days)
    except OverflowError:  # longer ago than there are dates
        return None
