"""Who took part, by sidecars of an older version."""

from __future__ import annotations

from recording_archive.model import Party
from recording_archive.parties.old_sidecars import parties_in

DOCUMENT = {
    "participants": [
        {"purpose": "customer", "participantId": "1", "sessions": [{"sessionId": "leg", "ani": "+1", "dnis": "+2"}]},
        {"purpose": "agent", "userId": "ann", "sessions": [{"peerId": "leg", "segments": [{"queueId": "q1"}]}]},
        {"purpose": "agent", "userId": "bob", "sessions": [{"peerId": "x", "segments": [{"queueId": "q2"}]}]},
    ]
}
ATTRIBUTES = {
    "agent_id": "ann",
    "agent_name": "Ann",
    "queue_id": "q1",
    "queue_name": "Sales",
    "ani": "+1",
    "dnis": "+2",
}


def test_whoever_the_columns_do_not_name_is_possible() -> None:
    """The second agent, with the name that the sidecar knew; what the columns have is not said again."""
    fields = {"conversation": DOCUMENT, "agents": [{"id": "ann", "name": "Ann"}, {"id": "bob", "name": "Bob"}]}
    assert parties_in(fields, ATTRIBUTES) == (Party(agent_id="bob", agent_name="Bob", queue_id="q2", certain=False),)


def test_an_entry_of_the_interactions_api_is_read_as_today() -> None:
    """Its participants were kept though nobody asked for them."""
    fields = {"agentId": "ann", "participants": [{"agentId": "bob"}]}
    assert parties_in(fields, {"agent_id": "ann"}) == (Party(agent_id="bob"),)
    assert parties_in({}, {}) == ()
