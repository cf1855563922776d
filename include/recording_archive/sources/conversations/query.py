"""The details query: windows that shrink until the service takes them, and pages to the true end.

How long an interval may be and how many results can be paged is not the same everywhere and changes over time, so
neither is written down here: a window that is refused is halved, and what was learned holds for the windows after it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import quote

from recording_archive.catalog.rows import chunked
from recording_archive.errors import PermanentError
from recording_archive.model import Window
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.reading import Conversation, read_conversations
from recording_archive.sources.conversations.troubles import Trouble, halved
from recording_archive.sources.replies import MalformedReplyError, RejectedError

__all__ = ["IDS_PER_REQUEST", "SEGMENT_FILTERS", "DetailsQuery", "interval_of"]

log = logging.getLogger(__name__)

DETAILS_PATH = "/api/v2/analytics/conversations/details"
QUERY_PATH = f"{DETAILS_PATH}/query"
PAGE_SIZE = 100
IDS_PER_REQUEST = 100
SHORTEST = timedelta(minutes=1)

_FLAGS = ("recording", "screenRecording", "snippetRecording")
_WRITTEN = ("chat", "email", "message")


def _predicate(dimension: str, value: str) -> dict[str, str]:
    return {"type": "dimension", "dimension": dimension, "operator": "matches", "value": value}


#: Sound and screens by the flag that a recording was started; written media, which have no flag, by their type.
SEGMENT_FILTERS = [
    {
        "type": "or",
        "predicates": [
            *(_predicate(flag, "true") for flag in _FLAGS),
            *(_predicate("mediaType", kind) for kind in _WRITTEN),
        ],
    }
]


def interval_of(window: Window) -> str:
    """``start/end`` in UTC, as the API reads it."""
    ends = (moment.astimezone(UTC).isoformat(timespec="milliseconds") for moment in (window.start, window.end))
    return "/".join(text.replace("+00:00", "Z") for text in ends)


@dataclass(frozen=True, slots=True)
class _DetailsPage:
    conversations: Sequence[Conversation]
    total: int | None


class DetailsQuery:
    """Lists conversations that began in a window, or that have given ids."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._longest: timedelta | None = None
        self._most: int | None = None

    def began_in(self, window: Window) -> Iterator[Conversation]:
        """List conversations that began in ``window``; one may come twice when a window had to be halved on its way."""
        left = deque([window])
        while left:
            current = left.popleft()
            if self._longest is not None and current.end - current.start > self._longest:
                left.extendleft(reversed(_halves(current)))
                continue
            try:
                yield from (each for each in self._pages(current) if _is_within(each, current))
            except (RejectedError, _TooManyError) as error:
                if current.end - current.start <= SHORTEST:
                    raise
                log.info("The details query refused %s, asking for halves: %s", interval_of(current), error)
                left.extendleft(reversed(_halves(current)))

    def by_ids(self, ids: Sequence[str]) -> tuple[dict[str, Conversation], dict[str, Trouble]]:
        """Return those of ``ids`` that exist and that the client's divisions show; then those with a trouble."""
        found: dict[str, Conversation] = {}
        troubles: dict[str, Trouble] = {}
        for chunk in chunked(dict.fromkeys(ids), IDS_PER_REQUEST):
            for some, listed in halved(chunk, self._named):
                if isinstance(listed, Trouble):
                    troubles |= dict.fromkeys(some, listed)
                else:
                    found |= {each.id: each for each in listed if each.id in some}
        return found, troubles

    def _named(self, ids: Sequence[str], attempts: int | None) -> list[Conversation]:
        named = ",".join(quote(name, safe="") for name in ids)
        return self._client.get(f"{DETAILS_PATH}?id={named}", read_conversations, attempts=attempts)

    def count(self, window: Window) -> int | None:
        """Count the conversations of a window; None where it is too long to be asked for at once."""
        try:
            return self._page(window, 1, 1).total
        except RejectedError:
            return None

    def probe(self, window: Window) -> int:
        """Ask for one conversation; return how many came."""
        return len(self._page(window, 1, 1).conversations)

    def _pages(self, window: Window) -> Iterator[Conversation]:
        before: list[str] = []
        number = seen = 0
        total: int | None = None
        while True:
            number += 1
            try:
                page = self._page(window, number, PAGE_SIZE)
            except RejectedError:
                if total is not None and seen >= total:
                    return  # all of them came, and the page behind them is beyond what can be paged
                self._learn(window, number)
                raise
            ids = [each.id for each in page.conversations]
            seen, total = seen + len(ids), total if page.total is None else page.total
            if not ids:
                if total is not None and seen < total:
                    if seen and seen % PAGE_SIZE == 0:  # whole pages alone: this is how far paging goes
                        self._most = seen
                        raise _TooManyError(f"{total} results, and none behind the first {seen}")
                    log.warning("The details query of %s gave %d of %d", interval_of(window), seen, total)
                return
            if ids == before:
                raise PermanentError(f"POST {QUERY_PATH} gives the same page twice: the list has no end; report it")
            if number == 1 and self._most is not None and (page.total or 0) > self._most:
                raise _TooManyError(f"{page.total} results, and only {self._most} can be paged")
            yield from page.conversations
            before = ids

    def _learn(self, window: Window, number: int) -> None:
        """A refused first page tells how long a window may be, a later one how far paging goes."""
        if number == 1:
            self._longest = max((window.end - window.start) / 2, SHORTEST)
        else:
            self._most = (number - 1) * PAGE_SIZE

    def _page(self, window: Window, number: int, size: int) -> _DetailsPage:
        body = {
            "interval": interval_of(window),
            "order": "asc",
            "orderBy": "conversationStart",
            "paging": {"pageSize": size, "pageNumber": number},
            "segmentFilters": SEGMENT_FILTERS,
        }
        return self._client.post(QUERY_PATH, body, _read_page)


class _TooManyError(PermanentError):
    """More results than can be paged."""


def _read_page(reply: Any) -> _DetailsPage:
    found = read_conversations(reply)
    total = reply.get("totalHits")
    if total is not None and (isinstance(total, bool) or not isinstance(total, int)):
        raise MalformedReplyError("totalHits is no number")
    return _DetailsPage(found, total)


def _is_within(each: Conversation, window: Window) -> bool:
    """Undated conversations are always within: better listed each day than never."""
    return each.started_at is None or each.started_at in window


def _halves(window: Window) -> list[Window]:
    middle = window.start + (window.end - window.start) / 2
    middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)  # the interval has milliseconds
    return [Window(window.start, middle), Window(middle, window.end)]
