"""Who took part, by a conversation's details: on the recorded leg for certain, elsewhere possibly."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.model import Party
from recording_archive.parties.conversation import Leg, parties_of

NAMES = {("user", "ann"): "Ann", ("queue", "sales"): "Sales", ("division", "d1"): "Home"}


def participant(purpose: str, *sessions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A participant with sessions."""
    return {"participantId": f"p-{purpose}-{fields}", "purpose": purpose, "sessions": list(sessions), **fields}


def agent(user: str, peer: str, *queues: str) -> dict[str, Any]:
    """An agent who is the peer of a leg, and answers queues."""
    return participant("agent", {"peerId": peer, "segments": [{"queueId": each} for each in queues]}, userId=user)


def customer(leg: str, ani: str, contact: str | None = None) -> dict[str, Any]:
    """A customer who calls on a leg."""
    return participant("customer", {"sessionId": leg, "ani": ani, "dnis": "+12"}, externalContactId=contact)


TRANSFER = {
    "participants": [customer("leg", "+1", "c1"), agent("ann", "leg", "sales"), agent("bob", "other", "finance")],
    "divisionIds": ["d1", "d2"],
}


def found(document: dict[str, Any], leg: str | None, *, alone: bool) -> dict[str, bool]:
    """Whoever took part, by the first name they have, and if for certain."""
    parties = parties_of(document, Leg(leg, alone), lambda kind, each: NAMES.get((kind, each)))
    return {who(party): party.certain for party in parties}


def who(party: Party) -> str:
    """One word for a party."""
    return party.agent_name or party.agent_id or party.queue_id or party.ani or party.division or ""


def test_who_is_on_the_leg_took_part_and_others_possibly_did() -> None:
    """A transfer may be heard in the same recording."""
    assert found(TRANSFER, "leg", alone=False) == {"Ann": True, "+1": True, "Home": True, "d2": True, "bob": False}


def test_a_leg_that_is_nobodys_makes_no_agent_certain() -> None:
    """Neither is the first of them it."""
    assert {name for name, certain in found(TRANSFER, "unknown", alone=True).items() if not certain} == {"Ann", "bob"}


def test_without_a_leg_all_are_in_the_only_recording() -> None:
    """And nobody is certain where there are more recordings, but for an only customer."""
    assert all(found(TRANSFER, None, alone=True).values())
    several = found(TRANSFER, None, alone=False)
    assert (several["Ann"], several["bob"], several["+1"]) == (False, False, True)


def test_a_second_customer_is_possible() -> None:
    """A conference with somebody outside is another leg."""
    document = {"participants": [*TRANSFER["participants"], customer("leg-2", "+3")]}  # type: ignore[misc]
    assert found(document, "leg", alone=False)["+3"] is False
    assert found(document, "leg-2", alone=False) == {"+3": True, "Ann": False, "bob": False, "+1": False}


def test_queues_of_an_agent_and_of_waiting_calls_come_each() -> None:
    """An agent in two queues is two parties; a queue that nobody answered is one of its own."""
    waiting = participant("acd", {"segments": [{"queueId": "overflow"}]})
    document = {"participants": [agent("ann", "leg", "sales", "vip"), waiting]}
    parties = parties_of(document, Leg("leg", alone=True), lambda kind, each: NAMES.get((kind, each)))
    assert parties[:2] == [
        Party(agent_id="ann", agent_name="Ann", queue_id="sales", queue_name="Sales"),
        Party(agent_id="ann", agent_name="Ann", queue_id="vip"),
    ]
    assert Party(queue_id="overflow", certain=False) in parties


@pytest.mark.parametrize("damage", [None, 7, "x", [1], [None], {}])
@pytest.mark.parametrize("field", ["participants", "divisionIds"])
def test_what_is_of_a_wrong_type_is_nobody(field: str, damage: Any) -> None:
    """A service that answers anything ends no listing."""
    assert all(certain for certain in found({**TRANSFER, field: damage}, None, alone=True).values())
