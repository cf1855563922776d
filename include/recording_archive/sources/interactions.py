"""The interactions API as a source: one media file per interaction, listed by ``POST …/interactions/query``.

A page is read whole or not at all: an entry that cannot be named makes the page malformed (asked again, then an error),
while one that can be named but not archived becomes a Listing with a ``defect``. Nothing the source lists is lost.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.model import Attributes, Listing, PartId, Window, is_safe_id
from recording_archive.sources import Probe
from recording_archive.sources.client import ApiClient
from recording_archive.sources.replies import MalformedReplyError, NotFoundError, as_object
from recording_archive.sources.texts import harmless, plain

__all__ = ["InteractionsSource"]

log = logging.getLogger(__name__)

INTERACTIONS_PATH = "/api/v2/recording/interactions"
QUERY_PATH = f"{INTERACTIONS_PATH}/query"
IDS_PER_QUERY = 50
RECENT_PAGES = 20  # pages whose ids are remembered, so that memory does not grow with the number of recordings
DURATION_MAX_MS = 2**63 - 1  # what a database column holds

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_TEXT_ATTRIBUTES = {
    "agent_id": "agentId",
    "agent_name": "agentName",
    "queue_id": "queueId",
    "queue_name": "queueName",
    "ani": "ani",
    "dnis": "dnis",
    "direction": "direction",
    "media_type": "mediaType",
    "division": "division",
    "contact_id": "contactId",
}


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
        self._page_size = page_size
        self.chunk = IDS_PER_QUERY
        self._now = now

    @property
    def requests(self) -> int:
        """Requests made to the API so far."""
        return self._client.requests

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List what has one of ``ids`` and lies in ``window``, newest first, page by page."""
        if not ids and window is None:
            raise ConfigurationError("Name interaction ids, a date range, or both: the whole source is never listed")
        chunks = _chunks(ids) if ids else [()]
        return (listing for chunk in chunks for listing in self._listed(chunk, window))

    def resolve(self, parts: Sequence[PartId], *, thrifty: bool = False) -> Iterator[Listing]:  # noqa: ARG002 - is it always
        """List ``parts`` again, 50 to a query; the next query goes out when the last listing of one was taken."""
        for chunk in _chunks([part.interaction_id for part in parts]):
            yield from self._listed(chunk, None)

    def renew(self, part: PartId) -> str:
        """One fresh media URL, by ``GET …/interactions/{id}``."""
        asked = part.interaction_id

        def read(reply: Any) -> str:
            listing = _read_entry(reply, "the reply", asked)
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
        page = self._page(_filter((), Window(end - timedelta(days=1), end)), None, 1)
        return Probe(self._client.api_base, scopes, len(page.entries), self._client.requests - before)

    def _listed(self, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        asked = frozenset(ids)
        for new in self._pages(_filter(ids, window)):
            stray = [name for name in new if asked and name not in asked]
            if stray:
                log.warning("Left out %d results that were not asked for, %.120r first", len(stray), stray[0])
            for name, listing in new.items():
                if (not asked or name in asked) and _is_within(listing, window):
                    yield listing

    def _pages(self, clauses: str) -> Iterator[Mapping[str, Listing]]:
        """What each page has that the pages before it had not, by id."""
        progress = _Progress()
        token: str | None = None
        while True:
            page = self._page(clauses, token, self._page_size)
            yield progress.advance(page)
            token = page.next_token
            if token is None:
                return

    def _page(self, clauses: str, token: str | None, limit: int) -> _Page:
        body = {"filter": clauses, "sortBy": "interactionDate DESC", "limit": limit}
        if token is not None:
            body["pageToken"] = token
        try:
            return self._client.post(QUERY_PATH, body, _read_page)
        except NotFoundError as error:
            raise ConfigurationError(
                f"There is no interactions API ({error}); check `api`, host and `api_base` of the connection"
            ) from error


@dataclass(frozen=True, slots=True)
class _Page:
    entries: Mapping[str, Listing]
    next_token: str | None


class _Progress:
    """Sees that paging comes to an end, in constant memory.

    A page that goes on (has a next token) must bring an id that the last pages had not. Longer circles are found by
    Brent's method (BIT 20, 1980): each page is compared with one kept page, which moves on after 1, 2, 4, 8 … pages; a
    circle of n pages is seen within some 3 n. The error is permanent: tokens come from the query, so asking again
    would walk the same circle, and pages left out unseen could not be told from pages that never were.
    """

    def __init__(self) -> None:
        self._recent: deque[frozenset[str]] = deque(maxlen=RECENT_PAGES)
        self._last_token: str | None = None
        self._kept: tuple[str | None, frozenset[str]] = (None, frozenset())
        self._steps = 0
        self._patience = 1

    def advance(self, page: _Page) -> Mapping[str, Listing]:
        """Take ``page`` as read and give what is new in it; PermanentError where it leads in a circle."""
        new, ids = self._new(page), frozenset(page.entries)
        if page.next_token is not None:
            self._refuse_circle(page.next_token, ids, has_new=bool(new))
        self._recent.append(ids)
        self._last_token = page.next_token
        self._steps += 1
        if self._steps == self._patience:
            self._kept, self._steps, self._patience = (page.next_token, ids), 0, self._patience * 2
        return new

    def _refuse_circle(self, token: str, ids: frozenset[str], *, has_new: bool) -> None:
        kept_token, kept_ids = self._kept
        wrong = ""
        if token in {self._last_token, kept_token}:
            wrong = "gives the same nextPageToken twice"
        elif not has_new or ids == kept_ids:
            wrong = "gives a nextPageToken on a page without new results"
        if wrong:
            raise PermanentError(
                f"POST {QUERY_PATH} {wrong}: the list has no end and may not be whole. "
                "Report it to the owner of the API; a shorter date range may avoid it until then"
            )

    def _new(self, page: _Page) -> Mapping[str, Listing]:
        return {name: entry for name, entry in page.entries.items() if not any(name in ids for ids in self._recent)}


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    unique = list(dict.fromkeys(ids))
    return [unique[start : start + IDS_PER_QUERY] for start in range(0, len(unique), IDS_PER_QUERY)]


def _filter(ids: Sequence[str], window: Window | None) -> str:
    """The clauses asked for, ANDed. Whole seconds around the window, and its end included: the reply is clamped."""
    clauses = []
    if ids:
        clauses.append(f"(interactionId IN ({','.join(map(_quoted, ids))}))")
    if window is not None:
        start, end = _second(window.start), _second(window.end + timedelta(microseconds=999_999))
        clauses.append(f"(interactionDate >= {_quoted(start)} AND interactionDate <= {_quoted(end)})")
    return " AND ".join(clauses)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _is_within(listing: Listing, window: Window | None) -> bool:
    """Undated parts are always within: better listed each day than never."""
    return window is None or listing.interaction_date is None or listing.interaction_date in window


def _read_page(reply: Any) -> _Page:
    """Check a page by type. An absent next token is as null: the end."""
    page = as_object(reply)
    results, token = page.get("results"), page.get("nextPageToken")
    if not isinstance(results, list):
        raise MalformedReplyError("results is missing or no list")
    if token is not None and not isinstance(token, str):
        raise MalformedReplyError("nextPageToken is neither text nor null")
    entries: dict[str, Listing] = {}
    for index, entry in enumerate(results):
        listing = _read_entry(entry, f"results[{index}]")
        entries.setdefault(listing.part_id.interaction_id, listing)
    return _Page(entries, token or None)


def _read_entry(entry: Any, where: str, asked: str | None = None) -> Listing:
    """One interaction, whatever is wrong with it, provided it says which one it is."""
    if not isinstance(entry, dict):
        raise MalformedReplyError(f"{where} is no object")
    name = entry.get("id")
    if not isinstance(name, str) or not name or (asked is not None and name != asked):
        raise MalformedReplyError(f"{where}.id is missing, no text, or not the one asked for")
    name = plain(name)
    fields = harmless({key: value for key, value in entry.items() if key != "mediaUrl"})
    media_url, sha256 = _media_url(entry), _sha256(fields)
    return Listing(
        part_id=PartId(name, name),
        interaction_date=_date(name, fields.get("interactionDate")),
        media_url=media_url,
        expected_sha256=sha256,
        attributes=_attributes(fields),
        source_fields=fields,
        defect=_defect(name, media_url, sha256, fields.get("checksum")),
    )


def _defect(name: str, media_url: str | None, sha256: str | None, checksum: object) -> str | None:
    found = []
    if not is_safe_id(name):
        found.append(f"id {name!r:.120} cannot be part of a file name")
    if media_url is None:
        found.append("mediaUrl is missing or no text")
    if sha256 is None and checksum is not None:
        found.append(f"checksum {checksum!r:.80} is not a SHA-256")
    return "; ".join(found) or None


def _media_url(entry: Mapping[str, Any]) -> str | None:
    url = entry.get("mediaUrl")
    return url if isinstance(url, str) and url and url == plain(url) else None


def _sha256(fields: Mapping[str, Any]) -> str | None:
    text = fields.get("checksum")
    return text.lower() if isinstance(text, str) and _SHA256.fullmatch(text) else None


def _date(name: str, text: object) -> datetime | None:
    """ISO 8601 with a zone as UTC; None, and a warning, for anything else that is there: then the part is undated."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    log.warning("%.120r: interactionDate is not ISO 8601 with a zone; kept as undated", name)
    return None


def _attributes(fields: Mapping[str, Any]) -> Attributes:
    """The fields people search by, where the type is right; the wrong ones stay in ``source_fields``."""
    text = {ours: value for ours, key in _TEXT_ATTRIBUTES.items() if isinstance(value := fields.get(key), str)}
    duration = fields.get("durationMs")
    known = isinstance(duration, int) and not isinstance(duration, bool) and 0 <= duration <= DURATION_MAX_MS
    return Attributes(**text, duration_ms=duration if known else None)
