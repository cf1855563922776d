"""The holds of many recordings: a million recordings against a hundred thousand holds in a minute.

Holds are grouped by the fields they ask for. A recording that has all its columns is looked up once in each group, by
its own values of the group's fields. For each field that it may lack (see `criteria`) the group is looked up once more
without that field, which finds what possibly holds it. So each look-up has the time of a dictionary's, however many
holds there are; the dictionaries are made when the first recording needs them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, combinations, product
from math import prod
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Connection, Row, select

from recording_archive.catalog.rows import part_of
from recording_archive.catalog.tables import holds
from recording_archive.holds.criteria import COLUMNS, Criteria, spelling_of
from recording_archive.holds.date_index import MOST_NAMED, Covering, DateSpan, Spans
from recording_archive.holds.rows import ACTIVE, listed
from recording_archive.model import PartId
from recording_archive.spelling.ids import clean_id

_STREAMED = 1000  # holds read at once
_MOST_KEYS = 16  # combinations of values, for each value, that a hold is entered under
_MOST_SHARED = 100_000  # pairs of agent and queue that are remembered
_OWN = frozenset({"interactionIds", "numbers"})  # fields in which most recordings differ
_canonical = spelling_of("numbers")

Values = Mapping[str, Collection[str]]
_Entry = tuple[DateSpan, tuple[tuple[str, ...], ...]]  # a hold, and its values of each field of its group
_Look = Callable[[datetime | None], Covering]


@dataclass(frozen=True, slots=True)
class Holding:
    """Ids of active holds, at most ten of each; false when there is none.

    `held` is empty only when no hold holds it for sure, and then `possibly` only when none does possibly. When enough
    hold it for sure, `possibly` is not complete.
    """

    held: tuple[str, ...] = ()
    possibly: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.held or self.possibly)


class Matcher:
    """All active holds as the connection sees them now; those that come later, and releases, are not seen.

    Memory grows with what holds ask for, not with recordings: some 150 MB for 100,000 holds.
    """

    def __init__(self, connection: Connection, only: Collection[str] | None = None) -> None:
        """Read all active holds, or ``only`` those of these ids; the connection is not needed afterwards."""
        self._groups: dict[tuple[str, ...], list[_Entry]] = defaultdict(list)
        for span, terms in _read(connection, only):
            fields = tuple(field for field in COLUMNS if field in terms)
            self._groups[fields].append((span, tuple(terms[field] for field in fields)))
        self._tables: dict[tuple[tuple[str, ...], tuple[str, ...]], _Table] = {}
        self._lookups: dict[tuple[str, ...], _Lookup] = {}
        self._shared: dict[tuple[Any, ...], _Shared] = {}

    def of(self, rows: Sequence[Any]) -> dict[PartId, Holding]:
        """Find the holds of each row of `recordings`; the rows are all of one query."""
        return {part_of(row): held for row, held in zip(rows, self.each(rows), strict=True)}

    def each(self, rows: Sequence[Any], *, enough: int = MOST_NAMED) -> list[Holding]:
        """Find the holds of each row, in the order of the rows.

        Once ``enough`` are known to hold a row, no more are looked for: who only asks whether it is held needs one.
        """
        read = _reader(rows[0]) if rows else None
        return [self._of(read(row), row, enough) for row in rows if read]

    def _of(self, columns: tuple[Any, ...], row: Any, enough: int) -> Holding:
        (interaction_id, recording_id, date, ani, dnis), names = columns[:5], columns[5:]
        key = (names, bool(ani and dnis))
        shared = self._shared.get(key) or self._share(key, row)
        sure, perhaps = shared.sure, shared.perhaps
        if not shared.lookup.first.isdisjoint(
            (clean_id(interaction_id), clean_id(recording_id), ani and _canonical(ani), dnis and _canonical(dnis))
        ):
            values, _ = traits(row)
            sure = [*sure, *shared.lookup.meet(values, own=True, whole=True)]
            perhaps = [*perhaps, *shared.lookup.meet(values, own=True, whole=False)]
        return _judge(sure, perhaps, date, enough) if sure or perhaps else _NO_HOLDING

    def _share(self, key: tuple[Any, ...], row: Any) -> _Shared:
        """Find what is equal for all recordings that have these names and may lack the same fields."""
        values, lacking = traits(row)
        if lacking not in self._lookups:
            self._lookups[lacking] = _Lookup(list(self._tables_for(lacking)))
        lookup = self._lookups[lacking]
        if len(self._shared) >= _MOST_SHARED:
            self._shared.clear()
        sure, perhaps = (list(lookup.meet(values, own=False, whole=whole)) for whole in (True, False))
        shared = self._shared[key] = _Shared(sure, perhaps, lookup)
        return shared

    def _tables_for(self, lacking: Collection[str]) -> Iterator[tuple[_Table, bool]]:
        """For recordings that may lack these fields: the tables to look into, and whether they ask for all fields."""
        for fields, entries in self._groups.items():
            for left_out in subsets(field for field in fields if field in lacking):
                kept = tuple(field for field in fields if field not in left_out)
                if (fields, kept) not in self._tables:
                    self._tables[fields, kept] = _Table(fields, kept, entries)
                yield self._tables[fields, kept], not left_out


@dataclass(frozen=True, slots=True)
class _Shared:
    """The part of a match that recordings of one agent and queue share: most holds ask for no more, and a date.

    A contact centre has thousands of such pairs in millions of recordings.
    """

    sure: list[_Look]
    perhaps: list[_Look]
    lookup: _Lookup


class _Lookup:
    """The tables for recordings that may lack the same fields."""

    def __init__(self, tables: Sequence[tuple[_Table, bool]]) -> None:
        self._tables = tables
        self.first = frozenset(value for table, _ in tables if table.own for value in table.first)

    def meet(self, values: Values, *, own: bool, whole: bool) -> Iterator[_Look]:
        """Find holds that cover a date and ask for these; ``whole``: in all their fields; ``own``: see `_OWN`."""
        for table, is_whole in self._tables:
            if table.own is own and is_whole is whole:
                yield from table.meet(values)


class _Table:
    """The holds of one group, by their values of the fields that are kept.

    A hold is entered under each combination of its values. Where they are too many it is entered under the values of
    one field, and the others are compared when it is met.
    """

    def __init__(self, fields: Sequence[str], kept: Sequence[str], entries: Iterable[_Entry]) -> None:
        self.own = not _OWN.isdisjoint(kept)
        self._kept = kept
        self._wide: dict[str, list[tuple[DateSpan, Mapping[str, frozenset[str]]]]] = defaultdict(list)
        keyed: dict[tuple[str, ...], list[DateSpan]] = defaultdict(list)
        places = [fields.index(field) for field in kept]
        for span, entry in entries:
            values = [entry[place] for place in places]
            if prod(map(len, values)) <= _MOST_KEYS * max(1, sum(map(len, values))):
                for key in product(*values):
                    keyed[key].append(span)
            else:
                wanted = dict(zip(kept, map(frozenset, values), strict=True))
                for value in values[0]:
                    self._wide[value].append((span, wanted))
        self._keyed = {key: spans[0] if len(spans) == 1 else Spans(spans) for key, spans in keyed.items()}
        self.first = frozenset((*(key[0] for key in keyed if key), *self._wide))

    def meet(self, values: Values) -> Iterator[_Look]:
        """Find the holds that cover a date and ask for some of these values in each field kept."""
        for key in product(*(values[field] for field in self._kept)):
            if (spans := self._keyed.get(key)) is not None:
                yield spans.at
        for value in values[self._kept[0]] if self._wide else ():
            for span, wanted in self._wide.get(value, ()):
                if all(not wanted[field].isdisjoint(values[field]) for field in self._kept):
                    yield span.at


def traits(row: Any) -> tuple[Values, tuple[str, ...]]:
    """The values of a recording in each field, and the fields that it may lack."""
    values: dict[str, Collection[str]] = {}
    lacking = []
    for field, columns in COLUMNS.items():
        given = [getattr(row, name) for name in columns]
        values[field] = {_SPELLING[field](value) for value in given if value}
        if not all(given):
            lacking.append(field)
    return values, tuple(lacking)


def subsets(fields: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Every selection of the fields, the empty one first, each in their order."""
    given = list(fields)
    return chain.from_iterable(combinations(given, count) for count in range(len(given) + 1))


