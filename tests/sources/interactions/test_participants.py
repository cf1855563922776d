"""The example of the documents is read as they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

from recording_archive.model import Party
from recording_archive.sources.interactions.reading import read_entry

DOCUMENT = Path(__file__).parents[3] / "docs" / "genesys-cloud.md"


def test_the_documented_entry_names_everybody() -> None:
    """Two agents, one of them in a queue, and a customer."""
    examples = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (entry,) = (json.loads(each) for each in examples if '"participants"' in each)
    listing = read_entry(entry, "results[0]")
    found = listing.attributes
    assert (found.agent_id, found.agent_name, found.queue_name) == ("a-17", "Ann Lee", "Finance")
    assert (found.ani, found.dnis, found.division, found.contact_id) == (
        "tel:+442079460958",
        "+4930901820",
        "North",
        "c-9",
    )
    agent = {"agent_id": "a-42", "agent_name": "Bo Kim"}
    assert listing.parties == (
        Party(**agent),
        Party(**agent, queue_id="q-7", queue_name="Finance", division="North"),
    )
