"""Conversations so old that their details may no longer be shown by id or query, while details jobs still have them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recording_archive.errors import ArchiveError
from recording_archive.model import Window
from recording_archive.sources.conversations.jobs import DetailsJobs
from recording_archive.sources.conversations.reading import Conversation
from recording_archive.sources.conversations.troubles import Trouble, is_of_one

__all__ = ["Aged"]

log = logging.getLogger(__name__)

AGED = timedelta(days=365)  # details answer for about 1.5 years, jobs for five: soon enough for either to be wrong
_AROUND = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Aged:
    """Asks jobs for conversations that began more than a year ago, and that details do not show."""

    jobs: DetailsJobs
    now: Callable[[], datetime]

    def is_aged(self, began: datetime) -> bool:
        """Tell if what began then may be unknown to all but jobs."""
        return began < self.now() - AGED

    def by_ids(
        self, ids: Sequence[str], began: Mapping[str, datetime]
    ) -> tuple[dict[str, Conversation], dict[str, Trouble]]:
        """Return those of ``ids`` that are old and that a job has; then, when it fails, each of them with the reason.

        One job is asked for all of them: it costs four requests and the time it takes, so nothing is asked twice.
        """
        old = [name for name in ids if name in began and self.is_aged(began[name])]
        if not old:
            return {}, {}
        first, last = min(began[name] for name in old), max(began[name] for name in old)
        log.info("%d conversations from %s on are not shown by id: asking a details job", len(old), first)
        try:
            found = self.jobs.with_ids(old, Window(first - _AROUND, last + _AROUND))
            return {each.id: each for each in found if each.id in old}, {}
        except ArchiveError as error:
            if not is_of_one(error):
                raise
            why = Trouble.of(error).after("conversation details no longer show it, and the details job for it failed")
            return {}, dict.fromkeys(old, why)
