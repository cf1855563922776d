"""The inventory of the recording store, 500 recordings to a request: a reconciliation compares the archive with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from recording_archive.sources import Stored
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.cursors import CursorPage, cursor_parameter, follow_cursors
from recording_archive.sources.conversations.reading import entities, moment, text
from recording_archive.sources.replies import RejectedError

__all__ = ["inventory"]

PATH = "/api/v2/recordings/retention/query"
PAGE_SIZE = 500


def inventory(client: ApiClient) -> Iterator[Stored]:
    """Every recording that the client may see; the least threshold that the service takes is found by asking."""
    threshold = 0

    def ask(cursor: str | None) -> CursorPage[Stored]:
        nonlocal threshold
        path = f"{PATH}?retentionThresholdDays={threshold}&pageSize={PAGE_SIZE}{cursor_parameter(cursor)}"
        try:
            return client.get(path, _read_page)
        except RejectedError:
            if threshold or cursor:
                raise
            threshold = 1
            return ask(cursor)

    return follow_cursors(f"GET {PATH}", ask)


def _read_page(reply: Any) -> CursorPage[Stored]:
    found = []
    for each in entities(reply):
        conversation, recording = text(each, "conversationId"), text(each, "recordingId")
        if conversation and recording:
            found.append(Stored(conversation, recording, moment(each, "creationTime"), moment(each, "deleteDate")))
    return CursorPage(found, _cursor(text(reply, "nextUri")))


def _cursor(uri: str | None) -> str | None:
    """The cursor inside ``nextUri``."""
    return next(iter(parse_qs(urlsplit(uri or "").query).get("cursor", [])), None)
