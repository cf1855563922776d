"""Fixity over time: which recordings a run of `verify_archive` re-reads, and reading them.

    plan         recordings to re-read become rows of the run's books (`fixity_books`), cut into batches
    read_batch   each is read through (`examination`); the catalog and its row get the verdict
    …            `repair` mends what is bad, `fixity_report` closes the books

What failed its last reading is read in every run, and so is what no clock of ours can have read (never, or in the
future). Then come the recordings that were verified longest ago: enough to be through the archive within
`settings.verify_days`, as far as `settings.verify_bytes` go.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

from sqlalchemy import Row, func, or_, select

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.rows import PAGE, Batch, part_key, part_of, same_part
from recording_archive.catalog.tables import readings, recordings
from recording_archive.errors import Stopped
from recording_archive.fixity import readings_table
from recording_archive.fixity.examine import Flaws, examine
from recording_archive.fixity.readings_table import Finding
from recording_archive.fixity.request import Scope
from recording_archive.fixity.verify import GROUP_AGE_S, GROUP_SIZE, absence, is_stored, note
from recording_archive.model import STORED, PartId

log = logging.getLogger(__name__)

_KEY = part_key(recordings)
SAME = same_part(readings, recordings)
_Result = tuple[Row[Any], Flaws | Stopped | None]


def plan(archive: Archive, run_id: str, scope: Scope, **facts: Any) -> list[Batch]:
    """Enter in the run's books what it re-reads; return the batches. Run again, it makes the plan anew."""
    readings_table.begin(archive, run_id, scope.kind, **facts)
    with closing(_chosen(archive, scope)) as chosen:
        readings_table.enter(archive, run_id, chosen)
    batches = readings_table.cut(archive, run_id)
    log.info("%d recordings to re-read in %d batches", sum(batch.parts for batch in batches), len(batches))
    return batches


def read_batch(archive: Archive, run_id: str, number: int, *, stop: threading.Event) -> int:
    """Re-read what is left of a batch and write down what was found; return how many are bad.

    Raises StoreError or TransientError when root or catalog fail as a whole; what was read by then stays read.
    """
    bad = 0
    with ThreadPoolExecutor(archive.settings.compressors, "verify") as pool:
        while not stop.is_set() and (page := _to_read(archive, run_id, number)):
            results = pool.map(lambda row: _examined(archive, row, stop), page)
            for group in _grouped(zip(page, results, strict=True)):
                bad += _settle(archive, run_id, group)
    return bad


# Choosing


def _chosen(archive: Archive, scope: Scope) -> Generator[dict[str, Any]]:
    """Rows of `readings` for what the scope asks for, in the order in which it is to be read."""
    if scope.ids:
        yield from _asked(archive, scope.ids)
    elif not scope.sweep_only:
        yield from _due(archive, everything=scope.everything)


