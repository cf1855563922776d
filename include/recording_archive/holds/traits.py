"""Traits by which holds hold a recording: its ids, numbers, agents and queues, and the fields that it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Row

from recording_archive.holds.criteria import COLUMNS
from recording_archive.model import PartId
from recording_archive.parties.values import Named, lacks_numbers, leaves_out, named
from recording_archive.phone_numbers import recorded_keys
from recording_archive.spelling.ids import clean_id
from recording_archive.spelling.names import folded

LOOKED_AT = frozenset({*PartId._fields, "interaction_date", "parties", "numbers"}.union(*COLUMNS.values()))
"""The columns of `recordings` by which holds are found."""

Values = Mapping[str, frozenset[str]]
Known = Sequence[tuple[Named, bool]]
"""Agents or queues by id and name, and whether each is certain."""

_NAMES = {"agents": ("agent_id", "agent_name"), "queues": ("queue_id", "queue_name")}
_READ = (*("interaction_id", "recording_id", "ani", "dnis", "parties", "numbers"), *chain(*_NAMES.values()))


@dataclass(slots=True)
class Traits:
    """The traits of one recording; numbers are forms."""

    part: tuple[str, str]  # interaction and recording as the source spells them
    certain_numbers: Sequence[str]
    possible_numbers: Sequence[str]
    agents: Known
    queues: Known
    lacking: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, str]:
        """The ids of interaction and recording, as `clean_id` spells them."""
        return clean_id(self.part[0]), clean_id(self.part[1])

    def certain(self) -> Values:
        """Return the values of each field of `criteria.COLUMNS` that are certain."""
        agents, queues = ([each for each in known if each[1]] for known in (self.agents, self.queues))
        return self._values(self.certain_numbers, agents, queues)

    def all(self) -> Values:
        """Return the values of each field, those that are only possible as well."""
        return self._values(self.numbers(), self.agents, self.queues)

    def numbers(self) -> tuple[str, ...]:
        """Return the forms of all numbers, and the keys of what they may mean."""
        every = (*self.certain_numbers, *self.possible_numbers)
        return (*every, *chain.from_iterable(map(recorded_keys, every)))

    def _values(self, numbers: Iterable[str], agents: Known, queues: Known) -> Values:
        found = {"interactionIds": frozenset(self.ids), "numbers": frozenset(numbers)}
        for what, known in (("agent", agents), ("queue", queues)):
            spelled = [spellings(*name) for name, _ in known]
            found[f"{what}s"] = frozenset(chain.from_iterable(names for names, _ in spelled))
            found[f"{what}Ids"] = frozenset(chain.from_iterable(ids for _, ids in spelled))
        return found


@lru_cache(maxsize=65536)
def spellings(given_id: str | None, name: str | None) -> tuple[frozenset[str], frozenset[str]]:
    """Spell an id and a name as holds ask for them: both, and the id alone."""
    ids = frozenset([folded(given_id)] if given_id else [])
    return ids | ({folded(name)} if name else frozenset()), ids


def reader(row: Any) -> Callable[[Any], Traits]:
    """Return a reader of rows like this one; by position where it can, in a tenth of the time."""
    read = itemgetter(*map(row._fields.index, _READ)) if isinstance(row, Row) else attrgetter(*_READ)
    return lambda each: _traits(*read(each))


def _traits(  # noqa: PLR0917 - the columns of `_READ`
    interaction_id: str,
    recording_id: str,
    ani: str | None,
    dnis: str | None,
    parties: Sequence[Mapping[str, Any]] | None,
    numbers: Mapping[str, Any] | None,
    *names: str | None,
) -> Traits:
    agents, queues = named(names[:2], parties, _NAMES["agents"]), named(names[2:], parties, _NAMES["queues"])
    if ani and dnis and parties is not None and numbers is not None and _are_whole(agents) and _are_whole(queues):
        lacking = tuple[str, ...]()
    else:
        lacks = {"numbers": numbers is None or lacks_numbers(ani, dnis, parties)}
        for what, known in (("agent", agents), ("queue", queues)):
            lacks |= {f"{what}s": leaves_out(known, (0, 1)), f"{what}Ids": leaves_out(known, (0,))}
        lacking = tuple(field for field, empty in lacks.items() if empty or parties is None)
    certain, possible = (numbers["certain"], numbers["possible"]) if numbers else ((), ())
    return Traits((interaction_id, recording_id), certain, possible, agents, queues, lacking)


def _are_whole(known: Known) -> bool:
    for name, _ in known:  # a loop: `all` of a generator takes three times as long
        if not (name[0] and name[1]):
            return False
    return bool(known)
