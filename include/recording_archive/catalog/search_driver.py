"""The choice of the filter that drives a search: the one whose index finds a page of rows soonest.

A `Group` is a filter that an index answers, as terms of which one must hold: "agent is X" is a term for the id and one
for each agent whose name holds X.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, or_, select, union_all

from recording_archive.catalog.tables import recordings

_MANY = 10_000  # rows of one index among which a page is soon found, whatever else is asked of them
_FEW_SORTED = 6000  # rows that are read and sorted faster than a walk by date finds a page of them
MOST_TERMS = 60  # more of them match so much that a walk by date meets a page of rows at once


@dataclass(frozen=True, slots=True)
class Term:
    """A condition with an index; ``walks`` says that the index yields its rows in the order of dates.

    ``check`` is an equal condition for single rows that another index found, and ``counted`` selects as many rows of
    another table; None where the condition serves for that as well. ``wide``: it matches so much that a walk by date
    meets a page of rows at once. ``walked`` are conditions on `party_index.WALKED`: each yields its rows in order.
    """

    condition: ColumnElement[bool]
    walks: bool = True
    check: ColumnElement[bool] | None = None
    counted: Select[Any] | None = None
    wide: bool = False
    walked: tuple[ColumnElement[bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Terms of which one must hold; ``few`` says that no more rows than one page or so can pass.

    ``always`` is a narrower condition, checked of every row, also of those that the terms found.
    """

    terms: tuple[Term, ...]
    few: bool = False
    always: ColumnElement[bool] | None = None

    @property
    def check(self) -> ColumnElement[bool]:
        """All of it, for rows that another index found."""
        if self.always is not None:
            return self.always
        return or_(*(term.condition if term.check is None else term.check for term in self.terms))

    @property
    def walks(self) -> bool:
        """Tell if each of its terms does."""
        return all(term.walks for term in self.terms)


def choose_driver(connection: Connection, groups: Sequence[Group]) -> Group | None:
    """The narrowest group; None when a walk by date meets a page of rows sooner.

    Rows are counted up to a limit only: above it, one index in the order of dates is as good as another.
    """
    if sure := next((group for group in groups if group.few), None):
        return sure
    usable = [group for group in groups if len(group.terms) <= MOST_TERMS and not any(t.wide for t in group.terms)]
    if len(usable) == 1 and usable[0].walks:
        return usable[0]
    counts = [(*_count(connection, group), group) for group in usable]
    narrow = [(unsorted + walked, group) for unsorted, walked, group in counts if unsorted <= _FEW_SORTED]
    return min(narrow, key=lambda pair: pair[0])[1] if narrow else None


def _count(connection: Connection, group: Group) -> tuple[int, int]:
    """Count the rows that would be sorted, and those that come in the order of dates; what two terms find, twice."""
    found = connection.execute(select(_up_to(_FEW_SORTED, group, walks=False), _up_to(_MANY, group, walks=True))).one()
    return int(found[0]), int(found[1])


def _up_to(most: int, group: Group, *, walks: bool) -> ColumnElement[int]:
    row = select(literal(1)).select_from(recordings)
    each = [
        row.where(term.condition) if term.counted is None else term.counted
        for term in group.terms
        if term.walks is walks
    ]
    if not each:
        return literal(0)
    limited = union_all(*(select(rows.subquery()) for rows in each)).limit(most + 1)
    return select(func.count()).select_from(limited.subquery()).scalar_subquery()
