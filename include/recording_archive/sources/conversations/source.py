"""The public Genesys Cloud platform API as a source.

Details show which conversations may have recordings; they are listed as wholes, because naming their recordings would
cost a request each. The download task asks for the media of a hundred at once, which names recordings and parts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recording_archive.catalog.rows import chunked
from recording_archive.errors import ArchiveError, ConfigurationError
from recording_archive.model import Listing, PartId, Window
from recording_archive.sources import NOTHING_KNOWN, Account, Probe, Sample, Stored
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.again import AskedAgain
from recording_archive.sources.conversations.aged import Aged
from recording_archive.sources.conversations.batches import ITEMS_PER_BATCH, Batches, Item, MediaResult
from recording_archive.sources.conversations.discovery import Discovery
from recording_archive.sources.conversations.facts import FactFinder, WantedParts
from recording_archive.sources.conversations.inventory import inventory
from recording_archive.sources.conversations.jobs import WORTH_A_JOB, DetailsJobs
from recording_archive.sources.conversations.join import ids_of
from recording_archive.sources.conversations.listing import STUCK, Lister, troubled
from recording_archive.sources.conversations.minting import Minted, Minting
from recording_archive.sources.conversations.names import Names
from recording_archive.sources.conversations.orphans import Orphans
from recording_archive.sources.conversations.permissions import try_access
from recording_archive.sources.conversations.playback import Playback
from recording_archive.sources.conversations.query import DetailsQuery
from recording_archive.sources.conversations.reading import Conversation
from recording_archive.sources.conversations.rehearsal import Rehearsal
from recording_archive.sources.conversations.troubles import Trouble, Troubles, hindered

__all__ = ["ConversationsSource"]

log = logging.getLogger(__name__)

_GONE = (
    "conversation details do not show it any more: was it moved to a division that the OAuth client has no role in, or "
    "was it an orphan recording that was recovered since, and is archived with its conversation?"
)


class ConversationsSource:
    """Lists conversations of one organization; ``recording_id`` is Genesys' own, parts are the files of a recording.

    ``names_file`` keeps looked-up names between tasks. ``full_metadata`` spends one more request per conversation on
    the metadata of its recordings. ``allowed`` names the participant attributes that are kept. A
    details job is tried for a range of ``job_from_hits`` conversations or more.
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
        self._client, self._now = client, now
        self._query = DetailsQuery(client)
        self._troubles = Troubles()
        self._playback = playback = Playback(client, sleep)
        self._minting, self._names = Minting(Batches(client, sleep, clock)), Names(client, names_file, now)
        self._rehearsal = Rehearsal(client, lambda: Batches(client, sleep, clock), playback, clock, now)
        self._orphans = Orphans(client, playback, self._minting, self._troubles)
        jobs = DetailsJobs(client, sleep)
        self._aged = Aged(jobs, now)
        self._discovery = Discovery(self._query, jobs, self._aged, self._orphans, job_from_hits)
        finder = FactFinder(playback, self._troubles, full_metadata, frozenset(allowed))
        self._lister = Lister(finder, playback, self._minting, self._names, self._troubles)

    @property
    def requests(self) -> int:
        """Requests made to the API so far."""
        return self._client.requests

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List conversations that may have recordings, and orphans, as wholes: by id, or that began in ``window``."""
        if not ids and window is None:
            raise ConfigurationError("Name interaction ids, a date range, or both: the whole source is never listed")
        return self._discovery.listings(ids, window)

    def account(self) -> Account:
        """The account of what was listed: conversations that could not be, orphans and attributes that were refused."""
        found = self._discovery.account()
        return replace(found, notes=(*found.notes, *self._playback.notes))

    def resolve(
        self,
        parts: Sequence[PartId],
        *,
        thrifty: bool = False,
        known: Collection[PartId] = (),
        began: Mapping[str, datetime] = NOTHING_KNOWN,
    ) -> Iterator[Listing]:
        """Ask for the media of ``parts``, a hundred conversations or recordings to a batch request."""
        for chunk in chunked(parts, self.chunk):
            yield from self._resolved(chunk, AskedAgain.among(chunk, known), began, thrifty=thrifty)

    def order(self, parts: Sequence[PartId]) -> None:
        """Submit the batch request of a chunk that `resolve` will be asked for; an error is raised there."""
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

    def rehearse(self) -> Iterator[Sample]:
        """One recent conversation of each kind of media, through batch and playback."""
        return self._rehearsal.samples()

    def inventory(self) -> Iterator[Stored]:
        """Every recording that the service keeps, with its delete date; then orphans, which have none."""
        yield from inventory(self._client)
        yield from (Stored(each.id, each.id, each.created_at, None) for each in self._orphans.every())

    def _resolved(
        self, parts: Sequence[PartId], again: AskedAgain, began: Mapping[str, datetime], *, thrifty: bool
    ) -> Iterator[Listing]:
        new = [part.interaction_id for part in parts if part.interaction_id not in again.parts]
        conversations, troubles = self._shown(new, began)
        long_ago = {name for name, moment in began.items() if moment < self._now() - STUCK}
        names = {*conversations, *again.conversations}
        items = [item for item in _items(parts) if item[0] in names]
        minted = self._minting.mint(items) if items else Minted()
        results: dict[str, list[MediaResult]] = {name: [] for name in names}
        for result in minted.results:
            results.get(result.conversation_id, []).append(result)
        late = [
            each for each in again.conversations if each in minted.incomplete or again.has_news(each, results[each])
        ]
        shown, hidden = self._query.by_ids(late)
        conversations, troubles = conversations | shown, troubles | hidden
        for name in again.parts:
            yield from again.listings(name)
        for part in parts:
            if part.interaction_id in troubles:
                yield hindered(part, troubles[part.interaction_id], old=part.interaction_id in long_ago)
        self._load_names(conversations.values())
        # those that need no more requests first: an error that ends the listing costs none of them
        for name in sorted(conversations, key=lambda name: not all(each.url for each in results[name])):
            known = again.without_news(name, results[name])
            asked = _wanted(conversations[name], parts, thrifty=thrifty, known=known)
            yield from self._listed(asked, results[name], incomplete=name in minted.incomplete)
        done = {*conversations, *troubles, *(again.parts.keys() - set(late))}
        for name in dict.fromkeys(part.interaction_id for part in parts if part.interaction_id not in done):
            yield from self._other([part for part in parts if part.interaction_id == name], old=name in long_ago)

    def _shown(
        self, ids: Sequence[str], began: Mapping[str, datetime]
    ) -> tuple[dict[str, Conversation], dict[str, Trouble]]:
        """The details of conversations, by id or by a job; then those with a trouble."""
        shown, troubles = self._query.by_ids(ids)
        older, unknown = self._aged.by_ids([name for name in ids if name not in {*shown, *troubles}], began)
        return shown | older, troubles | unknown

    def _listed(self, asked: WantedParts, results: Sequence[MediaResult], *, incomplete: bool) -> Sequence[Listing]:
        """All of one conversation or none of it; whatever goes wrong with it stays with it."""
        try:
            return list(self._lister.listings(asked, results, self._now(), incomplete=incomplete))
        except ArchiveError:
            raise
        except Exception as error:  # one strange conversation must not stop the others
            log.exception("%s: unexpected error", asked.conversation.id)
            unexpected = f"unexpected {type(error).__name__}: see the log of this task, and report it"
            return list(troubled(asked, Trouble(unexpected)))

    def _load_names(self, conversations: Iterable[Conversation]) -> None:
        ids: dict[str, set[str]] = {}
        for each in conversations:
            for kind, names in ids_of(each).items():
                ids.setdefault(kind, set()).update(names)
        self._names.load(ids)

    def _other(self, parts: Sequence[PartId], *, old: bool) -> Iterator[Listing]:
        """List an id that is no conversation, or no longer shown as one: an orphan recording perhaps."""
        name = parts[0].interaction_id
        orphan = self._troubles.ask("orphan", lambda: self._orphans.get(name))
        if isinstance(orphan, Trouble):
            yield from (hindered(part, orphan, old=old) for part in parts)
        elif orphan is not None:
            named = [part for part in parts if not part.is_whole]
            yield from self._orphans.listings(orphan, named, self._now())
        else:
            yield from (Listing(part, None, None, None, defect=_GONE) for part in parts if part.is_whole)


def _wanted(
    each: Conversation, parts: Sequence[PartId], *, thrifty: bool, known: frozenset[str] = frozenset()
) -> WantedParts:
    mine = [part for part in parts if part.interaction_id == each.id]
    named = tuple(part for part in mine if not part.is_whole)
    return WantedParts(each, any(part.is_whole for part in mine), named, thrifty, known)


def _items(parts: Sequence[PartId]) -> list[Item]:
    """Whole conversations, and of the others each recording, once."""
    wholes = {part.interaction_id for part in parts if part.is_whole}
    named = ((part.interaction_id, None if part.interaction_id in wholes else part.recording_id) for part in parts)
    return list(dict.fromkeys(named))
