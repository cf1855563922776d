"""The values by which a recording is found, judged and held: those of its columns, and those of its other parties.

A value is *certain* when the recording has it, *possible* when it may have it: the leg on which a party was is not
known, or two numbers may be one (`phone_numbers`). A field that the recording *lacks* may have any value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recording_archive.model import PartId
from recording_archive.parties.documents import NAMES
from recording_archive.parties.main import TOGETHER
from recording_archive.phone_numbers import recorded_keys
from recording_archive.spelling.ids import clean_id
from recording_archive.spelling.names import folded

NUMBER = "number"
_KEYS: Mapping[tuple[str, ...], list[str]] = {names: [NAMES[name] for name in names] for names in TOGETHER}
_TOGETHER = {name: names for names in TOGETHER for name in names}
_SPELLINGS: Mapping[str, Callable[[str], str]] = {"contact_id": clean_id}
LACKS = "lacks"
"""Field of `party_values` that has what a recording lacks: columns of `NAMED`, or `NUMBER`."""
NAMED = ("agent_id", "agent_name", "queue_id", "queue_name")
FIELDS = (*(name for name in NAMES if name not in ("ani", "dnis")), NUMBER)
"""Fields of `party_values`; ``number`` has the forms of numbers, and the keys of those that it may be."""


Named = tuple[str | None, ...]
"""The id and the name of an agent or a queue, or what else names one thing: fields of `parties.main.TOGETHER`."""


@dataclass(frozen=True, slots=True)
class Values:
    """Values of one field or of several together; ``lacks``: there may be others that nobody knows."""

    certain: frozenset[str]
    possible: frozenset[str]
    lacks: bool


def spelling_of(field: str) -> Callable[[str], str]:
    """Return the function that makes texts of a field of `FIELDS`, but for numbers, comparable."""
    return _SPELLINGS.get(field, folded)


def values_of(row: Any, columns: Sequence[str]) -> Values:
    """Return the values of some columns that name one thing, such as the id and the name of a queue.

    It lacks them where no party has the thing, or where `leaves_out` says so.
    """
    thing = _TOGETHER[columns[0]]
    places = [thing.index(name) for name in columns]
    known = named(tuple(getattr(row, name) for name in thing), row.parties, thing)
    certain, possible = set[str](), set[str]()
    for texts, sure in known:
        spelled = (spelling_of(thing[place])(text) for place in places if (text := texts[place]))
        (certain if sure else possible).update(spelled)
    return Values(frozenset(certain), frozenset(possible - certain), row.parties is None or leaves_out(known, places))


def named(main: Named, parties: Sequence[Mapping[str, Any]] | None, thing: tuple[str, ...]) -> list[tuple[Named, bool]]:
    """List what each party says of one thing of `TOGETHER`, and if it is certain; the main party first, each once."""
    known = [(main, True)] if any(main) else []
    keys = _KEYS[thing]
    for party in parties or ():
        texts = tuple(map(party.get, keys))
        if any(texts) and (pair := (texts, party["certain"])) not in known:
            known.append(pair)
    return known


def leaves_out(known: Sequence[tuple[Named, bool]], places: Sequence[int]) -> bool:
    """Tell if nobody has a thing, or if one has it without all that is looked at, such as a queue's name.

    Whoever has its id alone is known by another with the same id who has all.
    """
    partly = [texts[0] for texts, _ in known if not all(texts[place] for place in places)]
    if not known or not partly:
        return not known
    whole = {folded(texts[0]) for texts, _ in known if texts[0] and all(texts[place] for place in places)}
    return not all(each and folded(each) in whole for each in partly)


def numbers_of(row: Any) -> Values:
    """Return the numbers of a recording; it lacks some where nobody is known to have called, or to have been called."""
    numbers = row.numbers
    if numbers is None:
        return Values(frozenset(), frozenset(), lacks=True)
    certain = frozenset(numbers["certain"])
    forms = (*numbers["certain"], *numbers["possible"])
    possible = {*numbers["possible"], *(key for form in forms for key in recorded_keys(form))}
    lacks = lacks_numbers(row.ani, row.dnis, row.parties)
    return Values(certain, frozenset(possible - certain), lacks)


def lacks_numbers(ani: str | None, dnis: str | None, parties: Sequence[Mapping[str, Any]] | None) -> bool:
    """Tell if nobody is known to have called, or to have been called; the numbers are those of the main parties."""
    if ani and dnis:
        return False
    return not all(
        own or any(party.get(name) for party in parties or ()) for name, own in (("ani", ani), ("dnis", dnis))
    )


def to_rows(row: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of `party_values` of a recording: its numbers, its other parties' other values, what it lacks.

    One that was not read for parties has none, and lacks everything.
    """
    if row.parties is None:
        return
    part = {name: getattr(row, name) for name in PartId._fields}
    found: dict[tuple[str, str], bool] = {}
    for party, sure in _others(row):
        for field in FIELDS:
            if field != NUMBER and (text := party.get(field)):
                key = (field, spelling_of(field)(text))
                found[key] = found.get(key, False) or sure
    numbers = numbers_of(row)
    found |= {(NUMBER, value): False for value in numbers.possible}
    found |= {(NUMBER, value): True for value in numbers.certain}
    found |= {(LACKS, name): True for name in NAMED if values_of(row, [name]).lacks}
    if numbers.lacks:
        found[LACKS, NUMBER] = True
    for (field, value), sure in found.items():
        yield {"field": field, "value": value, **part, "certain": sure}


def _others(row: Any) -> Iterator[tuple[Mapping[str, str | None], bool]]:
    for party in row.parties or ():
        yield {name: party.get(camel) for name, camel in NAMES.items()}, party["certain"]
