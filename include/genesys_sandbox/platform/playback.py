"""Recordings one by one: metadata, playback with its 202, restoring, the retention inventory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from genesys_sandbox.cloud import media_name
from genesys_sandbox.platform.call import BadRequestError, Call, answer, not_found, utc_text
from genesys_sandbox.recordings.world import Conversation, Item, made_id
from genesys_sandbox.reply import Reply

TRANSCODING_POLLS = 2
MAX_PAGE = 500
KEPT = timedelta(days=90)
CUT_OFF = timedelta(seconds=10)  # of a recording that is shown by the permission for segments alone


def conversation(call: Call) -> Reply:
    """``GET /conversations/{conversationId}``: the participants with all of their attributes."""
    found = call.world.get(call.path["conversation"])
    if found is None:
        return not_found("conversation")
    attributes = {"customerTier": "gold", "accountPin": "0000"}
    participant = {"id": made_id("customer", found.id), "purpose": "customer", "attributes": attributes}
    return answer({"id": found.id, "participants": [participant]})


def metadata(call: Call) -> Reply:
    """``GET …/recordingmetadata``; 404 where there is no recording."""
    conversation = call.world.get(call.path["conversation"])
    if conversation is None or "unrecorded" in conversation.traits:
        return not_found("conversation")
    return answer([_metadata(call, conversation, item) for item in conversation.items])


def recordings(call: Call) -> Reply:
    """``GET …/recordings``: all of a conversation."""
    conversation = call.world.get(call.path["conversation"])
    if conversation is None:
        return not_found("conversation")
    if any(transcodes(call, item.id) for item in conversation.items):
        return Reply(202)
    return answer([_recording(call, conversation, item) for item in conversation.items])


def recording(call: Call) -> Reply:
    """``GET …/recordings/{recordingId}``: 202 while it is transcoded."""
    found = _find(call)
    if found is None:
        return not_found("recording")
    if call.world.state(*found) not in {"AVAILABLE", "RESTORED"}:
        return answer(_metadata(call, *found, region=False))
    if transcodes(call, found[1].id):
        return Reply(202)
    return answer(_recording(call, *found))


def annotation_list(call: Call) -> Reply:
    """``GET …/annotations``: a bookmark, and of sound a hold whose id is another at each request."""
    found = _find(call)
    return answer(_annotations(found[1])) if found else not_found("recording")


def annotation(call: Call) -> Reply:
    """``GET …/annotations/{annotationId}``."""
    found = _find(call)
    every = _annotations(found[1]) if found else []
    mine = next((each for each in every if each["id"] == call.path["annotation"]), None)
    return answer(mine) if mine else not_found("annotation")


def restore(call: Call) -> Reply:
    """``PUT …/recordings/{recordingId}``: an archive date in the future restores what is archived.

    The body sets both dates: one without ``deleteDate`` takes it away, and the recording is kept for ever.
    """
    found = _find(call)
    if found is None:
        return not_found("recording")
    conversation, item = found
    try:
        until = datetime.fromisoformat((call.body or {}).get("archiveDate", ""))
    except ValueError as error:
        raise BadRequestError("archiveDate must be a date") from error
    with call.world.lock:
        call.world.delete_dates[item.id] = call.body.get("deleteDate")
    if until > datetime.now(UTC) and call.world.state(conversation, item) == "ARCHIVED":
        call.world.restoring.add(item.id)
    return answer(_metadata(call, conversation, item, region=False))


def retention(call: Call) -> Reply:
    """``GET …/retention/query``: the inventory, 500 to a page."""
    size = call.number("pageSize", 25, MAX_PAGE)
    offset = int(call.query.get("cursor") or 0)
    rows = list(_inventory(call))
    page = rows[offset : offset + size]
    more = offset + size < len(rows)
    path = f"/api/v2/recordings/retention/query?pageSize={size}&cursor={offset + size}"
    return answer({"entities": page, **({"nextUri": path} if more else {})})


def _find(call: Call) -> tuple[Conversation, Item] | None:
    conversation = call.world.get(call.path["conversation"])
    if conversation is None or "unrecorded" in conversation.traits:
        return None
    return next(((conversation, item) for item in conversation.items if item.id == call.path["recording"]), None)


def transcodes(call: Call, name: str) -> bool:
    """Test whether playback of a recording still answers 202."""
    if "transcoding" not in call.world.traps:
        return False
    with call.world.lock:
        call.world.transcoded[name] = call.world.transcoded.get(name, 0) + 1
        return call.world.transcoded[name] <= TRANSCODING_POLLS


def _metadata(call: Call, conversation: Conversation, item: Item, *, region: bool = True) -> dict[str, Any]:
    shown = {
        "id": item.id,
        "conversationId": conversation.id,
        "media": item.media,
        "fileState": call.world.state(conversation, item),
        "sessionId": item.session_id,
        "annotations": [_bookmark(item)] if item.media == "audio" else [],
        **_deletion(call, conversation, item),
        **({"mediaSubtype": "Trunk"} if item.media == "audio" else {}),
        **(_screen_times(conversation) if item.media == "screen" else {}),
    }
    return {**shown, **({"region": "us-east-1"} if region else {})}


def _screen_times(conversation: Conversation) -> dict[str, str]:
    """Metadata tell begin and end of screens alone."""
    times = {"startTime": utc_text(conversation.start), "endTime": utc_text(conversation.end)}
    return {"mediaSubtype": "Screen", **times}


def _deletion(call: Call, conversation: Conversation, item: Item) -> dict[str, str]:
    """The delete date of a recording, unless it was taken away."""
    date = call.world.delete_dates.get(item.id, utc_text(conversation.end + KEPT))
    return {"deleteDate": date} if date else {}


def _annotations(item: Item) -> list[dict[str, Any]]:
    hold = {"id": str(uuid4()), "type": "Hold", "reason": "Hold", "location": 2000, "durationMs": 900}
    return [_bookmark(item), hold] if item.media == "audio" else []


def _bookmark(item: Item) -> dict[str, Any]:
    name = made_id("bookmark", item.id)
    return {"id": name, "type": "Bookmark", "location": 1000, "durationMs": 500, "description": "here"}


def _recording(call: Call, conversation: Conversation, item: Item) -> dict[str, Any]:
    """Redacted or not, playback names its media by whatever keys it likes: ``S``, or a number for each part."""
    files = item.parts if call.query.get("download") == "true" or not item.channels else item.channels
    keys = ["S"] if len(files) == 1 else [str(n) for n in range(len(files))]
    uris = {key: {"mediaUri": call.cloud.urls.make(media_name(part))} for key, part in zip(keys, files, strict=True)}
    whole = "recording:recording:view" in call.permissions
    return {
        **_metadata(call, conversation, item, region=False),
        "mediaUris": uris,
        "originalRecordingStartTime": utc_text(conversation.start),
        "startTime": utc_text(conversation.start if whole else conversation.start + CUT_OFF),
        "outputSizeInBytes": sum(part.size_bytes for part in item.parts),
        "creationTime": utc_text(conversation.end),
    }


def _inventory(call: Call) -> Iterator[dict[str, Any]]:
    for conversation in call.world.visible():
        for item in () if "unrecorded" in conversation.traits else conversation.items:
            if call.world.state(conversation, item) in {"DELETED", "UPLOADING"}:
                continue
            yield {
                "conversationId": conversation.id,
                "recordingId": item.id,
                "creationTime": utc_text(conversation.end),
                **_deletion(call, conversation, item),
            }
