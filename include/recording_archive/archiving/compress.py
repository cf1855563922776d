"""Compress: staged bytes of a batch become objects of the archive, in an order that survives a crash at any point.

object written and synced (by the download, or here from raw media), read back and compared
→ published (write-once, and locked where the archive locks objects) → folder synced → sidecar published → folder synced
→ recording, work row and event in one transaction → staged file dropped
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.archiving import outcomes
from recording_archive.archiving.work_rows import Work, open_work
from recording_archive.catalog.tables import runs
from recording_archive.errors import ArchiveError, FixityError, PermanentError, RunError, Stopped, StoreError
from recording_archive.locks.reconcile import tell
from recording_archive.locks.wanted import Wanted
from recording_archive.model import Compressed, Fetched, PartId
from recording_archive.sources import organization_of
from recording_archive.store import bgzf, sidecar
from recording_archive.store.base import Draft, Lock
from recording_archive.store.staging import Staged
from recording_archive.store.stoppable import Stoppable

log = logging.getLogger(__name__)

GROUP_SIZE = 64  # objects whose folders are synced, and whose rows are written, together
LARGE_BYTES = 8 * 2**20  # from here on one file is worth several cores


_COPY_BYTES = 2**20


class _SpoiledError(PermanentError):
    """A staged object that cannot be read."""


@dataclass(frozen=True)
class _Packed:
    """An object in its place, or why it is not; ``lost`` when the staged bytes must be fetched again.

    ``lock`` is the lock that it was published with; None for one that was there already.
    """

    job: Work
    key: str = ""
    compressed: Compressed | None = None
    lock: Lock | None = None
    error: ArchiveError | None = None
    lost: bool = False


def compress(archive: Archive, run_id: str, batch: int, *, stop: threading.Event) -> int:
    """Archive what is staged of a batch; return how many parts must be fetched again because staging lost them.

    The source is not asked: its name, and with it the organization, is that of the run.

    Raises only for what concerns all parts (store, catalog). What was archived by then stays archived.
    """
    with archive.catalog.read() as connection:
        todo = open_work(connection, run_id, batch, staged=True)
        source = connection.execute(select(runs.c.source).where(runs.c.run_id == run_id)).scalar_one() if todo else ""
    group: list[_Packed] = []
    lost = 0
    wanted = Wanted(archive) if todo and archive.store.locks() else None
    for packed in _pack_all(archive, source, todo, wanted, stop=stop):
        if isinstance(packed.error, Stopped):
            log.info("%s: stopped, left for the next attempt", packed.job.part_id)
            continue
        group.append(packed)
        if len(group) >= GROUP_SIZE:
            lost += _settle(archive, source, group)
            group = []
    return lost + _settle(archive, source, group)


def _pack_all(
    archive: Archive, source: str, todo: Sequence[Work], wanted: Wanted | None, *, stop: threading.Event
) -> Iterator[_Packed]:
    workers = archive.settings.compressors
    with ThreadPoolExecutor(workers, "compress") as files, ThreadPoolExecutor(workers, "blocks") as blocks:
        # all at once, for a batch is bounded: the pool must not starve while a group is settled
        pending = [files.submit(_pack, archive, source, job, wanted, blocks=blocks, stop=stop) for job in todo]
        try:
            yield from (future.result() for future in as_completed(pending))
        finally:
            files.shutdown(wait=False, cancel_futures=True)


def _pack(
    archive: Archive, source: str, job: Work, wanted: Wanted | None, *, blocks: Executor, stop: threading.Event
) -> _Packed:
    """Put one part's object in its place; what goes wrong with this part stays with it."""
    if stop.is_set():
        return _Packed(job, error=Stopped("stopped"))
    fetched = _staged(job)
    key = sidecar.object_key(organization_of(source), job.part_id, job.interaction_date, fetched.format.extension)
    try:

        def lock(compressed: Compressed) -> Lock | None:
            return _lock(archive, source, _Packed(job, key, compressed), wanted) if wanted else None

        return _write(archive, key, fetched, job, lock, blocks=blocks, stop=stop)
    except FileNotFoundError:
        return _Packed(job, lost=True, error=PermanentError(f"{job.part_id}: staged bytes vanished"))
    except (FixityError, _SpoiledError) as error:
        return _Packed(job, lost=True, error=error)
    except RunError:
        raise
    except ArchiveError as error:
        return _Packed(job, error=error)


