"""A run of `verify_archive` re-reads its share of the archive, in batches.

`plan` makes the recordings to re-read (`selection`) rows of `readings`, cut into batches; `read_batch` reads each
through (`examine`) and notes the verdict in the catalog and in its row. Then `repair` mends what is bad, and `report`
closes the run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from sqlalchemy import Row

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.rows import Batch, part_of
from recording_archive.catalog.tables import readings
from recording_archive.errors import Stopped
from recording_archive.fixity import readings_table
from recording_archive.fixity.examine import Flaws, examine
from recording_archive.fixity.readings_table import Finding
from recording_archive.fixity.request import Scope
from recording_archive.fixity.selection import select_readings
from recording_archive.fixity.verdict import GROUP_SIZE, grouped, note_verdict

log = logging.getLogger(__name__)


def plan(archive: Archive, run_id: str, scope: Scope, **facts: Any) -> list[Batch]:
    """Begin a run with a row for each recording to re-read; return the batches. Run again, it makes the plan anew."""
    readings_table.begin_run(archive, run_id, scope.kind, **facts)
    with closing(select_readings(archive, scope)) as selected:
        readings_table.add_readings(archive, run_id, selected)
    batches = readings_table.cut_batches(archive, run_id)
    log.info("%d recordings to re-read in %d batches", sum(batch.parts for batch in batches), len(batches))
    return batches


def read_batch(archive: Archive, run_id: str, number: int, *, stop: threading.Event) -> int:
    """Re-read what is left of a batch and note the verdicts; return how many recordings are bad.

    Raises StoreError or TransientError when root or catalog fail as a whole; what was read by then stays read.
    """
    bad, mine = 0, (*readings_table.unread(run_id), readings.c.batch == number)
    with ThreadPoolExecutor(archive.settings.compressors, "verify") as pool:
        while not stop.is_set() and (page := readings_table.recordings_of(archive, *mine, most=GROUP_SIZE)):
            results = pool.map(lambda row: _examined(archive, row, stop), page)
            for group in grouped(zip(page, results, strict=True)):
                bad += _note(archive, run_id, group)
    return bad


def _examined(archive: Archive, row: Row[Any], stop: threading.Event) -> Flaws | Stopped | None:
    try:
        return examine(archive, row, stop)
    except Stopped as error:
        return error


def _note(archive: Archive, run_id: str, group: Iterable[tuple[Row[Any], Flaws | Stopped | None]]) -> int:
    """Write the verdicts of a group, except on what was stopped; return how many are bad."""
    done = [(row, flaws) for row, flaws in group if not isinstance(flaws, Stopped)]
    if any(flaws for _, flaws in done):
        require_root(archive)
    at, bad = archive.clock(), list[tuple[Row[Any], Flaws]]()
    with archive.catalog.write() as connection:
        for row, flaws in done:
            if not note_verdict(connection, row, flaws, at=at, run_id=run_id):
                readings_table.mark(connection, row.reading, outcome=Finding.GONE)
            elif flaws is None:
                readings_table.mark(connection, row.reading, outcome=Finding.SOUND)
            else:
                readings_table.mark(connection, row.reading, outcome=Finding.BAD, problem=str(flaws))
                bad.append((row, flaws))
    for row, flaws in bad:
        log.error("%s: damaged: %s", part_of(row), flaws)
    return len(bad)
