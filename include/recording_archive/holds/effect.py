"""The effect of a hold now, counted in the catalog through the indexes of a search."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, case, func, or_, select

from recording_archive.archive import Archive
from recording_archive.catalog.distinct import distinct
from recording_archive.catalog.party_index import among_parties, lacks
from recording_archive.catalog.tables import recordings
from recording_archive.holds.criteria import COLUMNS, Criteria
from recording_archive.holds.documents import Hold
from recording_archive.holds.rows import listed
from recording_archive.model import PartId, State
from recording_archive.parties.values import NUMBER
from recording_archive.spelling.ids import all_forms
from recording_archive.spelling.names import folded

_EXAMPLES = 10
_c = recordings.c
_GONE = or_(_c.state.in_([State.PURGED, State.ERASED]), _c.deleting_at.is_not(None))  # the last: its bytes are going
_STORED = _c.state.in_([State.ARCHIVED, State.QUARANTINED])
_KIND = case((_GONE, "gone"), (_STORED, "stored"), else_="expected")  # CASE also keeps SQLite from indexes of no use


@dataclass(frozen=True, slots=True)
class Effect:
    """Counts of archived recordings that are held and possibly held, and of matching ones that are gone.

    ``examples`` are some of the held, then of the possibly held.
    """

    held: int
    possibly_held: int
    purged: int
    examples: tuple[PartId, ...]


def effect(archive: Archive, hold: Hold) -> Effect:
    """Count what a hold holds, or would hold if it were made or not released."""
    with archive.catalog.read() as connection:
        return _Wanted(connection, hold.criteria).count()


def members(connection: Connection, hold: Hold) -> Select[Any]:
    """Select the parts that a hold holds or possibly holds, or would if they were still there."""
    parts = select(*(_c[name] for name in PartId._fields))
    return parts.where(_Wanted(connection, hold.criteria).may)


class _Wanted:
    """The conditions of one hold's criteria: for sure, and with all that may be."""

    def __init__(self, connection: Connection, criteria: Criteria) -> None:
        self._connection = connection
        terms = criteria.terms()
        fields = [_conditions(connection, criteria, field, terms[field]) for field in terms]
        dates = list(_dates(criteria))
        # what is empty makes a comparison neither true nor false: CASE, unlike NOT, takes that for false
        self._sure = case((and_(*(sure for sure, _ in fields), *dates), 1), else_=0)
        inside = [or_(and_(*dates), _c.interaction_date.is_(None))] if dates else []
        self.may = and_(*(may for _, may in fields), *inside)

    def count(self) -> Effect:
        """All of it, in one pass over what may match."""
        query = select(_KIND, self._sure, func.count()).where(self.may).group_by(_KIND, self._sure)
        counts = {(kind, sure): count for kind, sure, count in self._connection.execute(query)}
        held, possibly = counts.get(("stored", 1), 0), counts.get(("stored", 0), 0)
        examples = [*self._examples(1, held, _EXAMPLES), *self._examples(0, possibly, _EXAMPLES - held)]
        return Effect(held, possibly, counts.get(("gone", 1), 0), tuple(examples))

    def _examples(self, sure: int, count: int, most: int) -> Iterator[PartId]:
        if count > 0 < most:
            parts = select(*(_c[name] for name in PartId._fields)).where(
                self.may, _KIND == "stored", self._sure == sure
            )
            yield from (PartId(*row) for row in self._connection.execute(parts.limit(most)))


_Conditions = tuple[ColumnElement[bool], ColumnElement[bool]]


def _conditions(connection: Connection, criteria: Criteria, field: str, terms: Sequence[str]) -> _Conditions:
    """Match a field for sure, and with all that may be."""
    if field == "interactionIds":
        ids = listed(connection, all_forms(criteria.interaction_ids))
        named = or_(*(_c[name].in_(ids) for name in COLUMNS[field]))
        return named, named
    wanted = listed(connection, terms)
    if field == "numbers":
        return among_parties(NUMBER, wanted, certain=True), or_(among_parties(NUMBER, wanted), lacks([NUMBER]))
    main = [_is_named(connection, _c[name], frozenset(terms)) for name in COLUMNS[field]]
    sure = or_(*main, *(among_parties(name, wanted, certain=True) for name in COLUMNS[field]))
    return sure, or_(*main, *(among_parties(name, wanted) for name in COLUMNS[field]), lacks(COLUMNS[field]))


def _is_named(connection: Connection, column: Column[str], wanted: Collection[str]) -> ColumnElement[bool]:
    """Match the spellings of a column that mean one of the values."""
    return column.in_(listed(connection, (value for value in distinct(connection, column) if folded(value) in wanted)))


def _dates(criteria: Criteria) -> Iterator[ColumnElement[bool]]:
    if criteria.start:
        yield _c.interaction_date >= criteria.start
    if criteria.end:
        yield _c.interaction_date < criteria.end
