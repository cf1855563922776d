"""The effect of a hold now, counted in the catalog through the indexes of a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, or_, select

from recording_archive.archive import Archive
from recording_archive.catalog.distinct import distinct
from recording_archive.catalog.tables import recordings
from recording_archive.holds.criteria import COLUMNS, Criteria
from recording_archive.holds.documents import Hold
from recording_archive.holds.rows import listed
from recording_archive.model import PartId, State
from recording_archive.phone_numbers import spellings
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
    """Count what a hold holds, or would hold if it were made or not released.

    Numbers are looked up as sources spell them: one with blanks inside is held all the same, but not counted here.
    """
    with archive.catalog.read() as connection:
        return _Wanted(connection, hold.criteria).count()


class _Wanted:
    """The conditions of one hold's criteria: for sure, and with all that may be."""

    def __init__(self, connection: Connection, criteria: Criteria) -> None:
        self._connection = connection
        fields = [(_matches(connection, criteria, field), _may_lack(field)) for field in criteria.terms()]
        dates = list(_dates(criteria))
        # what is empty makes a comparison neither true nor false: CASE, unlike NOT, takes that for false
        self._sure = case((and_(*(match for match, _ in fields), *dates), 1), else_=0)
        inside = [or_(and_(*dates), _c.interaction_date.is_(None))] if dates else []
        self._may = and_(*(or_(match, lack) for match, lack in fields), *inside)

    def count(self) -> Effect:
        """All of it, in one pass over what may match."""
        query = select(_KIND, self._sure, func.count()).where(self._may).group_by(_KIND, self._sure)
        counts = {(kind, sure): count for kind, sure, count in self._connection.execute(query)}
        held, possibly = counts.get(("stored", 1), 0), counts.get(("stored", 0), 0)
        examples = [*self._examples(1, held, _EXAMPLES), *self._examples(0, possibly, _EXAMPLES - held)]
        return Effect(held, possibly, counts.get(("gone", 1), 0), tuple(examples))

    def _examples(self, sure: int, count: int, most: int) -> Iterator[PartId]:
        if count > 0 < most:
            parts = select(*(_c[name] for name in PartId._fields)).where(
                self._may, _KIND == "stored", self._sure == sure
            )
            yield from (PartId(*row) for row in self._connection.execute(parts.limit(most)))


def _matches(connection: Connection, criteria: Criteria, field: str) -> ColumnElement[bool]:
    if field == "interactionIds":
        return _is_one_of(connection, field, all_forms(criteria.interaction_ids))
    if field == "numbers":
        return _is_one_of(connection, field, (each for number in criteria.numbers for each in spellings(number)))
    wanted = frozenset(criteria.terms()[field])
    found = [
        _c[name].in_(listed(connection, (value for value in distinct(connection, _c[name]) if folded(value) in wanted)))
        for name in COLUMNS[field]
    ]
    return or_(*found)


def _is_one_of(connection: Connection, field: str, values: Iterable[str]) -> ColumnElement[bool]:
    texts = list(values)
    return or_(*(_c[name].in_(listed(connection, texts)) for name in COLUMNS[field]))


def _may_lack(field: str) -> ColumnElement[bool]:
    """Match an empty column. Where no row is empty this is not asked: SQLite would then read all rows."""
    columns = [_c[name] for name in COLUMNS[field] if _c[name].nullable]
    if not columns:
        return false()
    return or_(*(condition for column in columns for condition in (column.is_(None), column == "")))


def _dates(criteria: Criteria) -> Iterator[ColumnElement[bool]]:
    if criteria.start:
        yield _c.interaction_date >= criteria.start
    if criteria.end:
        yield _c.interaction_date < criteria.end
