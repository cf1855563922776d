"""The recordings that a run of `verify_archive` re-reads, in the order of their turn.

First come recordings that failed their last reading, and those that no clock of ours can have read (never, or in the
future): they are read in every run. Then come those verified longest ago: enough to be through the archive within
`settings.verify_days`, as far as `settings.verify_bytes` go.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

from sqlalchemy import Row, func, or_, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import PAGE, part_key, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.fixity.readings_table import Finding
from recording_archive.fixity.request import Scope
from recording_archive.fixity.verdict import absence, is_stored, rows_of
from recording_archive.model import STORED

_KEY = part_key(recordings)


def select_readings(archive: Archive, scope: Scope) -> Generator[dict[str, Any]]:
    """Yield rows of `readings` for the recordings that the scope asks for, in the order in which to read them."""
    if scope.ids:
        yield from _asked(archive, scope.ids)
    elif not scope.sweep_only:
        yield from _due(archive, everything=scope.everything)


def _asked(archive: Archive, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    for interaction_id in ids:
        rows = rows_of(archive, interaction_id)
        stored = [row for row in rows if is_stored(row)]
        yield from map(_reading, stored)
        if not stored:
            blank = dict.fromkeys(("recording_id", "part", "key"))
            found = {"outcome": Finding.ABSENT, "problem": absence(rows), "stored_bytes": 0}
            yield {"interaction_id": interaction_id, **blank, **found}


def _due(archive: Archive, *, everything: bool) -> Iterator[dict[str, Any]]:
    """Yield urgent recordings, then those verified longest ago, until the share or the bytes of a run are used up."""
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
    """Count the recordings that a run must read to be through the archive in time."""
    with archive.catalog.read() as connection:
        stored = connection.execute(select(func.count()).where(recordings.c.state.in_(STORED))).scalar_one()
    return -(-stored // archive.settings.verify_days)


def _urgent(archive: Archive) -> Generator[Row[Any]]:
    """Yield stored rows whose last reading failed, never was, or lies in the future, for a clock was wrong.

    The state is not asked for in SQL: its index would be searched through instead of those of the verdict.
    """
    verdict, moment = recordings.c.verified_ok, recordings.c.verified_at
    condition = or_(verdict.is_(False), verdict.is_(None), moment.is_(None), moment > archive.clock())
    with archive.catalog.read() as connection:
        rows = connection.execution_options(yield_per=PAGE).execute(select(recordings).where(condition))
        yield from filter(is_stored, rows)


def _oldest(archive: Archive) -> Generator[Row[Any]]:
    """Yield all other stored rows, those verified longest ago first; never held in memory together.

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
        merged = heapq.merge(*streams, key=lambda row: (row.verified_at, part_of(row)))
        yield from filter(is_stored, merged)


def _reading(row: Row[Any]) -> dict[str, Any]:
    """Make a row of `readings` for a recording that is still to be read."""
    blank = {"outcome": None, "problem": None}
    return {**part_of(row)._asdict(), "key": row.key, "stored_bytes": row.stored_bytes or 0, **blank}
