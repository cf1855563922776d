"""Traits of a recording: what is certain, what is possible, and what it lacks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from recording_archive.holds.traits import Traits, reader
from recording_archive.model import Attributes, Party
from recording_archive.parties.documents import NAMES, columns

ANN = {"agent_id": "a1", "agent_name": "Ann", "queue_id": "q1", "queue_name": "Sales"}
LINE = {"ani": "+442079460958", "dnis": "+12025550153"}


def traits(*parties: Party, **attributes: str) -> Traits:
    """The traits of a recording with main attributes and other parties."""
    main: dict[str, Any] = dict.fromkeys(NAMES) | attributes
    told = {"interaction_id": "Call", "recording_id": "Rec", **main, **columns(Attributes(**main), parties, "")}
    row = SimpleNamespace(**told)
    return reader(row)(row)


def test_possible_parties_are_among_all_values_and_no_certain_ones() -> None:
    """Ids of parties are those of names as well: a hold may ask for either."""
    found = traits(Party(agent_id="a2", agent_name="BOB", certain=False), Party(queue_name="Finance"), **ANN, **LINE)
    assert found.certain()["agents"] == {"a1", "ann"}
    assert found.all()["agents"] == {"a1", "ann", "a2", "bob"}
    assert found.all()["agentIds"] == {"a1", "a2"}
    assert found.certain()["queues"] == {"q1", "sales", "finance"}
    assert found.certain()["interactionIds"] == {"Call", "Rec"}


def test_numbers_may_be_others_with_equal_last_digits() -> None:
    """The forms are certain; the keys of what they may mean are not."""
    found = traits(Party(ani="020 7946 0958", certain=False), **ANN, **LINE)
    assert found.certain()["numbers"] == {"+442079460958", "+12025550153"}
    assert {"02079460958", "national:079460958"} <= found.all()["numbers"]


@pytest.mark.parametrize(
    ("left_out", "lacking"),
    [
        ((), set()),
        (("ani",), {"numbers"}),
        (("agent_name",), {"agents"}),
        (("agent_id", "agent_name"), {"agents", "agentIds"}),
        (("queue_id",), {"queues", "queueIds"}),
    ],
)
def test_what_nobody_knows_is_lacking(left_out: tuple[str, ...], lacking: set[str]) -> None:
    """A name without its id, an id without its name, and nobody at all."""
    known = {name: value for name, value in {**ANN, **LINE}.items() if name not in left_out}
    assert set(traits(**known).lacking) == lacking


def test_what_was_not_read_yet_lacks_all_but_its_ids() -> None:
    """Archives of older versions, until their sidecars were read."""
    row = SimpleNamespace(interaction_id="c", recording_id="r", **ANN, **LINE, parties=None, numbers=None)
    assert set(reader(row)(row).lacking) == {"agents", "agentIds", "queues", "queueIds", "numbers"}
