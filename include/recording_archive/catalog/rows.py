"""Queries that every table with a part in it shares: name a part, find its row, read pages by key, cut batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, Table, and_, literal, select, tuple_

from recording_archive.catalog.database import Catalog
from recording_archive.model import PartId
from recording_archive.spelling.ids import all_forms

PAGE = 500  # rows held in memory at once
MOST_BATCHES = 400  # two mapped tasks each: well below Airflow's max_map_length and under 1,000 task instances
NO_FAILURE: dict[str, Any] = {
    "failed_since": None,
    "retry_at": None,
    "last_error": None,
    "acknowledged_at": None,
    "failures": 0,
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """Parts that one mapped task handles."""

    number: int
    parts: int
    expected_bytes: int


class Stretch(NamedTuple):
    """The keys between which some rows of a query lie: beyond the first, up to the last; None is without a limit."""

    beyond: tuple[Any, ...] | None
    to: tuple[Any, ...] | None


def part_of(row: Row[Any]) -> PartId:
    """Name the part of a row."""
    return PartId(row.interaction_id, row.recording_id, row.part)


def part_key(table: FromClause) -> list[ColumnElement[Any]]:
    """List the columns that name a part: the primary key of `recordings`."""
    return [table.c[name] for name in PartId._fields]


def is_part(table: FromClause, part: PartId) -> ColumnElement[bool]:
    """Match the rows of one part."""
    return and_(*(table.c[name] == value for name, value in part._asdict().items()))


def has_id(column: ColumnElement[Any], ids: Iterable[str]) -> ColumnElement[bool]:
    """Match a column that has one of some ids as people typed them; the source's spelling may be another."""
    return column.in_(all_forms(ids))


def is_named(
    table: FromClause, interaction_id: str, recording_id: str | None = None, part: int | None = None
) -> ColumnElement[bool]:
    """Match the parts that a person names, by ids as they were typed; without recording or part all of them."""
    named = [has_id(table.c.interaction_id, [interaction_id])]
    if recording_id is not None:
        named.append(has_id(table.c.recording_id, [recording_id]))
    if part is not None:
        named.append(table.c.part == part)
    return and_(*named)


def same_part(left: FromClause, right: FromClause) -> ColumnElement[bool]:
    """Join two tables by the part."""
    return and_(*(left.c[name] == right.c[name] for name in PartId._fields))


def among(table: FromClause, parts: Collection[PartId]) -> ColumnElement[bool]:
    """Match the rows of some parts.

    SQLite searches no index for a tuple of columns, so the interaction ids alone narrow the search first.
    """
    interactions = table.c.interaction_id.in_({part.interaction_id for part in parts})
    return and_(interactions, tuple_(*part_key(table)).in_(list(parts)))


def pages(
    source: Catalog | Connection, query: Select[Any], *key: ColumnElement[Any], size: int = PAGE
) -> Iterator[Sequence[Row[Any]]]:
    """Yield the rows of a query a page at a time, in the order of ``key``, whose columns it selects and are never null.

    Each page asks for what is beyond the last row, so the caller may change rows on the way. From a `Catalog` each page
    is read in a transaction of its own; a `Connection` reads all of them in the caller's.
    """
    ordered, beyond = query.order_by(*key).limit(size), tuple[ColumnElement[bool], ...]()
    while page := _read(source, ordered.where(*beyond)):
        yield page
        beyond = _beyond(key, [page[-1]._mapping[column] for column in key])


def stretches(source: Catalog, where: Sequence[Any], *key: ColumnElement[Any], size: int) -> Iterator[Stretch]:
    """Cut the rows that match into stretches of ``size``, in the order of ``key``; only keys are read."""
    ordered, last = select(*key).where(*where).order_by(*key).offset(size - 1).limit(1), None
    while found := _read(source, ordered.where(*_beyond(key, last))):
        yield Stretch(last, tuple(found[0]))
        last = tuple(found[0])
    yield Stretch(last, None)


def rows_of(source: Catalog, query: Select[Any], stretch: Stretch, *key: ColumnElement[Any]) -> Sequence[Row[Any]]:
    """Read the rows of a query that lie in a stretch now, in the order of ``key``."""
    inside = query.where(*_beyond(key, stretch.beyond))
    if stretch.to is not None:
        last = _literals(key, stretch.to)
        inside = inside.where(key[0] <= last[0], tuple_(*key) <= tuple_(*last))
    return _read(source, inside.order_by(*key))


def chunked(items: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """Yield items in lists of ``size`` (`itertools.batched` came with Python 3.12)."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, and leave those that are there already as they are: another process may have been faster."""
    if rows:
        dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")  # loaded by the engine already
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def cut(
    rows: Iterable[tuple[int, int]],
    place: Callable[[list[dict[str, int]]], None],
    *,
    total: tuple[int, int],
    most_parts: int,
    most_bytes: int,
    most_batches: int = MOST_BATCHES,
) -> list[Batch]:
    """Cut rows, each an id and its bytes, into batches; make them larger rather than too many.

    ``total`` is the number of rows and their bytes. ``place`` is called with pages of ``{"row_id", "batch"}``.
    """
    most_parts = max(most_parts, -(-2 * total[0] // most_batches))
    most_bytes = max(most_bytes, -(-2 * total[1] // most_batches))
    batches: list[Batch] = []
    for chunk in chunked(rows):
        places = []
        for row_id, size in chunk:
            last = batches[-1] if batches else Batch(0, most_parts, 0)
            if last.parts < most_parts and last.expected_bytes + size <= most_bytes:
                batches[-1] = Batch(last.number, last.parts + 1, last.expected_bytes + size)
            else:
                batches.append(Batch(last.number + 1, 1, size))
            places.append({"row_id": row_id, "batch": batches[-1].number})
        place(places)
    return batches


def _beyond(key: Sequence[ColumnElement[Any]], last: Sequence[Any] | None) -> tuple[ColumnElement[bool], ...]:
    if last is None:
        return ()
    values = _literals(key, last)
    return key[0] >= values[0], tuple_(*key) > tuple_(*values)  # the first is what an index can search


def _literals(key: Sequence[ColumnElement[Any]], values: Sequence[Any]) -> list[ColumnElement[Any]]:
    return [literal(value, column.type) for column, value in zip(key, values, strict=True)]


def _read(source: Catalog | Connection, query: Select[Any]) -> Sequence[Row[Any]]:
    if isinstance(source, Connection):
        return source.execute(query).all()
    with source.read() as connection:
        return connection.execute(query).all()
