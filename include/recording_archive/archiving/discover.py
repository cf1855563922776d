"""Discover: the source's listing becomes work rows, cut into batches."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import update

from recording_archive.archive import Archive
from recording_archive.archiving import account, coverage, entering, outcomes, take_in, whole_interactions
from recording_archive.archiving.request import Request
from recording_archive.archiving.retry import carry_over
from recording_archive.archiving.work_rows import cut_batches, tally
from recording_archive.catalog.rows import Batch, chunked
from recording_archive.catalog.tables import runs
from recording_archive.errors import StoreError
from recording_archive.model import Outcome
from recording_archive.sources import Accountable, Source

log = logging.getLogger(__name__)


def discover(archive: Archive, source: Source, request: Request, run_id: str) -> list[Batch]:
    """Enter everything the source lists for ``request`` into the books; return the batches left to do."""
    settings, kind = archive.settings, request.kind
    look_back = timedelta(days=settings.look_back_days)
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
        entering.begin(connection, run_id, at=archive.clock(), **facts, **bounds)
    listed, before = 0, source.requests
    reconciled, notes = None, list[str]()
    try:
        for page in chunked(source.discover(ids=request.ids, window=window)):
            with archive.catalog.write() as connection:
                known = whole_interactions.spelled_out(connection, page, look_back=look_back)
                at, region = archive.clock(), settings.phone_region
                entering.enter(connection, run_id, known, scheduled=request.scheduled, at=at, region=region)
            listed += len(page)
            log.info("listed %d recordings so far", listed)
        if request.scheduled:
            reconciled, notes = take_in.take_in_when_due(archive, source, run_id)
    finally:
        with suppress(StoreError), archive.catalog.write() as connection:  # the error that ended the listing counts
            outcomes.count_requests(connection, run_id, source.requests - before)
            if isinstance(source, Accountable):
                account.note(connection, run_id, source.account(), reconciled=reconciled, notes=notes)
    with archive.catalog.write() as connection:
        entering.enter_missing(connection, run_id, request.ids)
        if request.scheduled:
            carry_over(connection, run_id, at=archive.clock(), retry_days=settings.retry_days)
        batches = cut_batches(
            connection,
            run_id,
            most_parts=lambda parts: _whole_chunks(settings.batch_parts_of(parts), source.chunk),
            most_bytes=settings.batch_bytes,
        )
        counts = tally(connection, run_id)
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
