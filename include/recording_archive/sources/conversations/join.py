"""Attributes and sidecar fields of a recording: conversation, metadata and names, joined by the recorded leg."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recording_archive.model import Attributes
from recording_archive.sources.conversations.names import DIVISIONS, QUEUES, USERS, WRAP_UP_CODES, Names
from recording_archive.sources.conversations.reading import Conversation, entries, text
from recording_archive.sources.texts import harmless

__all__ = ["attributes_of", "fields_of", "ids_of", "is_ambiguous"]

_AGENTS = frozenset({"agent", "user"})
_CUSTOMERS = frozenset({"customer", "external"})

_Pair = tuple[Mapping[str, Any], Mapping[str, Any]]


def is_ambiguous(conversation: Conversation, recordings: int) -> bool:
    """True if only a recording's own metadata can tell which agent is heard in it."""
    return recordings > 1 and len({agent.get("userId") for agent, _ in _agents(conversation)}) > 1


def ids_of(conversation: Conversation) -> dict[str, set[str]]:
    """Every id that has a name, by kind."""
    segments = [each for _, session in conversation.sessions for each in entries(session, "segments")]
    divisions = conversation.document.get("divisionIds")
    found: dict[str, set[str | None]] = {
        USERS: {text(agent, "userId") for agent, _ in _agents(conversation)},
        QUEUES: {text(each, "queueId") for each in segments},
        WRAP_UP_CODES: {text(each, "wrapUpCode") for each in segments},
        DIVISIONS: {each for each in divisions if isinstance(each, str)} if isinstance(divisions, list) else set(),
    }
    return {kind: {each for each in ids if each} for kind, ids in found.items()}


def attributes_of(
    conversation: Conversation, recording: Mapping[str, Any] | None, names: Names, *, sure: bool
) -> Attributes:
    """Attributes that people search by; of several agents the one on the recorded leg.

    Without the leg it is the first of them, or nobody when it is not ``sure`` that all are in the one recording.
    """
    leg = text(recording or {}, "sessionId")
    agent, agent_session = _agent_on(conversation, leg)
    customer = _customer_on(conversation, leg)
    known = sure or leg is not None
    agent_id, queue_id = text(agent, "userId") if known else None, _queue_of(conversation, agent_session)
    division = _division(conversation)
    found = {
        "agent_id": agent_id,
        "agent_name": names.get(USERS, agent_id),
        "queue_id": queue_id,
        "queue_name": names.get(QUEUES, queue_id),
        "ani": text(customer, "ani") or text(customer, "addressFrom"),
        "dnis": text(customer, "dnis") or text(customer, "sessionDnis") or text(customer, "addressTo"),
        "direction": text(customer, "direction") or text(conversation.document, "originatingDirection"),
        "media_type": text(customer, "mediaType") or text(recording or {}, "media"),
        "division": names.get(DIVISIONS, division) or division,
        "contact_id": next(_contacts(conversation), None),
    }
    return Attributes(**harmless(found))


def fields_of(
    conversation: Conversation,
    recording: Mapping[str, Any] | None,
    names: Names,
    *,
    content_type: str | None,
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    """Fields for the sidecar: the service's own JSON, and the names that its ids have today."""
    found = {
        "conversation": _without_attributes(conversation.document),
        "participantAttributes": dict(attributes),
        "recording": dict(recording) if recording else None,
        "contentType": content_type,
        "agents": [
            {"id": text(agent, "userId"), "name": names.get(USERS, text(agent, "userId"))}
            for agent, _ in _agents(conversation)
        ],
        "wrapUps": list(_wrap_ups(conversation, names)),
    }
    kept: dict[str, Any] = harmless(found)
    return kept


def _agents(conversation: Conversation) -> list[_Pair]:
    return [pair for pair in conversation.sessions if pair[0].get("purpose") in _AGENTS and text(pair[0], "userId")]


def _agent_on(conversation: Conversation, leg: str | None) -> _Pair:
    """The agent whose session is the peer of the recorded leg (Genesys joins them by ``peerId``), or the first."""
    agents = _agents(conversation)
    on_leg = (pair for pair in agents if leg and pair[1].get("peerId") == leg)
    return next(on_leg, agents[0] if agents else ({}, {}))


def _customer_on(conversation: Conversation, leg: str | None) -> Mapping[str, Any]:
    sessions = [session for party, session in conversation.sessions if party.get("purpose") in _CUSTOMERS]
    every = sessions or [session for _, session in conversation.sessions]
    on_leg = (session for session in every if leg and session.get("sessionId") == leg)
    return next(on_leg, every[0] if every else {})


def _queue_of(conversation: Conversation, session: Mapping[str, Any]) -> str | None:
    """The queue of the agent's own segments, or the first of the conversation."""
    mine = [*entries(session, "segments")]
    others = [each for _, other in conversation.sessions for each in entries(other, "segments")]
    return next((queue for each in [*mine, *others] if (queue := text(each, "queueId"))), None)


def _division(conversation: Conversation) -> str | None:
    found = conversation.document.get("divisionIds")
    return found[0] if isinstance(found, list) and found and isinstance(found[0], str) else None


def _contacts(conversation: Conversation) -> Iterator[str]:
    return (each for party, _ in conversation.sessions if (each := text(party, "externalContactId")))


def _wrap_ups(conversation: Conversation, names: Names) -> Iterator[dict[str, Any]]:
    for party, session in conversation.sessions:
        for each in entries(session, "segments"):
            if code := text(each, "wrapUpCode"):
                wrap_up = {"code": code, "name": names.get(WRAP_UP_CODES, code), "agentId": text(party, "userId")}
                yield wrap_up | {"note": text(each, "wrapUpNote")}


def _without_attributes(document: Mapping[str, Any]) -> dict[str, Any]:
    """The details without participant attributes, which may hold anything: those that are allowed are kept apart."""
    participants = entries(document, "participants")
    kept = [{name: value for name, value in each.items() if name != "attributes"} for each in participants]
    return {**document, "participants": kept}
