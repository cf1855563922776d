"""Search in the order of any column. All that is found is sorted, so it must be few; by date, an index gives the order.

Recordings that lack the value come last either way, and equal ones newest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import has_unread
from recording_archive.catalog.rows import among, part_key, part_of
from recording_archive.catalog.search import Filters, Page, Position, export, listed, search
from recording_archive.catalog.tables import recordings
from recording_archive.errors import ConfigurationError
from recording_archive.model import PartId
from recording_archive.spelling.names import folded

__all__ = ["MOST_SORTED", "Order", "beside_in", "export_in", "search_in"]

MOST_SORTED = 10_000
"""Recordings; a search that finds more has an order by date alone."""

_CHUNK = 500
_c = recordings.c


class Order(StrEnum):
    """The order of a search: by date, or by another column, from the lowest value on or, with ``-``, the highest."""

    NEWEST = "newest"
    OLDEST = "oldest"
    INTERACTION, INTERACTION_DOWN = "interaction", "-interaction"
    NUMBER, NUMBER_DOWN = "number", "-number"
    AGENT, AGENT_DOWN = "agent", "-agent"
    QUEUE, QUEUE_DOWN = "queue", "-queue"
    LENGTH, LENGTH_DOWN = "length", "-length"
    SIZE, SIZE_DOWN = "size", "-size"
    VERIFIED, VERIFIED_DOWN = "verified", "-verified"

    @property
    def is_by_date(self) -> bool:
        """Tell if an index gives this order, whatever the search finds."""
        return self in {Order.NEWEST, Order.OLDEST}


_SORTED: Mapping[str, ColumnElement[Any]] = {
    "interaction": _c.interaction_id,
    "number": _c.ani,
    "agent": func.coalesce(_c.agent_name, _c.agent_id),
    "queue": func.coalesce(_c.queue_name, _c.queue_id),
    "length": _c.duration_ms,
    "size": _c.size_bytes,
    "verified": _c.verified_at,
}


def search_in(
    catalog: Catalog, filters: Filters, order: Order, *, limit: int = 50, after: Position | None = None
) -> Page:
    """The next ``limit`` recordings after ``after``; raise ConfigurationError where too many are found to sort them."""
    if order.is_by_date:
        return search(catalog, filters, limit=limit, after=after, oldest=order is Order.OLDEST)
    with catalog.read() as connection:
        found = _sorted(connection, filters, order)
        start = _place(found, after.part) + 1 if after else 0
        shown = found[start : start + limit]
        rows = tuple(_fetched(connection, [part_of(each) for each in shown]))
        unread = filters.visible.everything and has_unread(connection)
    last = shown[-1] if len(found) > start + limit else None
    return Page(rows, Position(last.interaction_date, part_of(last)) if last else None, unread)


def beside_in(catalog: Catalog, filters: Filters, order: Order, here: Position) -> tuple[PartId | None, PartId | None]:
    """Name the recordings before and after one, None at the ends; raises what `search_in` raises."""
    if order.is_by_date:
        oldest = order is Order.OLDEST
        return _next(catalog, filters, here, oldest=not oldest), _next(catalog, filters, here, oldest=oldest)
    with catalog.read() as connection:
        parts = [part_of(row) for row in _sorted(connection, filters, order)]
    if here.part not in parts:
        return None, None
    place = parts.index(here.part)
    return parts[place - 1] if place else None, parts[place + 1] if place + 1 < len(parts) else None


def export_in(catalog: Catalog, filters: Filters, order: Order) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Every recording, in pages, with no connection held between two of them; raises what `search_in` raises."""
    if order.is_by_date:
        yield from export(catalog, filters, oldest=order is Order.OLDEST)
        return
    with catalog.read() as connection:
        parts = [part_of(row) for row in _sorted(connection, filters, order)]
    for start in range(0, len(parts), _CHUNK):
        with catalog.read() as connection:
            yield _fetched(connection, parts[start : start + _CHUNK])


def _next(catalog: Catalog, filters: Filters, here: Position, *, oldest: bool) -> PartId | None:
    rows = search(catalog, filters, limit=1, after=here, oldest=oldest).rows
    found = PartId(*(rows[0][name] for name in PartId._fields)) if rows else None
    return None if found == here.part else found


def _sorted(connection: Connection, filters: Filters, order: Order) -> list[Row[Any]]:
    column = _SORTED[order.removeprefix("-")].label("sorted")
    rows = connection.execute(
        listed(connection, filters, MOST_SORTED + 1, *part_key(recordings), _c.interaction_date, column)
    )
    found = list(rows)
    if len(found) > MOST_SORTED:
        raise ConfigurationError(
            f"More than {MOST_SORTED:,} recordings are found: so many are shown by date alone. "
            f"Narrow the search to sort it by {order.removeprefix('-')}"
        )
    known = sorted((row for row in found if row.sorted is not None), key=_value, reverse=order.startswith("-"))
    return [*known, *(row for row in found if row.sorted is None)]


def _value(row: Row[Any]) -> Any:
    return folded(row.sorted) if isinstance(row.sorted, str) else row.sorted


def _place(found: Sequence[Row[Any]], part: PartId) -> int:
    """Return the place of a part; raise ConfigurationError for one that the search does not find any more."""
    for place, row in enumerate(found):
        if part_of(row) == part:
            return place
    raise ConfigurationError(
        "after: the last recording of the page before is not found any more: begin with the first page"
    )


def _fetched(connection: Connection, parts: Sequence[PartId]) -> list[Mapping[str, Any]]:
    """Fetch the rows of some parts, in their order."""
    chunks = (parts[start : start + _CHUNK] for start in range(0, len(parts), _CHUNK))
    rows = chain.from_iterable(connection.execute(select(recordings).where(among(recordings, each))) for each in chunks)
    by_part = {part_of(row): dict(row._mapping) for row in rows}
    return [by_part[part] for part in parts if part in by_part]
