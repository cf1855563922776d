"""Parties in words: all that is known of each, possible ones as such."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.parties.words import in_words
from support.parties import TRANSFERRED, party


@pytest.mark.parametrize(
    ("parties", "words"),
    [
        ([party(**TRANSFERRED)], "agent Tömas Ryan (queue Escalation)"),
        ([party(agentId="a-1", certain=False)], "possibly agent a-1"),
        ([party(queueId="q-1"), party(division="Finance")], "queue q-1; division Finance"),
        ([party(ani="tel:+12025550100", dnis="sip:desk@acme.example")], "from +12025550100 to desk@acme.example"),
        ([party(dnis="100", contactId="c-1")], "to 100, contact c-1"),
        ([party()], "somebody"),
        ([], ""),
        (None, "not read yet"),
    ],
)
def test_every_party_is_named(parties: list[dict[str, Any]] | None, words: str) -> None:
    """By the name before the id; addresses without their scheme."""
    assert in_words(parties) == words
