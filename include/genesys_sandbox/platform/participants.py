"""Participants of a conversation as its details show them: customer, queue, agents; and those of a transfer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from genesys_sandbox.platform.call import utc_text
from genesys_sandbox.recordings.people import agent_after, queue_after
from genesys_sandbox.recordings.world import Conversation, Item, World, made_id

_ANSWER = timedelta(seconds=5)
_CODES = ("Follow-up", "Resolved", "Transferred")


def written(each: Conversation, number: str) -> str:
    """A number as the conversation shows it; by the trap ``number_forms`` in one of four ways."""
    digits = number.removeprefix("tel:")
    if "number_forms" not in each.traits or digits == number:
        return number
    national = f"({digits[2:5]}) {digits[5:8]}-{digits[8:]}"
    forms = (number, f"sip:{digits}@sandbox.invalid:5061;user=phone", f"{number};ext=12", national)
    return forms[each.number % len(forms)]


def participants(each: Conversation) -> Iterator[dict[str, Any]]:
    """Every participant in the order of joining; a transfer brings a second queue, agent and customer."""
    talk = (_answered(each), _middle(each) if each.transferred else each.end)
    queue_id = each.fields["queueId"]
    yield _customer(each)
    yield _queue(each, "", queue_id, talk)
    for n, item in enumerate(each.legs):
        fields = item.parts[0].fields
        yield _agent(each, item, str(n), (fields["agentId"], fields["queueId"], fields["wrapUpCode"]), talk)
    if each.transferred:
        (agent_id, _), (second_queue, _) = agent_after(each.fields), queue_after(each.fields)
        rest = (_middle(each), each.end)
        code = _CODES[(_CODES.index(each.fields["wrapUpCode"]) + 1) % len(_CODES)]
        yield _queue(each, "second", second_queue, rest)
        yield _agent(each, each.items[0], "second", (agent_id, second_queue, code), rest)
        yield _guest(each)


def users(world: World) -> dict[str, str]:
    """Names of all agents by id."""
    found = {part.fields["agentId"]: part.fields["agentName"] for part in _parts(world)}
    return found | dict(agent_after(each.fields) for each in world.conversations if each.transferred)


def queues(world: World) -> dict[str, str]:
    """Names of all queues by id."""
    found = {part.fields["queueId"]: part.fields["queueName"] for part in _parts(world)}
    return found | dict(queue_after(each.fields) for each in world.conversations if each.transferred)


def codes(world: World) -> dict[str, str]:
    """Names of all wrap-up codes by id."""
    names = {part.fields["wrapUpCode"] for part in _parts(world)}
    names |= set(_CODES) if any(each.transferred for each in world.conversations) else set()
    return {made_id("wrapup", name): name for name in sorted(names)}


def guest_number(each: Conversation) -> str:
    """The SIP address of the customer who is conferenced in."""
    return f"sip:+120255502{each.number % 100:02}@sandbox.invalid;user=phone"


def _customer(each: Conversation) -> dict[str, Any]:
    fields = each.fields
    sessions = [
        {
            "sessionId": item.session_id,
            "mediaType": each.media_type,
            "direction": fields["direction"],
            "provider": "Edge",
            "ani": written(each, fields["ani"]),
            "dnis": written(each, fields["dnis"]),
            "remote": "Somebody",
            **({"recording": True} if item.media == "audio" else {}),
            **({"messageType": "sms"} if item.media == "message" else {}),
            "segments": [_segment("interact", (_answered(each), each.end), disconnectType="peer")],
        }
        for item in each.legs
    ]
    return {
        "participantId": made_id("customer", each.id),
        "participantName": "Somebody",
        "externalContactId": made_id("contact", fields["ani"]),
        "purpose": "customer",
        "sessions": sessions,
    }


def _guest(each: Conversation) -> dict[str, Any]:
    """A second customer, who was called and conferenced in for the last quarter."""
    number = guest_number(each)
    talk = (each.end - (each.end - each.start) / 4, each.end)
    session = {
        "sessionId": made_id("guest session", each.id),
        "mediaType": each.media_type,
        "direction": "outbound",
        "provider": "Edge",
        "ani": each.fields["dnis"],
        "dnis": number,
        "remote": "Somebody else",
        "segments": [_segment("interact", talk, conference=True, disconnectType="peer")],
    }
    return {
        "participantId": made_id("guest", each.id),
        "participantName": "Somebody else",
        "externalContactId": made_id("contact", number),
        "purpose": "customer",
        "sessions": [session],
    }


def _queue(each: Conversation, which: str, queue_id: str, talk: tuple[datetime, datetime]) -> dict[str, Any]:
    session = {
        "sessionId": made_id("acd", each.id, which),
        "mediaType": each.media_type,
        "segments": [_segment("interact", talk, queueId=queue_id)],
    }
    return {"participantId": made_id("queue", each.id, which), "purpose": "acd", "sessions": [session]}


def _agent(
    each: Conversation, item: Item, which: str, who: tuple[str, str, str], talk: tuple[datetime, datetime]
) -> dict[str, Any]:
    """An agent on the leg of ``item``; ``who`` are the ids of user and queue, and the name of the wrap-up code."""
    user_id, queue_id, code = who
    moved = {"disconnectType": "transfer"} if talk[1] < each.end else {}
    wrap_up = {"wrapUpCode": made_id("wrapup", code), "wrapUpNote": "Noted.", "wrapUpTags": ["tag"]}
    session = {
        "sessionId": made_id("agent", each.id, which),
        "peerId": item.session_id,
        "mediaType": each.media_type,
        "segments": [
            _segment("interact", talk, queueId=queue_id, **moved),
            _segment("wrapup", talk, queueId=queue_id, **wrap_up),
        ],
    }
    return {
        "participantId": made_id("agent", each.id, which),
        "userId": user_id,
        "purpose": "agent",
        **({"screenRecording": True} if len(each.items) > len(each.legs) and which == "0" else {}),
        "sessions": [session],
    }


def _segment(kind: str, talk: tuple[datetime, datetime], **more: Any) -> dict[str, Any]:
    start, end = talk
    return {"segmentType": kind, "segmentStart": utc_text(start), "segmentEnd": utc_text(end), **more}


def _answered(each: Conversation) -> datetime:
    return each.start + _ANSWER


def _middle(each: Conversation) -> datetime:
    return each.start + (each.end - each.start) / 2


def _parts(world: World) -> Iterator[Any]:
    return (part for each in world.conversations for item in each.items for part in item.parts)
