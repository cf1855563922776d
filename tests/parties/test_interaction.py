"""Who took part, by an entry of the interactions API."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.model import Party
from recording_archive.parties.interaction import parties_of


def test_single_fields_and_participants_come_each_once() -> None:
    """The form that is documented, beside the single fields of old."""
    entry = {
        "agentId": "a1",
        "agentName": "Ann",
        "ani": "+1",
        "participants": [
            {"agentId": "a1", "agentName": "Ann"},
            {"agentId": "a2", "queueId": "q2", "queueName": "Finance", "division": "North"},
            {"ani": "+3", "dnis": "+4", "contactId": "c"},
        ],
    }
    assert parties_of(entry) == [
        Party(agent_id="a1", agent_name="Ann"),
        Party(ani="+1"),
        Party(agent_id="a2", queue_id="q2", queue_name="Finance", division="North"),
        Party(ani="+3", dnis="+4", contact_id="c"),
    ]


def test_single_fields_may_be_lists() -> None:
    """Ids and names belong together by their place."""
    entry = {"agentId": ["a1", "a2"], "agentName": ["Ann"], "ani": ["+1", "+2"], "division": "North"}
    assert parties_of(entry) == [
        Party(agent_id="a1", agent_name="Ann"),
        Party(agent_id="a2"),
        Party(ani="+1"),
        Party(ani="+2"),
        Party(division="North"),
    ]


@pytest.mark.parametrize("told", [None, 7, "x", {}, [7], [None], [{}], [{"agentId": 7}], [{"agentId": ""}]])
def test_what_is_of_a_wrong_type_is_nobody(told: Any) -> None:
    """It stays in the entry, which is kept as it came."""
    assert parties_of({"participants": told, "agentId": {"x": 1}}) == []
