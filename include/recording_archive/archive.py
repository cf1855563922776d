"""The main job as four use cases. Start reading here.

    discover   (below)       what the source lists becomes work rows, cut into batches
    download   (fetching)    raw bytes into staging, hashed on the way; every row is staged or has an outcome
    compress   (packing)     staged bytes into the archive: written, read back, published, recorded, only then dropped
    report     (report)      the books are closed and the compliance report is written

Each can be run again at any time, and by two runs at once: done work is found done.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from sqlalchemy import update

from recording_archive import books, coverage, wholes
from recording_archive.catalog import Catalog
from recording_archive.errors import StoreError
from recording_archive.model import Listing, Outcome
from recording_archive.places import staging_at, store_at
from recording_archive.request import Request
from recording_archive.schema import runs
from recording_archive.settings import Settings
from recording_archive.sources import Source
from recording_archive.staging import Staging
from recording_archive.store import IDENTITY_KEY, Store

log = logging.getLogger(__name__)

MOST_BATCHES = 400  # two mapped tasks each: well below Airflow's max_map_length and under 1,000 task instances


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Archive:
    """The archive's root and its catalog, known to belong together."""

    id: str
    store: Store
    catalog: Catalog
    settings: Settings
    staging: Staging
    clock: Callable[[], datetime] = _now


def open_archive(settings: Settings, *, clock: Callable[[], datetime] = _now) -> Archive:
    """Open root and catalog, and compare their ids before anything is written.

    A new archive is founded when both are empty. An unmounted volume or a mistyped root raises StoreError with both
    ids instead of starting an empty archive.
    """
    store, catalog = store_at(settings), Catalog(settings.catalog)
    in_catalog = catalog.archive_id()  # first: a run that founds the archive at this moment binds the catalog last
    in_store = store.identity()
    if in_catalog is None and set(islice(store.list(""), 2)) <= {IDENTITY_KEY}:  # new, or its founding was cut short
        in_store = _found(store, in_store or uuid.uuid4().hex, clock())
        catalog.bind(in_store, clock())
        in_catalog = catalog.archive_id()
    if in_store is None and in_catalog is None:
        raise StoreError(f"{store} holds files but no archive.json: choose an empty folder for a new archive")
    if in_store is None or in_store != in_catalog:
        raise StoreError(_stranger(store, in_store, in_catalog))
    return Archive(in_store, store, catalog, settings, staging_at(settings), clock)


def _found(store: Store, archive_id: str, created: datetime) -> str:
    """Make an empty folder an archive; of two runs that come first at once, one does, and both go on with its id."""
    try:
        store.found(archive_id, created)
    except StoreError:
        faster = store.identity()
        if faster in {None, archive_id}:
            raise
        return _found(store, faster, created)  # which returns when it is durable, whoever wrote it
    return archive_id


def _stranger(store: Store, in_store: str | None, in_catalog: str | None) -> str:
    both = f"The root {store} holds archive {in_store or 'none'}, the catalog indexes {in_catalog or 'none'}"
    if in_catalog is None:
        return f"{both}: run `recording-archive reindex` to rebuild the catalog from the archive"
    return f"{both}: is the volume mounted, and is RECORDING_ARCHIVE_URL right?"


def discover(archive: Archive, source: Source, request: Request, run_id: str) -> list[books.Batch]:
    """Enter everything the source lists for ``request`` into the books; return the batches left to do."""
    settings, kind = archive.settings, request.kind
    window, problem = request.window, None
    with archive.catalog.write() as connection:
        if request.scheduled and window:
            asked = coverage.plan_reach(
                connection,
                source.name,
                window,
                look_back_days=settings.look_back_days,
                most_days=settings.max_catch_up_days,
            )
            window = asked.window
            problem = coverage.describe_hole(asked.hole)
        facts = {"source": source.name, "kind": kind, "problem": problem}
        bounds = {"range_start": window.start if window else None, "range_end": window.end if window else None}
        books.begin(connection, run_id, at=archive.clock(), **facts, **bounds)
    listed, before = 0, source.requests
    try:
        for page in _pages(source.discover(ids=request.ids, window=window), books.PAGE):
            with archive.catalog.write() as connection:
                known = wholes.spelled_out(connection, page)
                books.enter(connection, run_id, known, scheduled=request.scheduled, at=archive.clock())
            listed += len(page)
            log.info("listed %d recordings so far", listed)
    finally:
        with suppress(StoreError), archive.catalog.write() as connection:  # the error that ended the listing counts
            books.count_requests(connection, run_id, source.requests - before)
    with archive.catalog.write() as connection:
        books.enter_missing(connection, run_id, request.ids)
        if request.scheduled:
            books.carry_over(connection, run_id, at=archive.clock(), retry_days=settings.retry_days)
        batches = books.cut(
            connection,
            run_id,
            most_parts=_whole_chunks(settings.batch_parts, source.chunk),
            most_bytes=settings.batch_bytes,
            most_batches=MOST_BATCHES,
        )
        counts = books.tally(connection, run_id)
        asked_count = sum(counts[name] for name in (*Outcome, "open"))
        connection.execute(update(runs).where(runs.c.run_id == run_id).values(asked=asked_count))
    log.info(
        "%d recordings asked for: %d to archive in %d batches, %d archived already, %d excluded, %d missing",
        asked_count,
        counts["open"],
        len(batches),
        counts[Outcome.ALREADY_ARCHIVED],
        counts[Outcome.EXCLUDED],
        counts[Outcome.MISSING],
    )
    return batches


def _whole_chunks(parts: int, chunk: int) -> int:
    """A batch of several chunks is rounded up to whole ones: a request for half a chunk costs as much."""
    return parts if parts < chunk else -(-parts // chunk) * chunk


def _pages(listings: Iterable[Listing], size: int) -> Iterator[list[Listing]]:
    rest = iter(listings)
    while page := list(islice(rest, size)):
        yield page
