"""The public Genesys Cloud platform API as a source.

Details tell which conversations may have recordings (`query`, `jobs`); they are listed as wholes, because naming their
recordings would cost a request each. The download task asks for the media of a hundred at once (`batches`), which
names recordings and parts as well. Reading order: this file, `listing`, then what they ask: `query`, `jobs`, `batches`,
`playback`, `minting`, `orphans`; and what they make of it: `reading`, `names`, `join`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

from recording_archive.errors import AccessError, ConfigurationError, PermanentError, TransientError
from recording_archive.model import Attributes, Listing, PartId, Window, is_safe_id
from recording_archive.sources import Probe, Stored
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.batches import ITEMS_PER_BATCH, Batches, Item, MediaResult
from recording_archive.sources.conversations.inventory import inventory
from recording_archive.sources.conversations.jobs import SHORTEST_JOB, WORTH_A_JOB, DetailsJobs
from recording_archive.sources.conversations.join import ids_of
from recording_archive.sources.conversations.listing import Lister, WantedParts
from recording_archive.sources.conversations.minting import Minting
from recording_archive.sources.conversations.names import Names
from recording_archive.sources.conversations.orphans import Orphan, Orphans
from recording_archive.sources.conversations.permissions import try_access
from recording_archive.sources.conversations.playback import Playback
from recording_archive.sources.conversations.query import DetailsQuery
from recording_archive.sources.conversations.reading import Conversation
from recording_archive.sources.replies import NotFoundError, RejectedError

__all__ = ["ConversationsSource"]

log = logging.getLogger(__name__)

_GONE = (
    "conversation details do not show it any more: was it moved to a division that the OAuth client has no role in, or "
    "was it an orphan recording that was recovered since, and is archived with its conversation?"
)

LONGEST_CALL = timedelta(hours=4)  # for the expected size of a batch; an e-mail may be open for weeks


class ConversationsSource:
    """Lists conversations of one organization; ``recording_id`` is Genesys' own, parts are the files of a recording.

    ``names_file`` keeps looked-up names between tasks. ``full_metadata`` spends one more request per conversation on
    the metadata of its recordings. ``allowed`` names the participant attributes that are kept. A job is tried
    from so many conversations on.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        organization: str,
        names_file: Path | None = None,
        full_metadata: bool = False,
        allowed: Sequence[str] = (),
        job_from_hits: int = WORTH_A_JOB,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = f"conversations:{organization}"
        self.organization = organization
        self.chunk = ITEMS_PER_BATCH
        self._client, self._now, self._job_from_hits = client, now, job_from_hits
        self._query, self._jobs = DetailsQuery(client), DetailsJobs(client, sleep)
        playback = Playback(client, sleep)
        self._minting, self._names = Minting(Batches(client, sleep, clock)), Names(client, names_file, now)
        self._orphans = Orphans(client, playback, self._minting)
        self._lister = Lister(playback, self._minting, self._names, full_metadata, frozenset(allowed))

    @property
    def requests(self) -> int:
        """Requests made to the API so far."""
        return self._client.requests

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List conversations that may have recordings, and orphans, as wholes: by id, or that began in ``window``."""
        if not ids and window is None:
            raise ConfigurationError("Name interaction ids, a date range, or both: the whole source is never listed")
        return self._discovered(ids, window)

    def resolve(self, parts: Sequence[PartId], *, thrifty: bool = False) -> Iterator[Listing]:
        """Ask for the media of ``parts``, a hundred conversations or recordings to a batch request."""
        for start in range(0, len(parts), self.chunk):
            yield from self._resolved(parts[start : start + self.chunk], thrifty=thrifty)

    def order(self, parts: Sequence[PartId]) -> None:
        """Submit the batch request of a chunk that `resolve` will be asked for; an error is told there."""
        self._minting.order(_items(parts))

    def renew(self, part: PartId) -> str:
        """One fresh media URL."""
        return self._minting.renew(part)

    def probe(self) -> Probe:
        """Get a token, see what it may do and see, and ask for one conversation of the last day."""
        before, end = self._client.requests, self._now()
        self._client.scopes()
        access = try_access(self._client, self._query, Window(end - timedelta(days=1), end))
        return Probe(self._client.api_base, None, access.listed, self._client.requests - before, access.notes)

    def inventory(self) -> Iterator[Stored]:
        """Every recording that the service keeps, with its delete date; then orphans, which have none."""
        yield from inventory(self._client)
        yield from (Stored(each.id, each.id, each.created_at, None) for each in self._orphans.every())

    def _discovered(self, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        if ids:
            conversations = self._query.by_ids(ids)
            found: Iterator[Conversation] = iter(conversations.values())
            others = (self._orphans.get(name) for name in dict.fromkeys(ids) if name not in conversations)
            orphans: Iterator[Orphan] = (each for each in others if each is not None)
        elif window is not None:
            found, orphans = self._began_in(window), self._orphans.created_in(window)
        for listing in chain(map(_whole, found), (each.whole() for each in orphans)):
            date = listing.interaction_date
            if window is None or date is None or date in window:
                yield listing

    def _began_in(self, window: Window) -> Iterator[Conversation]:
        """Long ranges from the data lake as far as it reaches, the rest by query."""
        lake = self._lake(window)
        if lake is None:
            yield from self._query.began_in(window)
            return
        try:
            yield from self._jobs.active_in(lake)
        except (PermanentError, TransientError) as error:
            log.warning("Details job failed, asking by query instead: %s", error)
            yield from self._query.began_in(lake)
        if lake.end < window.end:
            yield from self._query.began_in(Window(lake.end, window.end))

    def _lake(self, window: Window) -> Window | None:
        """The beginning of ``window`` that the data lake has, where a job costs less than paging."""
        hits = self._query.count(window)
        if hits is not None and hits < self._job_from_hits:
            return None
        try:
            until = self._jobs.available_until()
        except (RejectedError, NotFoundError, AccessError) as error:
            log.warning("Details jobs are not available: %s", error)
            return None
        if until is None or until - window.start < SHORTEST_JOB:
            return None
        return Window(window.start, min(until, window.end))

    def _resolved(self, parts: Sequence[PartId], *, thrifty: bool) -> Iterator[Listing]:
        conversations = self._query.by_ids([part.interaction_id for part in parts])
        wanted = [_wanted(each, parts, thrifty=thrifty) for each in conversations.values()]
        items = [item for item in _items(parts) if item[0] in conversations]
        results = self._minting.mint(items) if items else []
        by_conversation: dict[str, list[MediaResult]] = {name: [] for name in conversations}
        for result in results:
            by_conversation.get(result.conversation_id, []).append(result)
        ids: dict[str, set[str]] = {}
        for each in conversations.values():
            for kind, names in ids_of(each).items():
                ids.setdefault(kind, set()).update(names)
        self._names.load(ids)
        for asked in wanted:
            yield from self._lister.listings(asked, by_conversation[asked.conversation.id], self._now())
        for name in dict.fromkeys(part.interaction_id for part in parts if part.interaction_id not in conversations):
            yield from self._other([part for part in parts if part.interaction_id == name])

    def _other(self, parts: Sequence[PartId]) -> Iterator[Listing]:
        """What is no conversation, or no longer shown as one: an orphan recording perhaps."""
        orphan = self._orphans.get(parts[0].interaction_id)
        if orphan is not None:
            named = [part for part in parts if not part.is_whole]
            yield from self._orphans.listings(orphan, named, self._now())
            return
        yield from (Listing(part, None, None, None, defect=_GONE) for part in parts if part.is_whole)


def _whole(each: Conversation) -> Listing:
    """A conversation whose recordings are not known yet; its length tells how large a batch will be."""
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


def _wanted(each: Conversation, parts: Sequence[PartId], *, thrifty: bool) -> WantedParts:
    mine = [part for part in parts if part.interaction_id == each.id]
    named = tuple(part for part in mine if not part.is_whole)
    return WantedParts(each, any(part.is_whole for part in mine), named, thrifty)


def _items(parts: Sequence[PartId]) -> list[Item]:
    """Whole conversations, and of the others each recording, once."""
    wholes = {part.interaction_id for part in parts if part.is_whole}
    named = ((part.interaction_id, None if part.interaction_id in wholes else part.recording_id) for part in parts)
    return list(dict.fromkeys(named))
