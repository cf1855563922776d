"""Repair: bad recordings of a run are made whole again, or noted with the reason (docs/decisions/0004-repair.md).

The promise is the hash of the media. An object is made anew from the media inside it, if only its wrapping is damaged,
else from the source (`remake`); a sidecar from the work row of the run that wrote it, if that gives the very bytes it
had (`old_sidecar`). Both are read back before they get their keys (`replacement`). Quarantined recordings are left
alone, and so is one whose catalog row differs from an intact sidecar: no machine can say which of the two is right.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Row, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.catalog.tables import readings
from recording_archive.errors import ArchiveError, RunError, Stopped, StoreError, TransientError
from recording_archive.fixity import readings_table
from recording_archive.fixity.examine import examine
from recording_archive.fixity.old_sidecar import amended, rebuilt
from recording_archive.fixity.readings_table import Finding
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.remake import remade_object
from recording_archive.fixity.replacement import BeyondRepairError, Job, put_in_place
from recording_archive.fixity.verdict import note_verdict
from recording_archive.model import Compressed, State
from recording_archive.store import bgzf, staging
from recording_archive.store.base import Draft
from recording_archive.store.stoppable import Stoppable

log = logging.getLogger(__name__)

MOST_REPAIRS = 1000  # of a run: more at once is not rot, and a person should look first
LEFT = "left for the next run"  # begins the reason of what was not tried
_PAGE = 50  # between two looks at how many are repaired


def repair(
    archive: Archive,
    run_id: str,
    origin: Origin,
    *,
    stop: threading.Event,
    most: int = MOST_REPAIRS,
    page_size: int = _PAGE,
) -> None:
    """Repair the bad recordings of a run, about ``most`` of them, or note why not. Done again, it repairs the rest.

    Raises only for what concerns all: root, staging, catalog. What was repaired by then stays repaired.
    """
    folder = archive.staging.scratch(f"fixity-{run_id}")

    def mend(row: Row[Any]) -> str | None:
        return _mend(archive, run_id, row, origin, folder / f"repair-{row.reading}", stop=stop)

    bad = (readings.c.run_id == run_id, readings.c.outcome == Finding.BAD, readings.c.why.is_(None))
    with ThreadPoolExecutor(archive.settings.transfers, "repair") as pool:
        while not stop.is_set() and (page := readings_table.recordings_of(archive, *bad, most=page_size)):
            origin.open()  # here and not in the pool, for Airflow's connections are read by the task's own thread
            if _repaired(archive, run_id) < most:
                whys = list(pool.map(mend, page))
            else:
                whys = [f"{LEFT}: one repairs at most {most}"] * len(page)
            _escalate(archive, page, whys)
    with suppress(OSError):  # what is left for the next attempt keeps it
        folder.rmdir()


def _repaired(archive: Archive, run_id: str) -> int:
    done = (readings.c.run_id == run_id, readings.c.outcome == Finding.REPAIRED)
    with archive.catalog.read() as connection:
        return connection.execute(select(func.count()).where(*done)).scalar_one()


def _escalate(archive: Archive, rows: Sequence[Row[Any]], whys: Sequence[str | None]) -> None:
    with archive.catalog.write() as connection:
        for row, why in zip(rows, whys, strict=True):
            if why:
                readings_table.mark(connection, row.reading, why=why)
                log.error("%s: not repaired: %s", part_of(row), why)


def _mend(
    archive: Archive, run_id: str, row: Row[Any], origin: Origin, staged: Path, *, stop: threading.Event
) -> str | None:
    """Mend one recording; return why it cannot be, None when it is whole or left for the next attempt."""
    try:
        flaws = examine(archive, row, stop)
        if flaws is None:
            _acquit(archive, run_id, row)
            return None
        job = Job(archive, run_id, row, flaws, stop)
        _require_mendable(job)
        if flaws.object:
            _mend_object(job, origin, staged)
        else:
            _mend_sidecar(job)
    except Stopped:
        return None
    except (RunError, TransientError):
        raise
    except ArchiveError as error:
        return str(error)
    return None


def _acquit(archive: Archive, run_id: str, row: Row[Any]) -> None:
    """Call a recording sound that was bad twice: another attempt repaired it, or memory or controller fail at times."""
    with archive.catalog.write() as connection:
        still = note_verdict(connection, row, None, at=archive.clock(), run_id=run_id)
        readings_table.mark(connection, row.reading, outcome=Finding.SOUND if still else Finding.GONE)
    log.warning("%s: reads well now", part_of(row))


def _require_mendable(job: Job) -> None:
    if job.row.state != State.ARCHIVED or job.row.deleting_at is not None:
        raise BeyondRepairError(f"it is {job.row.state}: what is on its way out is not repaired")
    if job.flaws.catalog:
        raise BeyondRepairError("nothing was touched: find out which of the two was changed, catalog or sidecar")
    try:
        for key in (job.row.key, job.sidecar_key):
            job.archive.store.size(key)
    except StoreError as error:  # a link or a folder has its name
        raise BeyondRepairError(str(error)) from error


def _mend_sidecar(job: Job) -> None:
    """Give a sound object its old sidecar back."""
    with job.archive.store.open(job.row.key) as file:
        found = bgzf.read_back(Stoppable(file, job.stop), job.row.key)
    content = _old_sidecar(job, found)
    if content is None:
        raise BeyondRepairError(_no_sidecar(job))
    with _sealed(job, content) as draft:
        put_in_place(job, {job.sidecar_key: draft}, found, content, media_from="archive")


def _mend_object(job: Job, origin: Origin, staged: Path) -> None:
    """Make the object anew, with the stored bytes of old if that can be; otherwise the sidecar must tell of it."""
    with ExitStack() as opened:
        opened.callback(staging.remove, staged)
        draft, found, media_from = remade_object(job, origin, staged, opened)
        drafts, content = {job.row.key: draft}, _old_sidecar(job, found)
        same = found.stored_sha256 == job.row.stored_sha256
        if content is None and not same:
            raise BeyondRepairError(f"the object cannot be made as it was, and {_no_sidecar(job)}")
        if content is not None and not same:
            content = amended(content, found, run_id=job.run_id, at=job.archive.clock())
        if content is not None and (job.flaws.sidecar or not same):
            drafts[job.sidecar_key] = opened.enter_context(_sealed(job, content))
        put_in_place(job, drafts, found, content, media_from=media_from)
    if content is None:
        raise BeyondRepairError(f"its object is whole again, but {_no_sidecar(job)}")


@contextmanager
def _sealed(job: Job, content: bytes) -> Iterator[Draft]:
    with job.archive.store.begin(job.sidecar_key) as draft:
        draft.file.write(content)
        draft.seal()
        yield draft


def _old_sidecar(job: Job, found: Compressed) -> bytes | None:
    """Get the bytes that the sidecar had: read from it, or made again."""
    if job.flaws.sidecar:
        return rebuilt(job.archive, job.row, found.members)
    return job.archive.store.read(job.sidecar_key)


def _no_sidecar(job: Job) -> str:
    return f"the catalog does not give the very bytes of {job.sidecar_key}: restore it from a copy of the archive"