_SPELLING = {field: spelling_of(field) for field in COLUMNS}
_COLUMNS = (
    *("interaction_id", "recording_id", "interaction_date", "ani", "dnis"),
    *("agent_id", "agent_name", "queue_id", "queue_name"),
)
_NO_HOLDING = Holding()


def _reader(row: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Return a reader of `_COLUMNS` for rows like this one; by position where it can, in a tenth of the time."""
    if isinstance(row, Row):
        return itemgetter(*map(row._fields.index, _COLUMNS))
    return attrgetter(*_COLUMNS)


def _judge(sure: Iterable[_Look], perhaps: Iterable[_Look], date: datetime | None, enough: int) -> Holding:
    """Find the holds of that date that match in all fields, or in all but those that the recording may lack."""
    held: list[str] = []
    possibly: list[str] = []
    for look in sure:
        covering, unknown = look(date)
        held += covering
        possibly += unknown
        if len(held) >= enough:
            return Holding(_named(held))
    for look in perhaps:
        covering, unknown = look(date)
        possibly += covering
        possibly += unknown
    if not held and not possibly:
        return _NO_HOLDING
    return Holding(_named(held), _named(set(possibly).difference(held)) if possibly else ())


def _named(ids: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(set(ids))[:MOST_NAMED]) if len(ids) > 1 else tuple(ids)


def _read(
    connection: Connection, only: Collection[str] | None
) -> Iterator[tuple[DateSpan, dict[str, tuple[str, ...]]]]:
    query = select(holds.c.id, holds.c.start, holds.c.end, holds.c.criteria)
    # by one of the two: with both, SQLite would look for the few ids among all that are active
    query = query.where(ACTIVE if only is None else holds.c.id.in_(listed(connection, only)))
    for row in connection.execute(query, execution_options={"yield_per": _STREAMED}):
        yield DateSpan(row.id, row.start, row.end), Criteria.from_json(row.criteria).terms()
