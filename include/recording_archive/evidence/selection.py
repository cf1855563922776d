"""Selection: the recordings that a request names, in the order of their dates, and the ids that name none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.rows import among, chunked, has_id, part_key, same_part
from recording_archive.catalog.search import export
from recording_archive.catalog.search_ids import unknown_ids
from recording_archive.catalog.tables import recordings, runs, work
from recording_archive.errors import ConfigurationError
from recording_archive.evidence.request import Asked
from recording_archive.model import Outcome, PartId
from recording_archive.spelling.ids import clean_id

MOST_CALLS = 10_000
"""Recordings of one pack: what a ZIP's directory remembers of each stays in memory until it ends."""

_AT_ONCE = 50
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """The parts asked for, why each id of ``unknown`` names none, and the days that were asked for or are touched."""

    parts: tuple[PartId, ...]
    unknown: dict[str, str]
    days: tuple[date, date] | None

    def pages(self, archive: Archive) -> Iterator[list[Row[Any]]]:
        """Yield the catalog's rows of some parts at a time, in their order."""
        for page in chunked(self.parts, _AT_ONCE):
            query = select(recordings).where(among(recordings, page))
            with archive.catalog.read() as connection:
                rows = {PartId(*row[:3]): row for row in connection.execute(query)}
            yield [rows[part] for part in page]


def choose(archive: Archive, asked: Asked) -> Selection:
    """Find what a request names; raise ConfigurationError for too much, and for a hold or run that is not known."""
    span: tuple[datetime | None, datetime | None] = (None, None)
    unknown: dict[str, str] = {}
    with archive.catalog.read() as connection:
        if asked.hold:
            hold = holds.read(archive, asked.hold)
            span = (hold.criteria.start, hold.criteria.end)
            found = _keys(connection, holds.members(connection, hold))
        elif asked.run:
            found, unknown = _keys(connection, _of_run(connection, asked.run)), _missing(connection, asked.run)
        else:
            found = _named(connection, asked.ids)
    if asked.filters:
        span = (asked.filters.start, asked.filters.end)
        found = _bounded(
            (row["interaction_date"], _part(row)) for page in export(archive.catalog, asked.filters) for row in page
        )
    for name in unknown_ids(archive.catalog, [clean_id(each) for each in asked.ids]):
        unknown[name] = _why_unknown(archive, name)
    return Selection(tuple(part for _, part in _ordered(found)), unknown, _days(archive, span, found))


_Found = dict[PartId, datetime | None]


def _bounded(pairs: Iterable[tuple[datetime | None, PartId]]) -> _Found:
    found: _Found = {}
    for moment, part in pairs:
        found[part] = moment
        if len(found) > MOST_CALLS:
            raise ConfigurationError(f"More than {MOST_CALLS:,} recordings: ask for fewer days at a time")
    return found


def _keys(connection: Connection, parts: Select[Any]) -> _Found:
    wanted = parts.subquery()
    query = select(recordings.c.interaction_date, *part_key(recordings)).join(wanted, same_part(wanted, recordings))
    return _bounded((row[0], PartId(*row[1:])) for row in connection.execute(query))


def _named(connection: Connection, ids: Iterable[str]) -> _Found:
    columns = (recordings.c.interaction_id, recordings.c.recording_id)
    queries = (
        select(recordings.c.interaction_date, *part_key(recordings)).where(has_id(column, chunk))
        for chunk, column in product(chunked(ids), columns)
    )
    return _bounded((row[0], PartId(*row[1:])) for query in queries for row in connection.execute(query))


def _of_run(connection: Connection, run_id: str) -> Select[Any]:
    """Select the parts that a run archived or found archived."""
    if connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id)).first() is None:
        raise ConfigurationError(f"There is no run {run_id!r}: `recording-archive report` tells of the newest one")
    return select(*part_key(work)).where(work.c.run_id == run_id, work.c.outcome != Outcome.MISSING)


def _missing(connection: Connection, run_id: str) -> dict[str, str]:
    lost = select(work.c.interaction_id).where(work.c.run_id == run_id, work.c.outcome == Outcome.MISSING)
    return dict.fromkeys(connection.execute(lost).scalars(), _asked_in_vain(run_id))


def _why_unknown(archive: Archive, name: str) -> str:
    lost = select(work.c.run_id).where(has_id(work.c.interaction_id, [name]), work.c.outcome == Outcome.MISSING)
    with archive.catalog.read() as connection:
        run_id = connection.execute(lost.order_by(work.c.id.desc()).limit(1)).scalar()
    return _asked_in_vain(run_id) if run_id else "The source never listed it."


def _asked_in_vain(run_id: str) -> str:
    return f"The source was asked for it by name and has no recording of it (run {run_id})."


def _part(row: Any) -> PartId:
    return PartId(row["interaction_id"], row["recording_id"], row["part"])


def _ordered(found: _Found) -> list[tuple[datetime, PartId]]:
    return sorted((moment or _NEVER, part) for part, moment in found.items())


def _days(archive: Archive, span: tuple[datetime | None, datetime | None], found: _Found) -> tuple[date, date] | None:
    """Return the first and last day asked for; where none was, of the calls."""
    known = [moment for moment in found.values() if moment]
    first, last = span[0] or min(known, default=None), span[1] and span[1] - timedelta(microseconds=1)
    last = last or max(known, default=None)
    zone = archive.settings.zone
    return (first.astimezone(zone).date(), last.astimezone(zone).date()) if first and last else None
