"""Selection: the recordings that a request names, in the order of their dates, and the ids that name none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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
from recording_archive.evidence.gathered import Found, Gathered
from recording_archive.evidence.request import Asked
from recording_archive.model import Outcome, PartId
from recording_archive.spelling.ids import clean_id

MOST_CALLS = 10_000
"""Recordings of one pack: what a ZIP's directory remembers of each stays in memory until it ends."""

_AT_ONCE = 50
_STREAMED = {"yield_per": 1000}
_COLUMNS = (
    *part_key(recordings),
    *(recordings.c[name] for name in ("interaction_date", "size_bytes", "stored_bytes")),
)


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
    gathered, unknown, days = _gather(archive, asked, MOST_CALLS)
    return Selection(tuple(each.part for each in gathered), unknown, days)


def shares(archive: Archive, asked: Asked, *, most_calls: int, most_bytes: int) -> Iterator[Selection]:
    """Find what a request names, however much, and yield it in shares; the first has the ids that name nothing.

    A share has at most so many recordings, and no more bytes than that but for a single recording that is larger.
    """
    gathered, unknown, days = _gather(archive, asked, None)
    share, size = list[PartId](), 0
    for each in gathered:
        if share and (len(share) == most_calls or size + each.size_bytes > most_bytes):
            yield Selection(tuple(share), unknown, days)
            share, size, unknown = [], 0, {}
        share.append(each.part)
        size += each.size_bytes
    yield Selection(tuple(share), unknown, days)


def _gather(
    archive: Archive, asked: Asked, most: int | None
) -> tuple[Gathered, dict[str, str], tuple[date, date] | None]:
    span: tuple[datetime | None, datetime | None] = (None, None)
    unknown: dict[str, str] = {}
    gathered = Gathered()
    with archive.catalog.read() as connection:
        if asked.hold:
            hold = holds.read(archive, asked.hold)
            span = (hold.criteria.start, hold.criteria.end)
            _add(gathered, _keys(connection, holds.members(connection, hold)), most)
        elif asked.run:
            _add(gathered, _keys(connection, _of_run(connection, asked.run)), most)
            unknown = _missing(connection, asked.run)
        else:
            _add(gathered, _named(connection, asked.ids), most)
    if asked.filters:
        span = (asked.filters.start, asked.filters.end)
        pages = export(archive.catalog, asked.filters)
        _add(gathered, (_found(row["interaction_date"], _part(row), row) for page in pages for row in page), most)
    for name in unknown_ids(archive.catalog, [clean_id(each) for each in asked.ids]):
        unknown[name] = _why_unknown(archive, name)
    return gathered, unknown, _days(archive, span, gathered.span())


def _add(gathered: Gathered, found: Iterable[Found], most: int | None) -> None:
    for page in chunked(found):
        gathered.add(page)
        if most is not None and len(gathered) > most:
            raise ConfigurationError(
                f"More than {most:,} recordings: ask for fewer days at a time, or let the DAG export_evidence make it"
            )


def _keys(connection: Connection, parts: Select[Any]) -> Iterator[Found]:
    wanted = parts.subquery()
    query = select(*_COLUMNS).join(wanted, same_part(wanted, recordings))
    for row in connection.execute(query, execution_options=_STREAMED):
        yield _found(row.interaction_date, PartId(*row[:3]), row._mapping)


def _named(connection: Connection, ids: Iterable[str]) -> Iterator[Found]:
    columns = (recordings.c.interaction_id, recordings.c.recording_id)
    for chunk, column in product(chunked(ids), columns):
        for row in connection.execute(select(*_COLUMNS).where(has_id(column, chunk))):
            yield _found(row.interaction_date, PartId(*row[:3]), row._mapping)


def _found(at: datetime | None, part: PartId, row: Any) -> Found:
    return Found(at, part, (row["size_bytes"] or 0) + (row["stored_bytes"] or 0))


def _of_run(connection: Connection, run_id: str) -> Select[Any]:
    """Select the parts that a run archived or found archived."""
    if connection.execute(select(runs.c.run_id).where(runs.c.run_id == run_id)).first() is None:
        raise ConfigurationError(f"There is no run {run_id!r}: `recording-archive report` shows the newest one")
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


def _days(
    archive: Archive, span: tuple[datetime | None, datetime | None], found: tuple[datetime | None, datetime | None]
) -> tuple[date, date] | None:
    """Return the first and last day asked for; where none was, of the calls."""
    first, last = span[0] or found[0], (span[1] - timedelta(microseconds=1) if span[1] else found[1])
    zone = archive.settings.zone
    return (first.astimezone(zone).date(), last.astimezone(zone).date()) if first and last else None
