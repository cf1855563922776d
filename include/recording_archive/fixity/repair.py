"""Repair: what a run found bad is made whole again, or a person is told why not (docs/decisions/0004-repair.md).

The promise is the hash of the media. An object is made anew from the media inside it, if only its wrapping is damaged,
else from the source; a sidecar from the books of the run that wrote it, if that gives the very bytes of old. What is
made is read back before it gets its key (`replacement`). Quarantined recordings are left alone, and so is one whose
catalog row differs from a sound sidecar: which of the two is right, no machine can say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import readings, recordings
from recording_archive.errors import ArchiveError, FixityError, RunError, Stopped, StoreError, TransientError
from recording_archive.fixity import readings_table
from recording_archive.fixity.examine import examine
from recording_archive.fixity.old_sidecar import amended, rebuilt
from recording_archive.fixity.reading import SAME
from recording_archive.fixity.readings_table import Finding
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.replacement import BeyondRepairError, Job, put_in_place
from recording_archive.fixity.verify import note
from recording_archive.model import Compressed, State
from recording_archive.store import bgzf, staging
from recording_archive.store.base import Draft
from recording_archive.store.stoppable import Stoppable

if TYPE_CHECKING:
    from _typeshed import SupportsRead

    _Media = Callable[[], AbstractContextManager[SupportsRead[bytes]]]

log = logging.getLogger(__name__)

MOST_REPAIRS = 1000  # of a run: more at once is not rot, and a person should look first
PAGE = 50
TRIES = 3  # to get the stored bytes of old: once in some thousand blocks deflate finds another match


def repair(archive: Archive, run_id: str, origin: Origin, *, stop: threading.Event) -> None:
    """Mend what the run found bad, or note why not. Done again, it goes on with what is left.

    Raises only for what concerns all: root, staging, catalog. What was repaired by then stays repaired.
    """
    folder = archive.staging.scratch(f"fixity-{run_id}")

    def mend(row: Row[Any]) -> str | None:
        return _mend(archive, run_id, row, origin, folder / f"repair-{row.reading}", stop=stop)

    with ThreadPoolExecutor(archive.settings.transfers, "repair") as pool:
        while not stop.is_set() and (page := _to_mend(archive, run_id)):
            origin.open()  # here and not in the pool, for Airflow's connections are read by the task's own thread
            if _repaired(archive, run_id) < MOST_REPAIRS:
                whys = list(pool.map(mend, page))
            else:
                whys = [f"left for the next run: one repairs at most {MOST_REPAIRS}"] * len(page)
            _escalate(archive, page, whys)
    with suppress(OSError):  # what is left for the next attempt keeps it
        folder.rmdir()


def _to_mend(archive: Archive, run_id: str) -> Sequence[Row[Any]]:
    mine = (readings.c.run_id == run_id, readings.c.outcome == Finding.BAD, readings.c.why.is_(None))
    query = select(recordings, readings.c.id.label("reading")).join(readings, SAME).where(*mine)
    with archive.catalog.read() as connection:
        return connection.execute(query.order_by(readings.c.id).limit(PAGE)).all()


def _repaired(archive: Archive, run_id: str) -> int:
    done = (readings.c.run_id == run_id, readings.c.outcome == Finding.REPAIRED)
    with archive.catalog.read() as connection:
        return connection.execute(select(func.count()).where(*done)).scalar_one()


def _escalate(archive: Archive, rows: Sequence[Row[Any]], whys: Sequence[str | None]) -> None:
    with archive.catalog.write() as connection:
        for row, why in zip(rows, whys, strict=True):
            if why:
                readings_table.mark(connection, row.reading, why=why)
                log.error("%s~%s~%s: not repaired: %s", *tuple(row)[:3], why)


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
    """It was bad twice and reads well now: another attempt repaired it, or memory or controller fail at times."""
    with archive.catalog.write() as connection:
        still = note(connection, row, None, at=archive.clock(), run_id=run_id)
        readings_table.mark(connection, row.reading, outcome=Finding.SOUND if still else Finding.GONE)
    log.warning("%s~%s~%s: reads well now", *tuple(row)[:3])


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
    """The object is sound; its sidecar must become what it was."""
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
        draft, found, media_from = _object_anew(job, origin, staged, opened)
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


def _object_anew(job: Job, origin: Origin, staged: Path, opened: ExitStack) -> tuple[Draft, Compressed, str]:
    """An object with the recording's media, sealed and read back, and where its media came from."""
    try:
        draft, found = opened.enter_context(_compressed(job, lambda: _media_inside(job)))
    except Stopped:
        raise
    except ArchiveError as error:
        log.info("%s: asking the source, for the object does not give its media: %s", job.part, error)
    else:
        return draft, found, "archive"
    try:
        origin.fetch(job.part, job.row.sha256, staged)
    except (Stopped, StoreError):
        raise
    except ArchiveError as error:
        raise BeyondRepairError(f"the source cannot give it again: {error}") from error
    draft, found = opened.enter_context(_compressed(job, lambda: staging.opened(staged)))
    return draft, found, "source"


@contextmanager
def _compressed(job: Job, media: _Media) -> Iterator[tuple[Draft, Compressed]]:
    """A sealed draft of the object; raise FixityError when its media is not what was promised."""
    for tries_left in reversed(range(TRIES)):
        with media() as raw, job.archive.store.begin(job.row.key) as draft:
            bgzf.compress(Stoppable(raw, job.stop), draft.file)
            draft.seal()
            draft.file.seek(0)
            found = bgzf.read_back(Stoppable(draft.file, job.stop), job.row.key)
            if found.sha256 != job.row.sha256:
                raise FixityError(f"media of {job.row.key}", expected=job.row.sha256, found=found.sha256)
            if found.stored_sha256 == job.row.stored_sha256 or not tries_left:
                yield draft, found
                return


@contextmanager
def _media_inside(job: Job) -> Iterator[SupportsRead[bytes]]:
    """The media as far as the object still gives it: a wrong header, or a lost end marker, spares all of it."""
    with job.archive.store.open(job.row.key) as file:
        yield _Pieces(bgzf.media_range(file, 0, job.row.size_bytes, name=job.row.key))


class _Pieces:
    """Pieces of bytes to be read as a file; a read may give less than it was asked for, never more."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1, /) -> bytes:
        found = self._rest or next(self._pieces, b"")
        cut = len(found) if size < 0 else size
        self._rest = found[cut:]
        return found[:cut]


@contextmanager
def _sealed(job: Job, content: bytes) -> Iterator[Draft]:
    with job.archive.store.begin(job.sidecar_key) as draft:
        draft.file.write(content)
        draft.seal()
        yield draft


def _old_sidecar(job: Job, found: Compressed) -> bytes | None:
    """The bytes that the sidecar had: as they lie there, or made again."""
    if job.flaws.sidecar:
        return rebuilt(job.archive, job.row, found.members)
    return job.archive.store.read(job.sidecar_key)


def _no_sidecar(job: Job) -> str:
    return f"the catalog does not give the very bytes of {job.sidecar_key}: restore it from a copy of the archive"
