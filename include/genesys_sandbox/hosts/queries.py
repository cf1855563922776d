"""The interactions query: reads a request body strictly and makes one page of the reply, wrong ones on demand."""

from __future__ import annotations

import json
import random
from collections.abc import Set
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from genesys_sandbox.cloud import Cloud
from genesys_sandbox.recordings.filters import FilterError, parse_filter
from genesys_sandbox.recordings.recording import Recording

MAX_LIMIT = 100
_SORTS = ("interactionDate DESC", "interactionDate ASC")


@dataclass(frozen=True, slots=True)
class Query:
    """One request for a page."""

    filter: str
    sort_by: str = _SORTS[0]
    limit: int = 50
    page_token: str | None = None

    @property
    def text(self) -> str:
        """Text that a page token is bound to: a token does not continue another query."""
        return f"\n{self.filter}\n{self.sort_by}"


def read_query(body: bytes) -> Query:
    """Read the JSON of a query; raise ValueError, with what is wrong, on everything the API does not define."""
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    names = {"filter": "filter", "sortBy": "sort_by", "limit": "limit", "pageToken": "page_token"}
    if not isinstance(asked, dict) or not asked.keys() <= names.keys() or not isinstance(asked.get("filter"), str):
        raise ValueError(f"the body must be an object of {', '.join(names)}, with a string as filter")
    query = Query(**{names[name]: value for name, value in asked.items()})
    if query.sort_by not in _SORTS:
        raise ValueError(f"sortBy must be one of {', '.join(_SORTS)}")
    if type(query.limit) is not int or not 1 <= query.limit <= MAX_LIMIT:
        raise ValueError(f"limit must be a number from 1 to {MAX_LIMIT}")
    if "pageToken" in asked and not isinstance(query.page_token, str):
        raise ValueError("pageToken must be a string; leave it out on the first page")
    return query


def answer_query(cloud: Cloud, query: Query, faults: Set[str] = frozenset()) -> dict[str, Any]:
    """One page as JSON; raise ValueError for a filter or page token that is not ours."""
    offset = _offset(cloud, query)
    found = _select(cloud, query, shuffled="reordered" in faults)
    end = offset + query.limit
    page = found[offset:end]
    if "duplicate_entries" in faults:
        page = found[max(0, offset - 1) : offset] + [recording for recording in page for _ in range(2)]
    if "empty_page_with_token" in faults:
        page, end = [], offset
    more = end < len(found) or "empty_page_with_token" in faults
    token = _token(cloud, query, end) if more else None
    if "repeat_page_token" in faults:
        token = query.page_token or _token(cloud, query, offset)
    return {"results": [cloud.entry(recording) for recording in page], "nextPageToken": token}


def _select(cloud: Cloud, query: Query, *, shuffled: bool) -> list[Recording]:
    try:
        found = cloud.library.select(parse_filter(query.filter))
    except FilterError as error:
        raise ValueError(f"filter: {error}") from error
    if shuffled:
        random.Random(query.text).shuffle(found)  # noqa: S311  # alike for all pages of a query, so none is lost
    return found if query.sort_by == _SORTS[1] else found[::-1]


def _token(cloud: Cloud, query: Query, offset: int) -> str:
    """Token with the offset of the next page, signed with the query; never the same text twice."""
    place = f"{offset}.{uuid4().hex[:8]}"
    return f"{place}.{cloud.pages.sign(place + query.text)}"


def _offset(cloud: Cloud, query: Query) -> int:
    if query.page_token is None:
        return 0
    place, _, signature = query.page_token.rpartition(".")
    if not cloud.pages.fits(place + query.text, signature):
        raise ValueError("pageToken is not of this query")
    return int(place.partition(".")[0])
