"""Attributes and sidecar fields of a recording: conversation, metadata and names, joined by the recorded leg."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from recording_archive.model import Attributes, Party
from recording_archive.parties.conversation import AGENTS, CUSTOMERS, DIVISION, QUEUE, USER, Leg, parties_of
from recording_archive.parties.main import main_of, others
from recording_archive.sources.conversations.names import DIVISIONS, QUEUES, USERS, WRAP_UP_CODES, Names
from recording_archive.sources.conversations.reading import Conversation, entries, text
from recording_archive.sources.texts import harmless

__all__ = ["fields_of", "ids_of", "is_ambiguous", "who"]

_KINDS = {USER: USERS, QUEUE: QUEUES, DIVISION: DIVISIONS}

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


def who(
    conversation: Conversation, recording: Mapping[str, Any] | None, names: Names, *, sure: bool
) -> tuple[Attributes, tuple[Party, ...]]:
    """Return the attributes that people search by, and everybody who took part beside those.

    The attributes have the agent, queue and customer on the recorded leg. Without the leg they are the first of their
    kind when it is ``sure`` that all are in the one recording, and nobody otherwise.
    """
    leg = Leg(text(recording or {}, "sessionId"), sure)
    parties = [
        Party(**harmless(asdict(party))) for party in parties_of(conversation.document, leg, partial(_name, names))
    ]
    main = main_of([party for party in parties if party.certain])
    customer = _customer_on(conversation, leg.id)
    found = {
        "direction": text(customer, "direction") or text(conversation.document, "originatingDirection"),
        "media_type": text(customer, "mediaType") or text(recording or {}, "media"),
    }
    return Attributes(**main, **harmless(found)), others(parties, main)


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
    return [pair for pair in conversation.sessions if pair[0].get("purpose") in AGENTS and text(pair[0], "userId")]


def _customer_on(conversation: Conversation, leg: str | None) -> Mapping[str, Any]:
    sessions = [session for party, session in conversation.sessions if party.get("purpose") in CUSTOMERS]
    every = sessions or [session for _, session in conversation.sessions]
    on_leg = (session for session in every if leg and session.get("sessionId") == leg)
    return next(on_leg, every[0] if every else {})


def _name(names: Names, kind: str, name: str) -> str | None:
    return names.get(_KINDS[kind], name)


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
