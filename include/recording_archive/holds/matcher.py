"""The holds of many recordings: a million recordings against a hundred thousand holds in a minute.

Holds are grouped by the fields they ask for. A recording is looked up in each group by its certain values of the
group's fields, then by all of its values, which finds what possibly holds it. For each field that it lacks (see
`criteria`) the group is looked up once more without that field. So each look-up has the time of a dictionary's, however
many holds there are; the dictionaries are made when the first recording needs them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, combinations, product
from math import prod
from typing import Any

from sqlalchemy import Connection, select

from recording_archive.catalog.rows import part_of
from recording_archive.catalog.tables import holds
from recording_archive.holds.criteria import COLUMNS, Criteria
from recording_archive.holds.date_index import MOST_NAMED, Covering, DateSpan, Spans, together
from recording_archive.holds.rows import ACTIVE, listed
from recording_archive.holds.traits import Known, Traits, Values, reader, spellings
from recording_archive.model import PartId
from recording_archive.parties.values import Named

_STREAMED = 1000  # holds read at once
_MOST_KEYS = 16  # combinations of values, for each value, that a hold is entered under
_MOST_KNOWN = 200_000  # pairs of agent and queue that are remembered
_OWN = frozenset({"interactionIds", "numbers"})  # fields in which most recordings differ

_AGENTS, _QUEUES = ("agents", "agentIds"), ("queues", "queueIds")
_NOBODY, _NO_SPELLINGS = (None, True), (frozenset[str](), frozenset[str]())
_Asking = tuple[DateSpan, tuple[tuple[str, ...], ...]]  # a hold, and its values of each field of its group
_Look = Callable[[datetime | None], Covering]
_Met = DateSpan | Spans
_Entry = tuple[_Look | None, _Look | None]  # those that match in all their fields, and in all but the lacking
_NOTHING: _Entry = (None, None)


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
        self._groups: dict[tuple[str, ...], list[_Asking]] = defaultdict(list)
        for span, terms in _read(connection, only):
            fields = tuple(field for field in COLUMNS if field in terms)
            self._groups[fields].append((span, tuple(terms[field] for field in fields)))
        self._tables: dict[tuple[tuple[str, ...], tuple[str, ...]], _Table] = {}
        self._lookups: dict[tuple[str, ...], _Lookup] = {}

    def of(self, rows: Sequence[Any]) -> dict[PartId, Holding]:
        """Find the holds of each row of `recordings`; the rows are all of one query."""
        return {part_of(row): held for row, held in zip(rows, self.each(rows), strict=True)}

    def each(self, rows: Sequence[Any], *, enough: int = MOST_NAMED) -> list[Holding]:
        """Find the holds of each row, in the order of the rows.

        Once ``enough`` are known to hold a row, no more are looked for: who only asks whether it is held needs one.
        """
        read = reader(rows[0]) if rows else None
        return [self._of(read(row), row.interaction_date, enough) for row in rows if read]

    def _of(self, found: Traits, date: datetime | None, enough: int) -> Holding:
        lookup = self._lookups.get(found.lacking) or self._make(found.lacking)
        held, possibly, perhaps = list[str](), list[str](), list[_Look]()
        sure = lookup.shared(found.agents, found.queues, perhaps)
        if _look(sure, date, held, possibly, enough):  # before what is costlier
            return Holding(_named(held))
        if tables := lookup.tables_of((*found.ids, *found.numbers())):
            own, more = _own(tables, found)
            perhaps += more
            if _look(own, date, held, possibly, enough):
                return Holding(_named(held))
        _look(perhaps, date, possibly, possibly, None)
        if not held and not possibly:
            return _NO_HOLDING
        return Holding(_named(held), _named(set(possibly).difference(held)) if possibly else ())

    def _make(self, lacking: tuple[str, ...]) -> _Lookup:
        self._lookups[lacking] = _Lookup(list(self._tables_for(lacking)))
        return self._lookups[lacking]

    def _tables_for(self, lacking: Collection[str]) -> Iterator[tuple[_Table, bool]]:
        """For recordings that may lack these fields: the tables to look into, and whether they ask for all fields."""
        for fields, entries in self._groups.items():
            for left_out in subsets(field for field in fields if field in lacking):
                kept = tuple(field for field in fields if field not in left_out)
                if (fields, kept) not in self._tables:
                    self._tables[fields, kept] = _Table(fields, kept, entries)
                yield self._tables[fields, kept], not left_out


class _Lookup:
    """The tables for recordings that lack the same fields.

    Most holds ask for agents, queues and a date alone. What holds by an agent, by a queue or by the two of them is
    remembered: a contact centre has thousands of such pairs in millions of recordings.
    """

    def __init__(self, tables: Sequence[tuple[_Table, bool]]) -> None:
        self._own = [(table, whole) for table, whole in tables if table.own]
        self._others: dict[tuple[bool, bool], list[tuple[_Table, bool]]] = defaultdict(list)
        for table, whole in tables:
            if not table.own:
                self._others[table.asks_for(_AGENTS), table.asks_for(_QUEUES)].append((table, whole))
        self._known: dict[Named | None, dict[Named | None, _Entry]] = defaultdict(dict)
        self._pairs = 0
        self._first = frozenset(value for table, _ in self._own for value in table.first)

    def shared(self, agents: Known, queues: Known, perhaps: list[_Look]) -> Iterator[_Look]:
        """Yield the holds that ask for agents, queues or neither; add those to ``perhaps`` that only may match."""
        for agent, agent_sure in (_NOBODY, *agents):
            known = self._known[agent]
            for queue, queue_sure in (_NOBODY, *queues):
                entry = known.get(queue) or self._learn(agent, queue)
                if entry is _NOTHING:
                    continue
                whole, rest = entry
                if rest:
                    perhaps.append(rest)
                if whole and agent_sure and queue_sure:
                    yield whole
                elif whole:
                    perhaps.append(whole)

    def tables_of(self, values: Iterable[str]) -> list[tuple[_Table, bool]]:
        """List the tables that may have a hold by some ids and numbers; most recordings have none."""
        met = self._first.intersection(values)
        return [each for each in self._own if not each[0].first.isdisjoint(met)] if met else []

    def _learn(self, agent: Named | None, queue: Named | None) -> _Entry:
        """Look up the holds of one agent and one queue, or of one of the two alone."""
        values: dict[str, frozenset[str]] = {}
        for names, given in ((_AGENTS, agent), (_QUEUES, queue)):
            values |= zip(names, spellings(*given) if given else _NO_SPELLINGS, strict=True)
        whole, rest = list[_Met](), list[_Met]()
        for table, is_whole in self._others.get((agent is not None, queue is not None), ()):
            (whole if is_whole else rest).extend(table.meet(values))
        if self._pairs >= _MOST_KNOWN:
            self._known.clear()
            self._pairs = 0
        self._pairs += 1
        self._known[agent][queue] = (together(whole), together(rest)) if whole or rest else _NOTHING
        return self._known[agent][queue]


class _Table:
    """The holds of one group, by their values of the fields that are kept.

    A hold is entered under each combination of its values. Where they are too many it is entered under the values of
    one field, and the others are compared when it is met.
    """

    def __init__(self, fields: Sequence[str], kept: Sequence[str], entries: Iterable[_Asking]) -> None:
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
        self._asked = [frozenset(found) for found in zip(*keyed, strict=True)] if kept else []
        self.first = frozenset((*(self._asked[0] if self._asked else ()), *self._wide))

    def asks_for(self, fields: Iterable[str]) -> bool:
        """Tell if one of some fields is kept."""
        return not set(self._kept).isdisjoint(fields)

    def meet(self, values: Values) -> Iterator[_Met]:
        """Find the holds that cover a date and ask for some of these values in each field kept."""
        for key in product(*(values[field] & asked for field, asked in zip(self._kept, self._asked, strict=False))):
            if (spans := self._keyed.get(key)) is not None:
                yield spans
        for value in values[self._kept[0]] if self._wide else ():
            for span, wanted in self._wide.get(value, ()):
                if all(not wanted[field].isdisjoint(values[field]) for field in self._kept):
                    yield span


def subsets(fields: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Every selection of the fields, the empty one first, each in their order."""
    given = list(fields)
    return chain.from_iterable(combinations(given, count) for count in range(len(given) + 1))


_NO_HOLDING = Holding()


def _own(tables: Iterable[tuple[_Table, bool]], found: Traits) -> tuple[list[_Look], list[_Look]]:
    """Find the holds that ask for ids or numbers; those that hold for sure are among those that may."""
    sure, perhaps = list[_Look](), list[_Look]()
    certain, everything = found.certain(), found.all()
    for table, whole in tables:
        if whole:
            sure.extend(each.at for each in table.meet(certain))
        perhaps.extend(each.at for each in table.meet(everything))
    return sure, perhaps


def _look(
    looks: Iterable[_Look], date: datetime | None, found: list[str], unsure: list[str], enough: int | None
) -> bool:
    """Add the holds that cover a date to those found, and those that may to the unsure; tell if there are enough."""
    for look in looks:
        covering, unknown = look(date)
        found += covering
        unsure += unknown
        if enough is not None and len(found) >= enough and len(set(found)) >= enough:  # two parties may meet one hold
            return True
    return False


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
