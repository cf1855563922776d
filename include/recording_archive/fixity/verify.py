"""Fixity: re-read archived recordings and compare every byte with what catalog and sidecar say of them.

What is found is written down for each recording, good or bad, with an event. A recording is re-read before it is
called bad, and none is while the root no longer is the archive: an unmounted volume condemns nothing. What is on its
way out of the archive is left alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.database import record
from recording_archive.catalog.rows import chunked, is_part, pages, part_key, part_of
from recording_archive.catalog.tables import recordings, work
from recording_archive.fixity.examine import Flaws, examine
from recording_archive.model import STORED, PartId
from recording_archive.store import sidecar

GROUP_SIZE, GROUP_AGE_S = 64, 5.0  # results written down in one transaction

_NAME = re.compile(r"recordings/(?:[^/]+/)*([^/~]+)~([^/~]+)~(\d{1,9})\.(json|peaks|[^./]+\.gz)")


@dataclass(frozen=True, slots=True)
class Verified:
    """One recording after re-reading; ``problem`` says what is wrong with it, None that all of it is as it was."""

    part: PartId
    key: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Stray:
    """A file that the catalog does not know; ``part`` is there when it is a sidecar, which makes it an error."""

    key: str
    problem: str
    part: PartId | None = None


def verify(archive: Archive, ids: Iterable[str] | None = None) -> Iterator[Verified]:
    """Re-read every recording of the interactions ``ids``, or of the archive, and write down what was found.

    An id without archived recordings is bad. Rows are streamed, so memory does not grow with the archive. Raises
    StoreError or TransientError when root or catalog fail as a whole.
    """
    with ThreadPoolExecutor(archive.settings.compressors, "verify") as pool:
        if ids is None:
            for page in _all_rows(archive):
                yield from _reread(archive, pool, page)
            return
        for interaction_id in dict.fromkeys(ids):
            with archive.catalog.read() as connection:
                rows = connection.execute(select(recordings).where(recordings.c.interaction_id == interaction_id)).all()
            stored = [row for row in rows if is_stored(row)]
            yield from _reread(archive, pool, stored)
            if not stored:
                yield Verified(PartId(interaction_id, "", 0), None, absence(rows))


def count(archive: Archive) -> int:
    """How many recordings `verify` would re-read."""
    with archive.catalog.read() as connection:
        return connection.execute(select(func.count()).where(recordings.c.state.in_(STORED))).scalar_one()


def strays(archive: Archive) -> Iterator[Stray]:
    """Files below ``recordings/`` that the catalog does not know, but for those of recordings in work right now."""
    keys = archive.store.list("recordings/")
    for page in chunked(keys):
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


def _all_rows(archive: Archive) -> Iterator[Sequence[Row[Any]]]:
    """Stored rows by primary key. The state is not asked for in SQL: its index would sort the archive for each page."""
    for page in pages(archive.catalog, select(recordings), *part_key(recordings), size=GROUP_SIZE):
        yield [row for row in page if is_stored(row)]


def note(
    connection: Connection, row: Row[Any], flaws: Flaws | None, *, at: datetime, run_id: str | None = None
) -> bool:
    """Write down what was found of a row; False when it left the archive while it was read, which changes nothing."""
    part, problem = part_of(row), str(flaws) if flaws else None
    same = is_part(recordings, part)
    still = update(recordings).where(same, recordings.c.state.in_(STORED), recordings.c.deleting_at.is_(None))
    if not connection.execute(still.values(verified_at=at, verified_ok=problem is None)).rowcount:
        return False
    detail = {"ok": problem is None, "stored_sha256": row.stored_sha256}
    record(
        connection, "verified", part, at=at, run_id=run_id, detail=detail | ({"problem": problem} if problem else {})
    )
    return True


def is_stored(row: Row[Any]) -> bool:
    """Whether the row's bytes are to lie in the archive, and to stay there."""
    return row.state in STORED and row.deleting_at is None


def _reread(archive: Archive, pool: Executor, rows: Sequence[Row[Any]]) -> Iterator[Verified]:
    """Examine rows in the pool; what is found is written down together, but not later than some seconds after."""
    group: list[tuple[Row[Any], Flaws | None]] = []
    begun = time.monotonic()
    for row, flaws in zip(rows, pool.map(lambda row: examine(archive, row), rows), strict=True):
        group.append((row, flaws))
        if time.monotonic() - begun > GROUP_AGE_S:
            yield from _settle(archive, group)
            group, begun = [], time.monotonic()
    yield from _settle(archive, group)


def absence(rows: Sequence[Row[Any]]) -> str:
    """Why nothing of an interaction can be verified."""
    if not rows:
        return "never archived: no recording of it is in the catalog"
    states = sorted({f"{row.state}, certificate {row.certificate}" if row.certificate else row.state for row in rows})
    return f"not in the archive: {'; '.join(states)}"


def _settle(archive: Archive, group: Sequence[tuple[Row[Any], Flaws | None]]) -> list[Verified]:
    """Write down a group; what left the archive while it was read is left out."""
    if any(flaws for _, flaws in group):
        require_root(archive)
    at = archive.clock()
    with archive.catalog.write() as connection:
        return [
            Verified(PartId(*tuple(row)[:3]), row.key, str(flaws) if flaws else None)
            for row, flaws in group
            if note(connection, row, flaws, at=at)
        ]


def _keys_of(connection: Connection, parts: Iterable[PartId]) -> dict[PartId, tuple[str, ...]]:
    """The keys of object, sidecar and waveform of each of the parts that the catalog has archived."""
    ids = {part.interaction_id for part in parts}
    columns = [recordings.c[name] for name in ("key", *PartId._fields)]
    rows = connection.execute(
        select(*columns).where(recordings.c.interaction_id.in_(ids), recordings.c.key.is_not(None))
    )
    return {PartId(*tuple(row)[1:]): (row.key, sidecar.beside(row.key), sidecar.peaks_beside(row.key)) for row in rows}


def _in_work(connection: Connection, parts: Iterable[PartId]) -> set[PartId]:
    """Those of the parts that a run is archiving: between publishing and catalog lies a moment."""
    wanted = set(parts)
    ids = {part.interaction_id for part in wanted}
    columns = (work.c[name] for name in PartId._fields)
    rows = connection.execute(select(*columns).where(work.c.interaction_id.in_(ids), work.c.outcome.is_(None)))
    return wanted & {PartId(*row) for row in rows}


def _stray(archive: Archive, key: str, part: PartId, known: tuple[str, ...] | None) -> Iterator[Stray]:
    if known:
        yield Stray(key, f"the catalog has this recording as {known[0]}: find out who put it there")
    elif key.endswith(".json"):
        yield Stray(key, "sidecar is not in the catalog: run `recording-archive reindex`", part)
    elif key.endswith(".peaks"):
        yield Stray(key, "waveform of no recording in the catalog: nothing needs it")
    elif archive.store.size(sidecar.beside(key)) is None:
        yield Stray(key, "object without sidecar: does not count as archived; the next run for it takes it over")
