"""Stray files: files below ``recordings/`` that the catalog does not know."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import chunked, part_key, part_of
from recording_archive.catalog.tables import recordings, work
from recording_archive.model import PartId
from recording_archive.store import sidecar

_NAME = re.compile(r"recordings/(?:[^/]+/)*([^/~]+)~([^/~]+)~(\d{1,9})\.(json|peaks|[^./]+\.gz)")


@dataclass(frozen=True, slots=True)
class Stray:
    """A file that the catalog does not know; ``part`` is set for a sidecar, which makes the stray an error."""

    key: str
    problem: str
    part: PartId | None = None


def find_strays(archive: Archive) -> Iterator[Stray]:
    """Yield the files that the catalog does not know, except those of recordings in work right now."""
    for page in chunked(archive.store.list("recordings/")):
        named = {key: PartId(m[1], m[2], int(m[3])) for key in page if (m := _NAME.fullmatch(key))}
        with archive.catalog.read() as connection:
            known = _keys_of(connection, named.values())
            lost = {key: part for key, part in named.items() if key not in known.get(part, ())}
            busy = _in_work(connection, lost.values())
        for key in page:
            if key not in named:
                yield Stray(key, "not a file of this archive: find out who put it there")
            elif key in lost and lost[key] not in busy:
                yield from _stray(archive, key, lost[key], known.get(lost[key]))


def _keys_of(connection: Connection, parts: Collection[PartId]) -> dict[PartId, tuple[str, ...]]:
    """Name the object, sidecar and waveform of each part that the catalog has archived."""
    archived = (_of_interactions(recordings, parts), recordings.c.key.is_not(None))
    columns = [*part_key(recordings), recordings.c.key]
    rows = connection.execute(select(*columns).where(*archived))
    return {part_of(row): (row.key, sidecar.beside(row.key), sidecar.peaks_beside(row.key)) for row in rows}


def _in_work(connection: Connection, parts: Collection[PartId]) -> set[PartId]:
    """Select the parts that a run is archiving: their files are published a moment before the catalog knows them."""
    open_work = (_of_interactions(work, parts), work.c.outcome.is_(None))
    return {*parts} & {part_of(row) for row in connection.execute(select(*part_key(work)).where(*open_work))}


def _of_interactions(table: Table, parts: Collection[PartId]) -> ColumnElement[bool]:
    return table.c.interaction_id.in_({part.interaction_id for part in parts})


def _stray(archive: Archive, key: str, part: PartId, known: tuple[str, ...] | None) -> Iterator[Stray]:
    if known:
        yield Stray(key, f"the catalog has this recording as {known[0]}: find out who put it there")
    elif key.endswith(".json"):
        yield Stray(key, "sidecar is not in the catalog: run `recording-archive reindex`", part)
    elif key.endswith(".peaks"):
        yield Stray(key, "waveform of no recording in the catalog: nothing needs it")
    elif archive.store.size(sidecar.beside(key)) is None:
        yield Stray(key, "object without sidecar: does not count as archived; the next run for it takes it over")
