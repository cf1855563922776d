"""The details query: windows that shrink until the service takes them, and pages to the true end.

How long an interval may be and how many results can be paged is not the same everywhere and changes over time, so
neither is written down here: a window that is refused is halved, and what was learned holds for the windows after it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from recording_archive.catalog.rows import chunked
from recording_archive.errors import ArchiveError, PermanentError
from recording_archive.model import Window
from recording_archive.sources import Gap
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.details import (
    DETAILS_PATH,
    DetailsPage,
    details_of,
    interval_of,
    read_page,
)
from recording_archive.sources.conversations.pieces import Page, Unlisted, in_pieces
from recording_archive.sources.conversations.reading import Conversation, read_conversations
from recording_archive.sources.conversations.troubles import ONE, Trouble, halved, is_of_one
from recording_archive.sources.replies import RejectedError

__all__ = ["DetailsQuery"]

log = logging.getLogger(__name__)

QUERY_PATH = f"{DETAILS_PATH}/query"
PAGE_SIZE = 100
IDS_PER_REQUEST = 100
SHORTEST = timedelta(minutes=1)


class DetailsQuery:
    """Lists conversations that began in a window, or that have given ids.

    ``listed`` of ``counted`` conversations came, so far; ``gaps`` are those that did not, or could not be read.
    """

    def __init__(self, client: ApiClient) -> None:
        self.gaps: list[Gap] = []
        self.listed = 0
        self.counted: int | None = None
        self._client = client
        self._longest: timedelta | None = None
        self._most: int | None = None

    def began_in(self, window: Window) -> Iterator[Conversation]:
        """List conversations that began in ``window``; one may come twice when a window had to be halved on its way.

        One that cannot be read comes as its id alone, or is one of ``gaps``.
        """
        left, short = deque([window]), set[Window]()
        while left:
            current = left.popleft()
            if self._longest is not None and current.end - current.start > self._longest:
                left.extendleft(reversed(_halves(current)))
                continue
            try:
                for each in self._pages(current, again=current in short):
                    if _is_within(each, current):
                        yield each
            except _ShortError as error:
                log.warning("The details query of %s %s, asking for halves", interval_of(current), error)
                short.update(_halves(current))
                left.extendleft(reversed(_halves(current)))
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
        """Count the conversations of a window; None where it is too long to be asked for at once, or cannot be read."""
        try:
            return self._page(window, (1, 1)).total
        except ArchiveError as error:
            if not is_of_one(error):
                raise
            return None

    def probe(self, window: Window) -> int:
        """Ask for one conversation; return how many came."""
        return len(self._page(window, (1, 1)).conversations)

    def _pages(self, window: Window, *, again: bool) -> Iterator[Conversation]:
        """Page to the true end. A window that ends before as many came as were counted is a gap, if asked ``again``."""
        before: list[str] = []
        number = seen = unread = 0
        total: int | None = None
        while True:
            number += 1
            try:
                page = self._page(window, (number, PAGE_SIZE))
            except ArchiveError as error:
                if isinstance(error, RejectedError) and total is not None and seen >= total:
                    self._count(seen, total, unread)
                    return  # all of them came, and the page behind them is beyond what can be paged
                page = self._in_pieces(window, number, error)
            ids = [each.id for each in page.conversations]
            seen, total = seen + len(ids) + page.hidden, total if page.total is None else page.total
            unread += page.hidden
            if not ids and not page.hidden:
                if total is not None and seen < total:
                    if seen and seen % PAGE_SIZE == 0:  # whole pages alone: this is how far paging goes
                        self._most = seen
                        raise _TooManyError(f"{total} results, and none behind the first {seen}")
                    self._fall_short(window, seen, total, again=again)
                self._count(seen, total, unread)
                return
            if ids and ids == before:
                raise PermanentError(f"POST {QUERY_PATH} gives the same page twice: the list has no end; report it")
            if number == 1 and self._most is not None and (page.total or 0) > self._most:
                raise _TooManyError(f"{page.total} results, and only {self._most} can be paged")
            yield from page.conversations
            before = ids

    def _fall_short(self, window: Window, seen: int, total: int, *, again: bool) -> None:
        """Raise at first, so that the halves are asked for; then the shortfall is a gap."""
        shortfall = f"gave {seen} of {total}"
        if not again and window.end - window.start > SHORTEST:
            raise _ShortError(shortfall)
        log.warning("The details query of %s %s", interval_of(window), shortfall)
        self.gaps.append(Gap(window, total - seen, f"the details query {shortfall} conversations, halves and all"))

    def _count(self, seen: int, total: int | None, unread: int) -> None:
        self.listed += seen - unread
        self.counted = (self.counted or 0) + (seen if total is None else max(seen, total))

    def _in_pieces(self, window: Window, number: int, error: ArchiveError) -> DetailsPage:
        """The page that failed, without the conversations with which it fails; raise what is not theirs."""
        if not is_of_one(error):
            raise error
        if isinstance(error, RejectedError) and not self._can_be_paged(window, number):
            self._learn(window, number)
            raise error

        def ask(page: Page, attempts: int | None) -> Sequence[Conversation]:
            return self._page(window, page, attempts).conversations

        found: list[Conversation] = []
        after, hidden = window.start, list[tuple[datetime, str]]()
        for piece in in_pieces(ask, (number, PAGE_SIZE), error):
            if not isinstance(piece, Unlisted):
                found += piece
                after = max((each.started_at for each in piece if each.started_at), default=after)
            elif piece.name is not None:
                found.append(Conversation(piece.name, None, None, {}))
            else:
                hidden.append((after, piece.trouble.reason))
        self.gaps += [Gap(_around(since, found, window), 1, reason) for since, reason in hidden]
        return DetailsPage(found, None, len(hidden))

    def _can_be_paged(self, window: Window, number: int) -> bool:
        """Tell if a window, and its page of that number, can be asked for at all: then one entry of it was refused.

        Two places are tried, for the entry may be in one of them.
        """
        places = (1, 2) if number == 1 else (number * PAGE_SIZE, number * PAGE_SIZE - 1)
        return any(self._is_taken(window, place) for place in places)

    def _is_taken(self, window: Window, place: int) -> bool:
        try:
            self._page(window, (place, 1), ONE)
        except ArchiveError as error:
            if not is_of_one(error):
                raise
            return False
        return True

    def _learn(self, window: Window, number: int) -> None:
        """A refused first page tells how long a window may be, a later one how far paging goes."""
        if number == 1:
            self._longest = max((window.end - window.start) / 2, SHORTEST)
        else:
            self._most = (number - 1) * PAGE_SIZE

    def _page(self, window: Window, page: Page, attempts: int | None = None) -> DetailsPage:
        number, size = page
        body = {**details_of(window), "paging": {"pageSize": size, "pageNumber": number}}
        return self._client.post(QUERY_PATH, body, read_page, attempts=attempts)


class _ShortError(PermanentError):
    """A list that ended before as many came as were counted."""


class _TooManyError(PermanentError):
    """More results than can be paged."""


def _is_within(each: Conversation, window: Window) -> bool:
    """Undated conversations are always within: better listed each day than never."""
    return each.started_at is None or each.started_at in window


def _halves(window: Window) -> list[Window]:
    middle = window.start + (window.end - window.start) / 2
    middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)  # the interval has milliseconds
    return [Window(window.start, middle), Window(middle, window.end)]


def _around(since: datetime, found: Sequence[Conversation], window: Window) -> Window:
    """The range in which one began that comes after what began at ``since``, and before the next of ``found``."""
    later = (each.started_at for each in found if each.started_at is not None and each.started_at > since)
    until = min(later, default=window.end)
    return Window(max(since, window.start), max(min(until, window.end), window.start))
