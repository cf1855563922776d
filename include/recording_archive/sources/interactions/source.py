"""The interactions API as a source: one media file per interaction, listed page by page."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from recording_archive.catalog.rows import chunked
from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.model import Listing, PartId, Window
from recording_archive.sources import NOTHING_KNOWN, Handout, Probe, Sample
from recording_archive.sources.client import ApiClient
from recording_archive.sources.interactions.query import INTERACTIONS_PATH, InteractionsQuery, filter_clauses
from recording_archive.sources.interactions.reading import read_entry
from recording_archive.sources.replies import MalformedReplyError, NotFoundError
from recording_archive.spelling.ids import is_guid

__all__ = ["InteractionsSource"]

log = logging.getLogger(__name__)

IDS_PER_QUERY = 50


class InteractionsSource:
    """Lists interactions of one organization; ``interaction_id = recording_id = id``, part 0."""

    def __init__(
        self,
        client: ApiClient,
        *,
        organization: str,
        page_size: int = 50,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = f"interactions:{organization}"
        self.organization = organization
        self._client = client
        self._query = InteractionsQuery(client, page_size)
        self.chunk = IDS_PER_QUERY
        self._now = now

    @property
    def requests(self) -> int:
        """Requests made to the API so far."""
        return self._client.requests

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List what has one of ``ids``, a GUID in either case, and lies in ``window``, newest first, page by page."""
        if not ids and window is None:
            raise ConfigurationError("Name interaction ids, a date range, or both: the whole source is never listed")
        return self._named(ids, window) if ids else self._listed((), window)

    def resolve(
        self,
        parts: Sequence[PartId],
        *,
        thrifty: bool = False,  # noqa: ARG002 - is it always
        known: Collection[PartId] = (),  # noqa: ARG002 - no interaction is listed as a whole
        began: Mapping[str, datetime] = NOTHING_KNOWN,  # noqa: ARG002 - the query has them all
    ) -> Iterator[Listing]:
        """List ``parts`` again, 50 to a query; the next query goes out when the last listing of one was taken."""
        for chunk in chunked(dict.fromkeys(part.interaction_id for part in parts), self.chunk):
            yield from self._listed(chunk, None)

    def renew(self, part: PartId) -> str:
        """One fresh media URL, by ``GET …/interactions/{id}``."""
        asked = part.interaction_id

        def read(reply: Any) -> str:
            listing = read_entry(reply, "the reply", asked)
            if listing.media_url is None:
                raise MalformedReplyError("mediaUrl is missing or no text")
            return listing.media_url

        try:
            return self._client.get(f"{INTERACTIONS_PATH}/{quote(asked, safe='')}", read)
        except NotFoundError as error:
            raise PermanentError(
                f"{part}: the source no longer has it, or hides it from the OAuth client's divisions ({error})"
            ) from error

    def probe(self) -> Probe:
        """Get a token and ask for one entry of the last day."""
        before = self._client.requests
        scopes = self._client.scopes()
        end = self._now()
        page = self._query.page(filter_clauses((), Window(end - timedelta(days=1), end)), None, 1)
        return Probe(self._client.api_base, scopes, len(page.entries), self._client.requests - before)

    def rehearse(self) -> Iterator[Sample]:
        """The newest interaction of a month, by the query and by its own request."""
        begun, end = time.monotonic(), self._now()
        page = self._query.page(filter_clauses((), Window(end - timedelta(days=30), end)), None, 1)
        found = next(iter(page.entries.values()), None)
        if found is None or not found.media_url:
            yield Sample("media", note=(found and found.defect) or "none in the last 30 days")
            return
        asked = time.monotonic()
        query = Handout("query", asked - begun, 1, (found.media_url,))
        renewal = Handout("renewal", 0, 1, (self.renew(found.part_id),))
        date = found.interaction_date.isoformat(timespec="minutes") if found.interaction_date else None
        facts = {"ended": date, "checksum": found.expected_sha256 is not None}
        handouts = (query, replace(renewal, waited_s=time.monotonic() - asked))
        yield Sample("media", (found.part_id.interaction_id,), facts, handouts)

    def _named(self, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List what has one of ``ids``; GUIDs that are not found are asked for in capitals, as some services list."""
        seen = set[str]()
        for chunk in chunked(dict.fromkeys(ids), self.chunk):
            for listing in self._listed(chunk, window):
                seen.add(listing.part_id.interaction_id)
                yield listing
        unseen = (each for each in dict.fromkeys(ids) if is_guid(each) and each not in seen and each != each.upper())
        for chunk in chunked(map(str.upper, unseen), self.chunk):
            yield from self._listed(chunk, window)

    def _listed(self, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        asked = frozenset(ids)
        for new in self._query.pages(filter_clauses(ids, window)):
            stray = [name for name in new if asked and name not in asked]
            if stray:
                log.warning("Left out %d results that were not asked for, %.120r first", len(stray), stray[0])
            for name, listing in new.items():
                if (not asked or name in asked) and _is_within(listing, window):
                    yield listing


def _is_within(listing: Listing, window: Window | None) -> bool:
    """Undated parts are always within: better listed each day than never."""
    return window is None or listing.interaction_date is None or listing.interaction_date in window