def _lock(archive: Archive, source: str, packed: _Packed, wanted: Wanted) -> Lock:
    """Find the lock that policy and holds ask for, by what the sidecar is about to tell."""
    key = sidecar.beside(packed.key)
    columns = sidecar.to_recording(_sidecar(archive, source, packed), key, archive.settings.phone_region)
    with archive.catalog.read() as connection:
        return wanted.of_new(connection, columns)


def _write(
    archive: Archive,
    key: str,
    fetched: Fetched,
    job: Work,
    lock_of: Callable[[Compressed], Lock | None],
    *,
    blocks: Executor,
    stop: threading.Event,
) -> _Packed:
    """Read the object back, compare, and give it its key; write it first where staging could not hold it.

    Raise FixityError, or _SpoiledError, when what was staged is not what was downloaded.
    """
    pool = blocks if fetched.size_bytes >= LARGE_BYTES else None
    with archive.staging.opened(job.run_id, job.id) as staged:
        named = None
        if staged.is_packed:
            compressed = _read_staged(staged.file, key, fetched, pool=pool, stop=stop)
            named = archive.store.link(staged.file, key)
            if named:
                return _Packed(job, key, compressed)
            staged.file.seek(0)
        if named is None and (packed := _copy(archive, key, job, staged, lock_of, pool=pool, stop=stop)):
            return packed
        return _Packed(job, key, _adopt(archive, key, fetched, job, stop))


def _read_staged(
    file: BinaryIO, key: str, fetched: Fetched, *, pool: Executor | None, stop: threading.Event
) -> Compressed:
    """Read a staged object back; raise _SpoiledError when it is damaged, for then it can be fetched again."""
    try:
        return _read_back(file, key, fetched, pool=pool, stop=stop)
    except bgzf.DamagedError as error:
        raise _SpoiledError(f"staged bytes of {error}") from error


def _read_back(
    file: BinaryIO, key: str, fetched: Fetched, *, pool: Executor | None, stop: threading.Event
) -> Compressed:
    """Read an object to its end; raise FixityError when the media in it is not what was downloaded."""
    compressed = bgzf.read_back(Stoppable(file, stop), key, pool=pool)
    if compressed.sha256 != fetched.sha256:
        raise FixityError(f"staged bytes of {key}", expected=fetched.sha256, found=compressed.sha256)
    return compressed


def _copy(
    archive: Archive,
    key: str,
    job: Work,
    staged: Staged,
    lock_of: Callable[[Compressed], Lock | None],
    *,
    pool: Executor | None,
    stop: threading.Event,
) -> _Packed | None:
    """Write what is staged to a draft, read that back and publish it; None when the key is taken."""
    source = Stoppable(staged.file, stop)
    with archive.store.begin(key) as draft:
        if staged.is_packed:
            shutil.copyfileobj(source, draft.file, _COPY_BYTES)
        else:
            bgzf.compress(source, draft.file, pool=pool)
        draft.seal()
        draft.file.seek(0)
        compressed = _read_back(draft.file, key, _staged(job), pool=pool, stop=stop)
        lock = lock_of(compressed)
        return _Packed(job, key, compressed, lock) if draft.publish(lock) else None


def _adopt(archive: Archive, key: str, fetched: Fetched, job: Work, stop: threading.Event) -> Compressed:
    """The key is taken: the same media is adopted as it lies there, any other is a conflict."""
    _require_own(archive, sidecar.beside(key), job)
    with archive.store.open(key) as present:
        compressed = bgzf.read_back(Stoppable(present, stop), key)
    if compressed.sha256 != fetched.sha256:
        raise PermanentError(
            f"{key} already holds media with SHA-256 {compressed.sha256}, downloaded was {fetched.sha256}: "
            "the archived object stays; find out which of the two is the recording"
        )
    return compressed


