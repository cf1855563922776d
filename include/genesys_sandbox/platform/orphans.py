"""Orphan recordings: the list, one of them, and its media."""

from __future__ import annotations

from typing import Any

from genesys_sandbox.cloud import media_name
from genesys_sandbox.platform.call import Call, answer, not_found, utc_text
from genesys_sandbox.platform.playback import transcodes
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.reply import Reply

MAX_PAGE = 100
MOST = 500


def listing(call: Call) -> Reply:
    """``GET /orphanrecordings``: the first 500; with ``hasConversation=true`` all whose conversation is known."""
    size, number = call.number("pageSize", 25, MAX_PAGE), call.number("pageNumber", 1, 10_000)
    known = call.query.get("hasConversation") == "true"
    rows = [_shown(call, each) for each in call.world.orphans if not known or _conversation(call, each)]
    rows = rows if known else rows[:MOST]
    page = rows[(number - 1) * size : number * size]
    count = max(1, -(-len(rows) // size))
    return answer({"entities": page, "pageSize": size, "pageNumber": number, "total": len(rows), "pageCount": count})


def orphan(call: Call) -> Reply:
    """``GET /orphanrecordings/{orphanId}``."""
    found = _find(call)
    return answer(_shown(call, found)) if found else not_found("orphan recording")


def media(call: Call) -> Reply:
    """``GET /orphanrecordings/{orphanId}/media``: 202 while it is transcoded."""
    found = _find(call)
    if found is None:
        return not_found("orphan recording")
    if transcodes(call, found.id):
        return Reply(202)
    uris = {"S": {"mediaUri": call.cloud.urls.make(media_name(found))}}
    return answer({"id": found.id, "media": "audio", "fileState": "AVAILABLE", "mediaUris": uris})


def _find(call: Call) -> Recording | None:
    return next((each for each in call.world.orphans if each.id == call.path["orphan"]), None)


def _conversation(call: Call, each: Recording) -> str | None:
    """Of the first one the service knows to which conversation it belongs."""
    return call.world.conversations[0].id if each.index == 0 and call.world.conversations else None


def _shown(call: Call, each: Recording) -> dict[str, Any]:
    conversation = _conversation(call, each)
    return {
        "id": each.id,
        "createdTime": utc_text(each.date),
        "providerType": "EDGE",
        "mediaSizeBytes": each.size_bytes,
        "mediaType": "CALL",
        "fileState": call.world.orphan_state,
        "orphanStatus": "EVALUATED" if conversation else "NO_CONVERSATION",
        **({"recording": {"id": each.id, "conversationId": conversation}} if conversation else {}),
    }
