"""The filters of a search in SQL, and the choice of the one that drives it.

A `Group` is a filter that an index answers, as terms of which one must hold: "agent is X" is a term for the id and one
for each agent whose name holds X.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal, or_, select

from recording_archive.catalog.rows import has_id
from recording_archive.catalog.search_ids import ids_in, starts
from recording_archive.catalog.search_names import names_like
from recording_archive.catalog.tables import recordings
from recording_archive.model import State
from recording_archive.phone_numbers import spellings
from recording_archive.spelling.ids import id_forms

MOST_IDS = 2000
"""Ids that one search takes: more than a URL of 64 KiB holds."""

_FEW = 2000  # rows that are sorted faster than a walk by date finds a page of them
_MOST_TERMS = 60  # more of them match so much that a walk by date meets a page of rows at once
_NUMBER_DIGITS = 6  # a text with as many is a number, and no name
_c = recordings.c


@dataclass(frozen=True, slots=True)
class Filters:
    """The conditions on a recording; all that are given must hold.

    ``text`` is one of: ids, the start of an id, a number, a part of an agent's or queue's name. ``ids`` are
    interactions or recordings.
    ``start`` and ``end`` are half-open. ``verified`` is ``ok``, ``failed`` or ``never``.
    """

    text: str | None = None
    ids: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    agent: str | None = None
    queue: str | None = None
    number: str | None = None
    direction: str | None = None
    media_type: str | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    state: State | None = None
    verified: str | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """A condition with an index; ``walks`` says that the index yields its rows in the order of dates."""

    condition: ColumnElement[bool]
    walks: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """Terms of which one must hold; ``few`` says that no more rows than one page or so can pass."""

    terms: tuple[Term, ...]
    few: bool = False

    @property
    def condition(self) -> ColumnElement[bool]:
        """All of it."""
        return or_(*(term.condition for term in self.terms))

    @property
    def walks(self) -> bool:
        """Tell if each of its terms does."""
        return all(term.walks for term in self.terms)


def choose_driver(connection: Connection, groups: Sequence[Group]) -> Group | None:
    """The narrowest group; None when a walk by date meets a page of rows sooner.

    Rows are counted up to `_FEW` only: above it, one index in the order of dates is as good as another.
    """
    if sure := next((group for group in groups if group.few), None):
        return sure
    usable = [group for group in groups if len(group.terms) <= _MOST_TERMS]
    if len(usable) == 1 and usable[0].walks:
        return usable[0]
    counts = [_count(connection, group) for group in usable]
    few = [(count, group) for count, group in zip(counts, usable, strict=True) if count <= _FEW]
    if few:
        return min(few, key=lambda pair: pair[0])[1]
    return next((group for group in usable if group.walks), None)


def _count(connection: Connection, group: Group) -> int:
    rows = select(literal(1)).where(group.condition).limit(_FEW + 1).select_from(recordings)
    return connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()


def groups(connection: Connection, filters: Filters) -> Iterator[Group]:
    """The filters that have an index."""
    if filters.ids:
        yield Group(tuple(_id_terms(filters.ids)), few=True)
    if filters.text:
        yield _text_group(connection, filters.text)
    if filters.agent:
        yield Group(tuple(_named(connection, filters.agent, _c.agent_id, _c.agent_name)))
    if filters.queue:
        yield Group(tuple(_named(connection, filters.queue, _c.queue_id, _c.queue_name)))
    if filters.number:
        yield Group(tuple(_number_terms(filters.number)))
    if filters.state:
        yield Group((Term(_c.state == filters.state),))
    if filters.verified:
        yield Group((Term(_c.verified_ok.is_({"ok": True, "failed": False, "never": None}[filters.verified])),))
    if filters.min_seconds is not None:
        yield Group((Term(_c.duration_ms >= filters.min_seconds * 1000, walks=False),))
    if filters.max_seconds is not None:
        yield Group((Term(_c.duration_ms <= filters.max_seconds * 1000, walks=False),))


def others(filters: Filters) -> Iterator[ColumnElement[bool]]:
    """The filters that so many rows pass that no index helps."""
    if filters.direction:
        yield _c.direction == filters.direction
    if filters.media_type:
        yield _c.media_type == filters.media_type


def _text_group(connection: Connection, text: str) -> Group:
    """Read the text of the search box: ids, else the start of an id, a number, or a part of a name."""
    if ids := ids_in(connection, text):
        return Group(tuple(_id_terms(ids)), few=True)
    starting = [Term(condition, walks=False) for condition in starts(connection, text)]
    numbers = (*starting, *_number_terms(text))
    if sum(character.isdigit() for character in text) >= _NUMBER_DIGITS:
        return Group(numbers)
    agents = _named(connection, text, _c.agent_id, _c.agent_name)
    return Group((*numbers, *agents, *_named(connection, text, _c.queue_id, _c.queue_name)))


def _id_terms(ids: Sequence[str]) -> Iterator[Term]:
    yield Term(has_id(_c.interaction_id, ids), walks=False)
    yield Term(has_id(_c.recording_id, ids), walks=False)


def _number_terms(text: str) -> Iterator[Term]:
    for spelling in spellings(text):
        yield Term(_c.ani == spelling)
        yield Term(_c.dnis == spelling)


def _named(connection: Connection, text: str, id_column: Any, name_column: Any) -> Iterator[Term]:
    """By id, or by a part of the name; ids, too, begin with letters that occur in names."""
    for form in id_forms(text.strip()):
        yield Term(id_column == form)
    for name in names_like(connection, name_column, text.strip()):
        yield Term(name_column == name)