def _require_own(archive: Archive, key: str, job: Work) -> None:
    """Raise PermanentError when the sidecar is another part's; one that cannot be read is for others to tell."""
    try:
        row = sidecar.to_recording(archive.store.read(key), key, archive.settings.phone_region)
    except RunError:
        raise
    except ArchiveError:
        return
    owner = PartId(row["interaction_id"], row["recording_id"], row["part"])
    if owner != job.part_id:
        raise PermanentError(
            f"{key} in {archive.store} belongs to {owner}, which stays as it is: this file system takes names that "
            f"differ in case only for one. Move the archive to one that does not, and {job.part_id} is archived as well"
        )


def _settle(archive: Archive, source: str, group: Sequence[_Packed]) -> int:
    """Commit a group: sidecars, then rows, then staged files; return how many were lost."""
    done = [packed for packed in group if packed.compressed]
    archive.store.sync(packed.key for packed in done)
    rows = _commit(archive, source, done)
    archive.store.sync(packed.key for packed in done)
    if done and archive.store.identity() != archive.id:  # what a lost mount point took in is not archived
        raise StoreError(f"{archive.store} no longer holds archive {archive.id}: is its volume still mounted?")
    with archive.catalog.write() as connection:
        outcomes.unstage(connection, [packed.job for packed in group if packed.lost])
        committed = [(packed.job, row) for packed in done if isinstance(row := rows[packed.job.id], dict)]
        ended = outcomes.succeed(connection, committed, at=archive.clock())
        for packed in done:
            if packed.lock and packed.job.id in ended:
                tell(connection, archive, packed.job.part_id, packed.lock, run_id=packed.job.run_id)
        for packed in group:
            if not packed.lost and packed.job.id not in ended:
                why = rows.get(packed.job.id, packed.error)
                outcomes.fail(connection, packed.job, str(why), at=archive.clock())
    for packed in group:
        if packed.job.id in ended:
            log.info("%s: %s as %s", packed.job.part_id, ended[packed.job.id], packed.key)
        else:
            log.warning("%s: %s", packed.job.part_id, rows.get(packed.job.id, packed.error))
        archive.staging.remove(packed.job.run_id, packed.job.id)
    return sum(packed.lost for packed in group)


def _commit(archive: Archive, source: str, done: Sequence[_Packed]) -> dict[int, dict[str, Any] | ArchiveError]:
    """Publish the sidecars of a group, or take over those that are there; return by row id what came of each.

    All are written before the first is synced: the disk then has them in few commits instead of one for each.
    """
    with ExitStack() as begun:
        drafts = []
        for packed in done:
            draft = begun.enter_context(archive.store.begin(sidecar.beside(packed.key)))
            content = _sidecar(archive, source, packed)
            draft.file.write(content)
            draft.write_out()
            drafts.append((packed, content, draft))
        return {packed.job.id: _publish(archive, packed, content, draft) for packed, content, draft in drafts}


def _sidecar(archive: Archive, source: str, packed: _Packed) -> bytes:
    job, compressed = packed.job, packed.compressed
    if compressed is None:  # callers pass packed parts only
        raise AssertionError(packed)
    return sidecar.compose(
        archive_id=archive.id,
        source=source,
        part=job.part_id,
        interaction_date=job.interaction_date,
        listing=job.listing,
        fetched=_staged(job),
        compressed=compressed,
        key=packed.key,
        expected_sha256=job.expected_sha256,
        run_id=job.run_id,
        archived_at=archive.clock(),
    )


def _publish(archive: Archive, packed: _Packed, content: bytes, draft: Draft) -> dict[str, Any] | ArchiveError:
    """Publish one sidecar, or take over the one that is there; return the catalog's columns, or what is wrong."""
    key, region = sidecar.beside(packed.key), archive.settings.phone_region
    draft.seal()
    if draft.publish(packed.lock):
        return sidecar.to_recording(content, key, region)
    try:
        _require_own(archive, key, packed.job)
        row = sidecar.to_recording(archive.store.read(key), key, region)
    except RunError:
        raise
    except ArchiveError as error:
        return error
    found = packed.compressed.stored_sha256 if packed.compressed else ""
    if row["stored_sha256"] != found:
        return PermanentError(
            f"{key} names an object with SHA-256 {row['stored_sha256']}, {packed.key} has "
            f"{found}: compare both with a copy of the archive"
        )
    return row


def _staged(job: Work) -> Fetched:
    if job.fetched is None:  # open_work(staged=True) yields staged rows only
        raise AssertionError(job)
    return job.fetched
