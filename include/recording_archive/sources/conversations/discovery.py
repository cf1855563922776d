"""Discovery of conversations that may have recordings, and of orphans, without a request for each of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from recording_archive.errors import ArchiveError
from recording_archive.model import Attributes, Listing, PartId, Window, is_safe_id
from recording_archive.sources import Account
from recording_archive.sources.conversations.aged import Aged
from recording_archive.sources.conversations.jobs import SHORTEST_JOB, DetailsJobs
from recording_archive.sources.conversations.orphans import Orphan, Orphans
from recording_archive.sources.conversations.query import DetailsQuery
from recording_archive.sources.conversations.reading import Conversation
from recording_archive.sources.conversations.troubles import is_of_one

__all__ = ["Discovery"]

log = logging.getLogger(__name__)

LONGEST_CALL = timedelta(hours=4)  # for the expected size of a batch; an e-mail may be open for weeks


@dataclass(frozen=True, slots=True)
class Discovery:
    """Lists wholes; a range that is old, or has ``job_from_hits`` conversations or more, is asked for by a job."""

    query: DetailsQuery
    jobs: DetailsJobs
    aged: Aged
    orphans: Orphans
    job_from_hits: int

    def account(self) -> Account:
        """The account of all listings so far."""
        query, orphans = self.query, self.orphans
        gaps = tuple(dict.fromkeys((*query.gaps, *orphans.gaps)))  # a window that was halved may have told twice
        return Account(query.listed, query.counted, gaps, tuple(orphans.notes))

    def listings(self, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List conversations and orphans by id, or those that began in ``window``; at least one must be given."""
        if ids:
            conversations, troubles = self.query.by_ids(ids)
            found: Iterator[Conversation] = iter(conversations.values())
            yield from (Listing(PartId.whole(name), None, None, None) for name in troubles)  # asked again at download
            others = (self.orphans.get(name) for name in dict.fromkeys(ids) if name not in {*conversations, *troubles})
            orphans: Iterator[Orphan] = (each for each in others if each is not None)
        elif window is not None:
            found, orphans = self._began_in(window), self.orphans.created_in(window)
        for listing in chain(map(_whole, found), (each.whole() for each in orphans)):
            date = listing.interaction_date
            if window is None or date is None or date in window:
                yield listing

    def _began_in(self, window: Window) -> Iterator[Conversation]:
        """Long ranges from the data lake as far as it reaches, the rest by query."""
        lake = self._lake(window)
        if lake is None:
            yield from self.query.began_in(window)
            return
        try:
            yield from self.jobs.active_in(lake)
        except ArchiveError as error:
            if not is_of_one(error):
                raise
            log.warning("Details job failed, asking by query instead: %s", error)
            yield from self.query.began_in(lake)
        if lake.end < window.end:
            yield from self.query.began_in(Window(lake.end, window.end))

    def _lake(self, window: Window) -> Window | None:
        """The beginning of ``window`` that the data lake has, where a job costs less than paging, or alone has it."""
        hits = self.query.count(window)
        if hits is not None and hits < self.job_from_hits and not self.aged.is_aged(window.start):
            return None
        try:
            until = self.jobs.available_until()
        except ArchiveError as error:
            if not is_of_one(error):
                raise
            log.warning("Details jobs are not available: %s", error)
            return None
        if until is None or until - window.start < SHORTEST_JOB:
            return None
        return Window(window.start, min(until, window.end))


def _whole(each: Conversation) -> Listing:
    """Listing of a conversation whose recordings are not known yet; the size of a batch is estimated by its length."""
    expected = None
    if each.started_at and each.ended_at and not each.is_digital:
        expected = max(min(each.ended_at - each.started_at, LONGEST_CALL), timedelta()) // timedelta(milliseconds=1)
    safe = is_safe_id(each.id)
    return Listing(
        PartId.whole(each.id),
        each.started_at,
        None,
        None,
        attributes=Attributes(duration_ms=expected),
        defect=None if safe else f"id {each.id!r:.120} cannot be part of a file name",
        ended_at=each.ended_at,
    )
