"""Everything known of an interaction: its parts, what happened to them in order, and what each run did with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import is_named
from recording_archive.catalog.tables import coverage, events, recordings, work
from recording_archive.model import Window, is_safe_id, known_date
from recording_archive.spelling.ids import clean_id


@dataclass(frozen=True, slots=True)
class Covered:
    """A stretch of time without a gap whose recordings are all in the books."""

    source: str
    window: Window


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows as mappings by column name: ``parts`` by id, ``events`` by time, ``work`` by run; of the erased only days.

    ``covered`` says what the absence of an interaction means: one of these stretches would have shown it.
    """

    interaction_id: str
    parts: tuple[Mapping[str, Any], ...]
    events: tuple[Mapping[str, Any], ...]
    work: tuple[Mapping[str, Any], ...]
    covered: tuple[Covered, ...]

    @property
    def known(self) -> bool:
        """Tell if the source ever listed a recording of the interaction."""
        return bool(self.parts)

    def to_json(self) -> dict[str, Any]:
        """Return the time line in the names and types of the API."""
        spans = [
            {"source": span.source, "start": _plain(span.window.start), "end": _plain(span.window.end)}
            for span in self.covered
        ]
        rows = {name: [_camel(row) for row in getattr(self, name)] for name in ("parts", "events", "work")}
        return {"interactionId": self.interaction_id, "known": self.known, **rows, "coverage": spans}


def read_timeline(catalog: Catalog, interaction_id: str) -> Timeline:
    """Read all of it in one consistent state, by an id as it was typed; an interaction never seen has empty rows."""
    part = (recordings.c.recording_id, recordings.c.part)
    with catalog.read() as connection:
        listed = select(recordings).where(is_named(recordings, interaction_id)).order_by(*part)
        done = select(work).where(is_named(work, interaction_id)).order_by(work.c.id)
        parts = _rows(connection, listed)
        states = {(row["recording_id"], row["part"]): row["state"] for row in parts}
        return Timeline(
            clean if is_safe_id(clean := clean_id(interaction_id)) else interaction_id,
            _dated(parts, states),
            _rows(
                connection,
                select(events).where(is_named(events, interaction_id)).order_by(events.c.at, events.c.id),
            ),
            _dated(_rows(connection, done), states),
            tuple(joined(connection.execute(select(coverage).order_by(coverage.c.source, coverage.c.start)))),
        )


def _rows(connection: Connection, query: Any) -> tuple[Mapping[str, Any], ...]:
    return tuple(dict(row) for row in connection.execute(query).mappings())


def _dated(rows: Iterable[Mapping[str, Any]], states: Mapping[tuple[str, int], str]) -> tuple[Mapping[str, Any], ...]:
    """Give rows of erased parts a day, as nothing knows their time any more."""

    def dated(row: Mapping[str, Any]) -> Mapping[str, Any]:
        state = states.get((row["recording_id"], row["part"]), "")
        return {**row, "interaction_date": known_date(state, row["interaction_date"])}

    return tuple(map(dated, rows))


def joined(rows: Iterable[Row[Any]]) -> Iterator[Covered]:
    """Join ranges that touch or overlap; they come by source and start."""
    open_one: Covered | None = None
    for row in rows:
        if open_one and open_one.source == row.source and row.start <= open_one.window.end:
            end = max(open_one.window.end, row.end)
            open_one = Covered(row.source, Window(open_one.window.start, end))
            continue
        if open_one:
            yield open_one
        open_one = Covered(row.source, Window(row.start, row.end))
    if open_one:
        yield open_one


def _camel(row: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
