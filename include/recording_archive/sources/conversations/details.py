"""Requests for conversation details, by query or by job, and a page of the reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from recording_archive.model import Window
from recording_archive.sources.conversations.reading import Conversation, read_conversations
from recording_archive.sources.replies import MalformedReplyError

__all__ = ["DETAILS_PATH", "DetailsPage", "details_of", "interval_of", "named_of", "read_page", "recent_of"]

DETAILS_PATH = "/api/v2/analytics/conversations/details"

RECENT = 25

_FLAGS = ("recording", "screenRecording", "snippetRecording")
_WRITTEN = ("chat", "email", "message")


def _predicate(dimension: str, value: str) -> dict[str, str]:
    return {"type": "dimension", "dimension": dimension, "operator": "matches", "value": value}


#: Sound and screens by the flag that a recording was started; written media, which have no flag, by their type.
_SEGMENT_FILTERS = [
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


def details_of(window: Window) -> dict[str, Any]:
    """Body of a request for the details of a window, the oldest conversation first."""
    return {
        "interval": interval_of(window),
        "order": "asc",
        "orderBy": "conversationStart",
        "segmentFilters": _SEGMENT_FILTERS,
    }


def named_of(window: Window, ids: Sequence[str]) -> dict[str, Any]:
    """Body of a request for the details of conversations by their ids, of a window."""
    any_of = {"type": "or", "predicates": [_predicate("conversationId", name) for name in ids]}
    return {"interval": interval_of(window), "conversationFilters": [any_of]}


def recent_of(window: Window, dimension: str, value: str) -> dict[str, Any]:
    """Body of a query for a page of the latest conversations of a window, of those alone that have this."""
    return {
        "interval": interval_of(window),
        "order": "desc",
        "orderBy": "conversationStart",
        "segmentFilters": [{"type": "and", "predicates": [_predicate(dimension, value)]}],
        "paging": {"pageSize": RECENT, "pageNumber": 1},
    }


@dataclass(frozen=True, slots=True)
class DetailsPage:
    """One page; ``total`` counts the conversations of all pages."""

    conversations: Sequence[Conversation]
    total: int | None
    hidden: int = 0  # entries that cannot be read


def read_page(reply: Any) -> DetailsPage:
    """Check the reply of a query."""
    found = read_conversations(reply)
    total = reply.get("totalHits")
    if total is not None and (isinstance(total, bool) or not isinstance(total, int)):
        raise MalformedReplyError("totalHits is no number")
    return DetailsPage(found, total)
