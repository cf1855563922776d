"""The values by which a recording is found, judged and held."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from recording_archive.model import Attributes, Party
from recording_archive.parties.documents import NAMES, columns
from recording_archive.parties.values import Values, numbers_of, to_rows, values_of

AGENT, QUEUE = ("agent_id", "agent_name"), ("queue_id", "queue_name")


def row(*parties: Party, region: str = "", **attributes: Any) -> Any:
    """A recording with main attributes and other parties."""
    main = {name: attributes.get(name) for name in NAMES}
    key = {"interaction_id": "call", "recording_id": "rec", "part": 0}
    return SimpleNamespace(**key, **main, **columns(Attributes(**main), parties, region))


def values(certain: set[str], possible: set[str] = frozenset(), *, lacks: bool = False) -> Values:  # type: ignore[assignment]
    """Short for `Values`."""
    return Values(frozenset(certain), frozenset(possible), lacks)


def test_all_parties_have_values() -> None:
    """The certain ones and the possible ones apart, in the spelling that stands for all others."""
    each = row(
        Party(agent_id="A2", agent_name="BOB", queue_id="q2", queue_name="Finance"),
        Party(agent_id="a3", agent_name="Cy", certain=False),
        agent_id="a1",
        agent_name="Ann",
        queue_id="q1",
        queue_name="Sales",
    )
    assert values_of(each, AGENT) == values({"a1", "ann", "a2", "bob"}, {"a3", "cy"})
    assert values_of(each, QUEUE) == values({"q1", "sales", "q2", "finance"})


def test_what_is_not_known_may_be_anything() -> None:
    """Nobody at all, a party without a name, and a recording whose parties were not read yet."""
    assert values_of(row(), AGENT).lacks
    assert values_of(row(Party(agent_id="a2"), agent_id="a1", agent_name="Ann"), AGENT).lacks
    assert values_of(row(Party(agent_id="a2", agent_name="Bob"), agent_id="a1"), AGENT).lacks
    assert not values_of(row(Party(agent_id="a2"), agent_id="a1", agent_name="Ann"), ("agent_id",)).lacks
    old = row(agent_id="a1", agent_name="Ann", ani="+1", dnis="+2")
    old.parties = old.numbers = None
    assert values_of(old, AGENT) == values({"a1", "ann"}, lacks=True)
    assert numbers_of(old).lacks


def test_numbers_have_keys_of_what_they_may_be() -> None:
    """One side unknown: the recording lacks it."""
    each = row(Party(ani="020 7946 0958", certain=False), ani="+44 20 7946 0958", dnis="+12025550153")
    found = numbers_of(each)
    assert found.certain == {"+442079460958", "+12025550153"}
    assert found.possible == {"02079460958", "national:079460958", "country:079460958", "country:025550153"}
    assert not found.lacks
    assert numbers_of(row(ani="+442079460958")).lacks


def test_rows_of_the_index_have_numbers_other_parties_and_what_it_lacks() -> None:
    """What the columns of a recording have is found by these; a value that is certain once is so."""
    each = row(Party(agent_name="Bob", certain=False), Party(agent_name="BOB"), agent_name="Ann", ani="+442079460958")
    found = {(told["field"], told["value"]): told["certain"] for told in to_rows(each)}
    assert found == {
        ("agent_name", "bob"): True,
        ("number", "+442079460958"): True,
        ("number", "country:079460958"): False,
        **{("lacks", name): True for name in ("agent_id", "queue_id", "queue_name", "number")},
    }
