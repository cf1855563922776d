"""The interactions query, ``POST …/interactions/query``: its filter, and pages until their true end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.model import Listing, Window
from recording_archive.sources.client import ApiClient
from recording_archive.sources.interactions.reading import InteractionsPage, read_page
from recording_archive.sources.replies import NotFoundError

__all__ = ["INTERACTIONS_PATH", "InteractionsQuery", "PageProgress", "filter_clauses"]

INTERACTIONS_PATH = "/api/v2/recording/interactions"
QUERY_PATH = f"{INTERACTIONS_PATH}/query"
RECENT_PAGES = 20  # pages whose ids are remembered, so that memory does not grow with the number of recordings


class InteractionsQuery:
    """Asks for pages of ``page_size`` entries, newest first."""

    def __init__(self, client: ApiClient, page_size: int) -> None:
        self._client = client
        self._page_size = page_size

    def pages(self, clauses: str) -> Iterator[Mapping[str, Listing]]:
        """Give each page's entries that the pages before it did not have, by id."""
        progress = PageProgress()
        token: str | None = None
        while True:
            page = self.page(clauses, token, self._page_size)
            yield progress.advance(page)
            token = page.next_token
            if token is None:
                return

    def page(self, clauses: str, token: str | None, limit: int) -> InteractionsPage:
        """Ask for one page; ConfigurationError where the host has no interactions API."""
        body = {"filter": clauses, "sortBy": "interactionDate DESC", "limit": limit}
        if token is not None:
            body["pageToken"] = token
        try:
            return self._client.post(QUERY_PATH, body, read_page)
        except NotFoundError as error:
            raise ConfigurationError(
                f"There is no interactions API ({error}); check `api`, host and `api_base` of the connection"
            ) from error


class PageProgress:
    """Sees that paging comes to an end, in constant memory.

    A page that goes on (has a next token) must bring an id that the last pages had not. Longer circles are found by
    Brent's method (BIT 20, 1980): each page is compared with one kept page, which moves on after 1, 2, 4, 8 … pages; a
    circle of n pages is seen within some 3 n. The error is permanent: tokens come from the query, so asking again
    would walk the same circle, and pages left out unseen could not be distinguished from pages that never were.
    """

    def __init__(self) -> None:
        self._recent: deque[frozenset[str]] = deque(maxlen=RECENT_PAGES)
        self._last_token: str | None = None
        self._kept: tuple[str | None, frozenset[str]] = (None, frozenset())
        self._steps = 0
        self._patience = 1

    def advance(self, page: InteractionsPage) -> Mapping[str, Listing]:
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

    def _new(self, page: InteractionsPage) -> Mapping[str, Listing]:
        return {name: entry for name, entry in page.entries.items() if not any(name in ids for ids in self._recent)}


def filter_clauses(ids: Sequence[str], window: Window | None) -> str:
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