def _asked(archive: Archive, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    for interaction_id in ids:
        with archive.catalog.read() as connection:
            of_it = select(recordings).where(recordings.c.interaction_id == interaction_id).order_by(*_KEY)
            rows = connection.execute(of_it).all()
        stored = [row for row in rows if is_stored(row)]
        yield from map(_reading, stored)
        if not stored:
            blank = dict.fromkeys(("recording_id", "part", "key"))
            told = {"outcome": Finding.ABSENT, "problem": absence(rows), "stored_bytes": 0}
            yield {"interaction_id": interaction_id, **blank, **told}


def _due(archive: Archive, *, everything: bool) -> Iterator[dict[str, Any]]:
    """What cannot wait, and then what was verified longest ago, until the share or the bytes of a run are used up."""
    left_bytes, left_parts = archive.settings.verify_bytes, _share(archive)
    with ExitStack() as closed:
        for row in closed.enter_context(closing(_urgent(archive))):
            left_bytes -= row.stored_bytes or 0
            yield _reading(row)
        first = True  # is read whatever its size: one that is too large would block the rest for ever
        for row in closed.enter_context(closing(_oldest(archive))):
            left_bytes -= row.stored_bytes or 0
            left_parts -= 1
            if not everything and (left_parts < 0 or left_bytes < 0) and not first:
                return
            first = False
            yield _reading(row)


def _share(archive: Archive) -> int:
    """How many recordings a run must read to be through the archive in time."""
    with archive.catalog.read() as connection:
        stored = connection.execute(select(func.count()).where(recordings.c.state.in_(STORED))).scalar_one()
    return -(-stored // archive.settings.verify_days)


def _urgent(archive: Archive) -> Generator[Row[Any]]:
    """Stored rows whose last reading failed, or never was, or lies in the future, for a clock was wrong.

    The state is not asked for in SQL: its index would be searched through instead of those of the verdict.
    """
    verdict, moment = recordings.c.verified_ok, recordings.c.verified_at
    condition = or_(verdict.is_(False), verdict.is_(None), moment.is_(None), moment > archive.clock())
    with archive.catalog.read() as connection:
        rows = connection.execution_options(yield_per=PAGE).execute(select(recordings).where(condition))
        yield from filter(is_stored, rows)


def _oldest(archive: Archive) -> Generator[Row[Any]]:
    """All other stored rows, those that were verified longest ago first; never held in memory together.

    One query per state, merged: the index serves one state in order, and would sort the archive for two.
    """
    moment = recordings.c.verified_at
    columns = (*_KEY, recordings.c.key, recordings.c.stored_bytes, moment, recordings.c.state, recordings.c.deleting_at)
    sound = select(*columns).where(recordings.c.verified_ok.is_(True), moment <= archive.clock())
    with ExitStack() as connections:
        streams = [
            connections.enter_context(archive.catalog.read())
            .execution_options(yield_per=PAGE)
            .execute(sound.where(recordings.c.state == state).order_by(moment, *_KEY))
            for state in sorted(STORED)
        ]
        merged = heapq.merge(*streams, key=lambda row: (row.verified_at, *tuple(row)[:3]))
        yield from filter(is_stored, merged)


def _reading(row: Row[Any]) -> dict[str, Any]:
    """What the books are to hold of a recording."""
    part = {name: getattr(row, name) for name in PartId._fields}
    return {**part, "key": row.key, "outcome": None, "problem": None, "stored_bytes": row.stored_bytes or 0}


# Reading


def _to_read(archive: Archive, run_id: str, number: int) -> Sequence[Row[Any]]:
    """The next open rows of a batch, each as the row of `recordings` that it is of."""
    mine = (*readings_table.to_read(run_id), readings.c.batch == number)
    query = select(recordings, readings.c.id.label("reading")).join(readings, SAME).where(*mine)
    with archive.catalog.read() as connection:
        return connection.execute(query.order_by(readings.c.id).limit(GROUP_SIZE)).all()


def _examined(archive: Archive, row: Row[Any], stop: threading.Event) -> Flaws | Stopped | None:
    try:
        return examine(archive, row, stop)
    except Stopped as error:
        return error


def _grouped(results: Iterable[_Result]) -> Iterator[list[_Result]]:
    """What is written down together: a page, but not later than some seconds after it was read."""
    group, begun = list[_Result](), time.monotonic()
    for result in results:
        group.append(result)
        if time.monotonic() - begun > GROUP_AGE_S:
            yield group
            group, begun = [], time.monotonic()
    yield group


def _settle(archive: Archive, run_id: str, group: Iterable[_Result]) -> int:
    """Write down a group, but for what was stopped; return how many are bad."""
    done = [(row, flaws) for row, flaws in group if not isinstance(flaws, Stopped)]
    if any(flaws for _, flaws in done):
        require_root(archive)
    at, bad = archive.clock(), list[tuple[Row[Any], Flaws]]()
    with archive.catalog.write() as connection:
        for row, flaws in done:
            if not note(connection, row, flaws, at=at, run_id=run_id):
                readings_table.mark(connection, row.reading, outcome=Finding.GONE)
            elif flaws is None:
                readings_table.mark(connection, row.reading, outcome=Finding.SOUND)
            else:
                readings_table.mark(connection, row.reading, outcome=Finding.BAD, problem=str(flaws))
                bad.append((row, flaws))
    for row, flaws in bad:
        log.error("%s: damaged: %s", part_of(row), flaws)
    return len(bad)
