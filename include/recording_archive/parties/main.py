"""The main parties of a recording: the first of each kind, which the columns of `recordings` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recording_archive.model import Party

TOGETHER = (("agent_id", "agent_name"), ("queue_id", "queue_name"), ("ani",), ("dnis",), ("division",), ("contact_id",))
"""Fields that name one thing, such as an agent's id and name."""


def main_of(parties: Sequence[Party]) -> dict[str, Any]:
    """Return the first agent, queue, numbers, division and contact: the columns that a list of recordings shows."""
    found: dict[str, Any] = {}
    for names in TOGETHER:
        first = next((party for party in parties if any(getattr(party, name) for name in names)), None)
        found |= {name: value for name in names if first and (value := getattr(first, name))}
    return found


def others(parties: Sequence[Party], main: Mapping[str, Any]) -> tuple[Party, ...]:
    """Leave out parties who are named by the columns already."""
    return tuple(party for party in parties if any(_says_more(party, names, main) for names in TOGETHER))


def _says_more(party: Party, names: tuple[str, ...], main: Mapping[str, Any]) -> bool:
    given = {name: value for name in names if (value := getattr(party, name))}
    return any(main.get(name) != value for name, value in given.items())
