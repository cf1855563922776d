"""The inventory of the recording store, 500 recordings to a request: a reconciliation compares the archive with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from recording_archive.errors import PermanentError
from recording_archive.sources import Stored
from recording_archive.sources.client import ApiClient, RejectedError
from recording_archive.sources.conversations.reading import entities, moment, text

__all__ = ["inventory"]

PATH = "/api/v2/recordings/retention/query"
PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class _Page:
    entries: list[Stored]
    cursor: str | None


def inventory(client: ApiClient) -> Iterator[Stored]:
    """Every recording that the client may see; the least threshold that the service takes is found by asking."""
    cursor: str | None = None
    threshold = 0
    while True:
        more = f"&cursor={quote(cursor, safe='')}" if cursor else ""
        try:
            page = client.get(f"{PATH}?retentionThresholdDays={threshold}&pageSize={PAGE_SIZE}{more}", _read_page)
        except RejectedError:
            if threshold or cursor:
                raise
            threshold = 1
            continue
        yield from page.entries
        if page.cursor is None:
            return
        if page.cursor == cursor:
            raise PermanentError(f"GET {PATH} gives the same cursor twice: the list has no end; report it")
        cursor = page.cursor


def _read_page(reply: Any) -> _Page:
    found = []
    for each in entities(reply):
        conversation, recording = text(each, "conversationId"), text(each, "recordingId")
        if conversation and recording:
            found.append(Stored(conversation, recording, moment(each, "creationTime"), moment(each, "deleteDate")))
    return _Page(found, _cursor(text(reply, "nextUri")))


def _cursor(uri: str | None) -> str | None:
    """The cursor inside ``nextUri``."""
    return next(iter(parse_qs(urlsplit(uri or "").query).get("cursor", [])), None)
