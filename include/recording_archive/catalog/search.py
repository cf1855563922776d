"""Search the catalog: a page of recordings by any mix of filters, in the order of their dates, at any depth.

Pages are cut by keyset: the next page begins after the position of the last row, so page 1,000 costs what page one
does, and nothing is skipped or shown twice while recordings arrive. Recordings without a date come last.

The narrowest filter drives (see `search_driver`): each of its terms fetches its own next rows through its index, and
the union of these is cut to a page. All other filters are checked on what it fetches. So "agent or queue is X" costs
as many short index walks as it has terms, where one OR would sort all it finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    UnaryExpression,
    and_,
    exists,
    literal,
    not_,
    or_,
    select,
    tuple_,
    union,
)
from sqlalchemy.sql.operators import custom_op

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import WALKED, has_unread, of_recording
from recording_archive.catalog.rows import part_key
from recording_archive.catalog.search_driver import Term, choose_driver
from recording_archive.catalog.search_terms import MOST_IDS, Filters, groups, others
from recording_archive.catalog.tables import UNDATED, recordings
from recording_archive.model import PartId

__all__ = ["MOST_IDS", "UNREAD", "Filters", "Page", "Position", "export", "listed", "search"]

UNREAD = (
    "Numbers and second agents of recordings from before the upgrade are not read yet, and not searched: run "
    "`recording-archive reindex`, or wait for the next run of enforce_retention"
)
"""The warning of a search whose page is ``unread``."""
_EXPORT_PAGE = 1000
_Rows = TypeVar("_Rows", Select[Any], CompoundSelect[Any])
_c = recordings.c
_KEY = (_c.interaction_date, _c.interaction_id, _c.recording_id, _c.part)
_PARTY_KEY = tuple(WALKED.c[column.name] for column in _KEY)


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a page: the date (None among the undated) and the part of its last row."""

    date: datetime | None
    part: PartId


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of `recordings` by column name, and where the next page begins (None after the last).

    ``unread`` says that numbers and second agents of recordings from before an upgrade are not in the catalog yet, so
    that the search may have missed some; it is said only where all recordings are visible.
    """

    rows: tuple[Mapping[str, Any], ...]
    next: Position | None
    unread: bool = False


def search(
    catalog: Catalog, filters: Filters, *, limit: int = 50, after: Position | None = None, oldest: bool = False
) -> Page:
    """The next ``limit`` recordings after ``after``, newest first unless ``oldest``."""
    with catalog.read() as connection:
        query = _Query(connection.dialect.name == "sqlite", filters, after, oldest, limit + 1)
        rows = tuple(dict(row) for row in connection.execute(query.of(connection)).mappings())
        unread = filters.visible.everything and has_unread(connection)
    return Page(rows[:limit], _position(rows[limit - 1]) if len(rows) > limit else None, unread)


def listed(connection: Connection, filters: Filters, limit: int, *columns: ColumnElement[Any]) -> Select[Any]:
    """The query for some columns of the newest ``limit`` recordings that a search finds."""
    query = _Query(connection.dialect.name == "sqlite", filters, None, oldest=False, limit=limit)
    return query.of(connection, *columns)


def export(catalog: Catalog, filters: Filters, *, oldest: bool = False) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Every recording, in pages, with no connection held between two of them."""
    after: Position | None = None
    while True:
        page = search(catalog, filters, limit=_EXPORT_PAGE, after=after, oldest=oldest)
        yield page.rows
        if (after := page.next) is None:
            return


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk through an index in the order of a search: its key, what its rows without a date have, and conditions.

    ``order`` is the key again, without what is hidden from SQLite's planner.
    """

    key: Sequence[ColumnElement[Any]]
    undated: ColumnElement[bool]
    conditions: Sequence[ColumnElement[bool]]
    order: Sequence[ColumnElement[Any]]

    def read(self, first: int) -> Select[Any]:
        """Select the columns of the order, from one on."""
        named = zip(self.order, self.key, strict=True)
        return select(*(column.label(each.key) for column, each in list(named)[first:]))


@dataclass(frozen=True, slots=True)
class _Query:
    """One page as SQL: for each term of the driver, among the dated and the undated, the keys of its next rows.

    On SQLite all that is not to choose the index is hidden from its planner. Without statistics it takes any index
    that gives an order or an equality: the date's for a rare duration, ``state`` for an id.
    """

    sqlite: bool
    filters: Filters
    after: Position | None
    oldest: bool
    limit: int

    def of(self, connection: Connection, *columns: ColumnElement[Any]) -> Select[Any]:
        found_groups = list(groups(connection, self.filters))
        driver = choose_driver(connection, found_groups)
        checked = [group.check for group in found_groups if group is not driver or group.always is not None]
        sure = [self._hidden(condition) for condition in (*checked, *others(self.filters))]
        picks = self._picks(driver.terms if driver else [None], sure)
        # UNION also drops what two terms found, such as an id that is interaction and recording
        found = union(*(select(*part_key(pick.subquery())) for pick in picks)).subquery()
        same = and_(*(found.c[name] == _c[name] for name in PartId._fields))
        order = (_c.interaction_date.is_(None), *self._order(_KEY))
        return (
            select(*(columns or recordings.c))
            .select_from(recordings)
            .join(found, same)
            .order_by(*order)
            .limit(self.limit)
        )

    def _picks(
        self, terms: Iterable[Term | None], sure: Sequence[ColumnElement[bool]]
    ) -> Iterator[Select[Any] | CompoundSelect[Any]]:
        walks: list[_Walk] = []
        for term in terms:
            if term and not term.walks:
                yield self._sorted([term.condition, *sure])
            else:
                walks += self._walks(term, sure)
        if not walks:
            return
        if self.after is None or self.after.date is not None:
            yield self._merged([self._dated(walk) for walk in walks])
        if not list(self._dates()):
            yield self._merged([self._undated(walk) for walk in walks])

    def _walks(self, term: Term | None, sure: Sequence[ColumnElement[bool]]) -> Iterator[_Walk]:
        if term is None:
            yield _Walk(_KEY, _c.interaction_date.is_(None), sure, _KEY)
        elif term.walked:
            undated, found = _PARTY_KEY[0] == UNDATED, self._found(sure)
            yield from (_Walk(_PARTY_KEY, undated, (each, found), _PARTY_KEY) for each in term.walked)
        else:  # its index ends with the date: ties are sorted
            key = (_KEY[0], *map(self._hidden, _KEY[1:]))
            yield _Walk(_KEY, _c.interaction_date.is_(None), (term.condition, *sure), key)

    def _found(self, sure: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
        """Match values whose recording passes, looked up one by one: OFFSET keeps PostgreSQL from joining them all."""
        one = select(literal(1)).select_from(recordings).where(of_recording(WALKED), *sure).correlate(WALKED)
        return exists(one if self.sqlite else one.offset(0))

    def _sorted(self, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
        """Rows that come in no order: all of them are read, and sorted."""
        date, place = _c.interaction_date, list(self._dates())
        if self.after is not None and self.after.date is not None:
            place.append(or_(date.is_(None), self._beyond(_KEY, (self.after.date, *self.after.part))))
        elif self.after is not None:
            place.append(and_(date.is_(None), self._beyond(_KEY[1:], self.after.part)))
        picked = select(*_KEY).where(*conditions, *map(self._hidden, place))
        return picked.order_by(date.is_(None), *self._order(_KEY)).limit(self.limit)

    def _dated(self, walk: _Walk) -> Select[Any]:
        dates = [not_(walk.undated), *self._dates(walk.key[0])]
        beyond = [self._beyond(walk.key, (self.after.date, *self.after.part))] if self.after else []
        return walk.read(0).where(*walk.conditions, *dates, *beyond)

    def _undated(self, walk: _Walk) -> Select[Any]:
        among = self.after is not None and self.after.date is None
        beyond = [self._beyond(walk.order[1:], self.after.part)] if self.after and among else []
        return walk.read(1).where(*walk.conditions, walk.undated, *beyond)

    def _merged(self, picks: Sequence[Select[Any]]) -> Select[Any] | CompoundSelect[Any]:
        """The first rows of several walks together.

        SQLite merges them, and checks no row of any that comes later; PostgreSQL reads a page of each.
        """
        if len(picks) == 1 or self.sqlite:
            return self._first(union(*picks)) if len(picks) > 1 else self._first(picks[0])
        return union(*(select(self._first(pick).subquery()) for pick in picks))

    def _first(self, rows: _Rows) -> _Rows:
        return rows.order_by(*self._order(rows.selected_columns)).limit(self.limit)

    def _dates(self, date: ColumnElement[datetime] = _c.interaction_date) -> Iterator[ColumnElement[bool]]:
        if self.filters.by_end:
            yield date.is_not(None)
        if self.filters.start:
            yield date >= self.filters.start
        if self.filters.end:
            yield date < self.filters.end

    def _order(self, key: Iterable[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
        return [column.asc() if self.oldest else column.desc() for column in key]

    def _beyond(self, key: Sequence[Any], values: Sequence[Any]) -> ColumnElement[bool]:
        columns = tuple_(*key)
        position = tuple_(*(literal(value, column.type) for column, value in zip(key, values, strict=True)))
        return columns > position if self.oldest else columns < position

    def _hidden(self, expression: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return an equal condition that makes SQLite use no index (https://sqlite.org/optoverview.html, 1)."""
        if not self.sqlite:
            return expression
        return UnaryExpression(expression.self_group(), operator=custom_op("+"))


def _position(row: Mapping[str, Any]) -> Position:
    return Position(row["interaction_date"], PartId(*(row[name] for name in PartId._fields)))
