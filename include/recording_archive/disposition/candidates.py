"""Candidates of a plan: the recordings that may be due, cut into stretches that are read one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select

from recording_archive import holds
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import Stretch, part_key, rows_of, stretches
from recording_archive.catalog.tables import recordings
from recording_archive.disposition.caps import STORED
from recording_archive.model import PartId, State
from recording_archive.retention.rules import Kept, Policy

_NAMES = {  # columns that decide, or that a plan notes: all of them would take twice as long
    *(*PartId._fields, "state", "interaction_date", "quarantined_at", "verified_ok", "deletion"),
    *("sha256", "stored_sha256", "stored_bytes"),
    *holds.LOOKED_AT,
}
_DATE = recordings.c.interaction_date
_KEY = (_DATE, *part_key(recordings))


class Page(NamedTuple):
    """A stretch of the recordings in one state."""

    state: str
    stretch: Stretch


class Candidates:
    """Candidates at a moment: recordings older than the shortest days of a policy, and all in quarantine."""

    def __init__(self, catalog: Catalog, policy: Policy, as_of: datetime) -> None:
        self._catalog, self._cutoff = catalog, _cutoff(policy, as_of)
        names = {*_NAMES, *policy.columns}
        self._query = select(*(column for column in recordings.c if column.name in names))
        self._states = [State.QUARANTINED] if self._cutoff is None else [State.ARCHIVED, State.QUARANTINED]

    def pages(self, size: int) -> Iterator[Page]:
        """Cut the candidates into pages, in the order of their dates within each state."""
        for state in self._states:
            for stretch in stretches(self._catalog, self._matching(state), *_KEY, size=size):
                yield Page(state, stretch)

    def read(self, page: Page) -> Sequence[Row[Any]]:
        """Read the candidates that lie in a page now."""
        whole = page.stretch.to is None
        query = self._query.where(*self._matching(page.state, whole=whole))
        return rows_of(self._catalog, query, page.stretch, *_KEY)

    def count(self) -> int:
        """Count the candidates."""
        return sum(self._count(*self._matching(state)) for state in self._states)

    def count_the_rest(self) -> Counter[str]:
        """Count what is no candidate, by reason, so that the reasons add up to the archive."""
        young = _DATE.is_not(None) if self._cutoff is None else self._cutoff < _DATE
        undated = (recordings.c.state.in_(STORED), _DATE.is_(None), recordings.c.deleting_at.is_(None))
        too_young = self._count(recordings.c.state == State.ARCHIVED, young)
        return Counter({str(Kept.TOO_YOUNG): too_young, str(Kept.UNDATED): self._count(*undated)})

    def _matching(self, state: str, *, whole: bool = True) -> list[Any]:
        """Match the candidates in a state; not ``whole``: in a stretch that ends before the cutoff.

        Of two upper limits SQLite looks up the index by either, and by the wrong one reads all up to the cutoff.
        """
        matching = [recordings.c.state == state]
        if state == State.QUARANTINED:
            return [*matching, recordings.c.deleting_at.is_(None), _DATE.is_not(None)]
        return [*matching, self._cutoff >= _DATE] if whole and self._cutoff is not None else matching

    def _count(self, *where: Any) -> int:
        with self._catalog.read() as connection:
            return connection.execute(select(func.count()).select_from(recordings).where(*where)).scalar_one()


def _cutoff(policy: Policy, as_of: datetime) -> datetime | None:
    try:
        return as_of - timedelta(days=policy.shortest_days)
    except OverflowError:  # longer ago than there are dates
        return None
