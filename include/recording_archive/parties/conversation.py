"""Parties by a conversation's details: its agents, queues, customers and divisions.

Genesys joins an agent's session to the recorded leg by ``peerId``. Who is on the leg took part for certain; the others
of the conversation may be heard in it, by a conference or a transfer. Without a leg all of them took part when the
conversation has no other recording, and may have done so otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from recording_archive.model import Party

AGENTS = frozenset({"agent", "user"})
CUSTOMERS = frozenset({"customer", "external"})
USER, QUEUE, DIVISION = "user", "queue", "division"

Document = Mapping[str, Any]
NameOf = Callable[[str, str], str | None]
"""The name of an id of one of the kinds `USER`, `QUEUE` and `DIVISION`; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The recorded leg: ``id`` is its session, None where it is not known; ``alone``: there is no other recording."""

    id: str | None
    alone: bool


def parties_of(document: Document, leg: Leg, name_of: NameOf) -> list[Party]:
    """List everybody who took part, each once and certain where they are so once; those who did for certain first."""
    found = dict.fromkeys(
        (*_agents(document, leg, name_of), *_customers(document, leg), *_divisions(document, name_of))
    )
    sure = [party for party in found if party.certain]
    return [*sure, *(party for party in found if not party.certain and replace(party, certain=True) not in found)]


def _agents(document: Document, leg: Leg, name_of: NameOf) -> Iterator[Party]:
    """Yield each agent with each queue of theirs, then the queues in which a call waited for others."""
    staffed = set[str]()
    for participant, session in _sessions(document):
        user = _text(participant, "userId")
        if participant.get("purpose") in AGENTS and user:
            on_leg = leg.alone if leg.id is None else session.get("peerId") == leg.id
            queues: list[str | None] = [*_queues(session)] or [None]
            staffed.update(queue for queue in queues if queue)
            yield from (_agent(user, queue, on_leg, name_of) for queue in queues)
    for _, session in _sessions(document):
        for queue in _queues(session):
            if queue not in staffed:
                yield _agent(None, queue, leg.id is None and leg.alone, name_of)


def _agent(user: str | None, queue: str | None, certain: bool, name_of: NameOf) -> Party:
    return Party(
        agent_id=user,
        agent_name=user and name_of(USER, user),
        queue_id=queue,
        queue_name=queue and name_of(QUEUE, queue),
        certain=certain,
    )


def _customers(document: Document, leg: Leg) -> Iterator[Party]:
    """Yield the customers, or whoever else has numbers where there is none."""
    sessions = [pair for pair in _sessions(document) if pair[0].get("purpose") in CUSTOMERS] or list(
        _sessions(document)
    )
    only = len({participant.get("participantId") for participant, _ in sessions}) == 1
    for participant, session in sessions:
        numbers = numbers_of(session)
        contact = _text(participant, "externalContactId")
        if contact or any(numbers.values()):
            on_leg = only or (leg.alone if leg.id is None else session.get("sessionId") == leg.id)
            yield Party(**numbers, contact_id=contact, certain=on_leg)


def numbers_of(session: Document) -> dict[str, str | None]:
    """Return who called and who was called in a session, by number or address."""
    return {
        "ani": _text(session, "ani") or _text(session, "addressFrom"),
        "dnis": _text(session, "dnis") or _text(session, "sessionDnis") or _text(session, "addressTo"),
    }


def _divisions(document: Document, name_of: NameOf) -> Iterator[Party]:
    ids = document.get("divisionIds")
    for each in ids if isinstance(ids, list) else ():
        if isinstance(each, str) and each:
            yield Party(division=name_of(DIVISION, each) or each)


def _sessions(document: Document) -> Iterator[tuple[Document, Document]]:
    for participant in _objects(document, "participants"):
        for session in _objects(participant, "sessions"):
            yield participant, session


def _queues(session: Document) -> list[str]:
    return list(dict.fromkeys(queue for each in _objects(session, "segments") if (queue := _text(each, "queueId"))))


def _objects(document: Document, name: str) -> list[Document]:
    found = document.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _text(document: Document, name: str) -> str | None:
    found = document.get(name)
    return found if isinstance(found, str) and found else None
