"""Download: a batch of parts through a pool of transfers into staging, packed where the archive can link them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.archiving import account, mismatches, outcomes, whole_interactions
from recording_archive.archiving.work_rows import Work, open_work
from recording_archive.catalog.tables import runs
from recording_archive.errors import ArchiveError, FixityError, RunError, Stopped, StoreError
from recording_archive.model import Fetched, Listing, Outcome
from recording_archive.sources import Accountable, Orderable, Source
from recording_archive.store.staging import Staging
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.transfer import MediaRequest, Mismatch, Transfer

log = logging.getLogger(__name__)

THRIFTY_FROM = 5000  # parts of a run: from here on a request for each of some of them would be felt
GROUP_SIZE, GROUP_AGE_S = 64, 5.0  # results settled in one transaction


@dataclass(frozen=True)
class _Fetch:
    """The result of one transfer."""

    job: Work
    requests: int
    wire_bytes: int
    listing: Listing | None = None
    fetched: Fetched | None = None
    error: Exception | None = None
    deferred: str | None = None
    mismatches: Sequence[Mismatch] = ()


def download(
    archive: Archive, source: Source, media: MediaClient, run_id: str, batch: int, *, stop: threading.Event
) -> int:
    """Fetch what is left of a batch into staging; return how many parts are staged now.

    Returns when every row has an outcome or lies in staging. Raises only for what concerns all of them: store,
    catalog, credentials. What was fetched by then stays fetched.
    """
    with archive.catalog.read() as connection:
        todo = open_work(connection, run_id, batch, staged=False)
    group: list[_Fetch] = []
    staged, begun, failure, before = 0, time.monotonic(), None, source.requests
    try:
        with closing(_fetch_all(archive, source, media, todo, stop=stop)) as results:
            for result in results:
                if isinstance(result.error, RunError) and failure is None:
                    failure = result.error
                    stop.set()
                    media.stop()
                group.append(result)
                if len(group) >= GROUP_SIZE or time.monotonic() - begun > GROUP_AGE_S:
                    done, group, begun = group, [], time.monotonic()
                    staged += _settle_fetched(archive, done, run_id)
    finally:
        staged += _settle_fetched(archive, group, run_id)
        with suppress(StoreError), archive.catalog.write() as connection:  # a full disk already has its error
            outcomes.count_requests(connection, run_id, source.requests - before)
            if isinstance(source, Accountable):
                account.add_notes(connection, run_id, source.account().notes)
    if failure is not None:
        raise failure
    return staged


def _fetch_all(
    archive: Archive,
    source: Source,
    media: MediaClient,
    todo: Sequence[Work],
    *,
    stop: threading.Event,
) -> Generator[_Fetch]:
    """Transfer through a pool, with the next chunk of URLs asked for while the pool is still busy.

    Whatever ends it before its end, such as the time limit of a task, stops the transfers that are under way.
    """
    pending: set[Future[_Fetch]] = set()
    failure: ArchiveError | None = None
    transfers = archive.settings.transfers
    packed = bool(todo) and _packs(archive, todo[0].run_id)
    with ThreadPoolExecutor(transfers, thread_name_prefix="transfer") as pool, _stopping(media, stop):
        try:
            for job, listing in _resolved(archive, source, todo, stop):
                defect = "the source no longer lists it" if listing is None else listing.defect
                if listing is None or defect is not None:
                    yield _Fetch(job, 0, 0, error=ArchiveError(defect))
                    continue
                if listing.deferred is not None:
                    yield _Fetch(job, 0, 0, deferred=listing.deferred)
                    continue
                pending.add(pool.submit(_fetch_one, source, media, job, listing, archive.staging, packed=packed))
                while len(pending) >= 2 * transfers:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
        except ArchiveError as error:  # of the source; what is on its way still counts
            failure = error
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    if failure is not None:
        raise failure


def _packs(archive: Archive, run_id: str) -> bool:
    """Tell if downloads are to be staged as finished objects; the folder is made, for only then it can be told."""
    archive.staging.scratch(run_id)
    return archive.staging.packs_for(archive.store)


@contextmanager
def _stopping(media: MediaClient, stop: threading.Event) -> Iterator[None]:
    """Stop all transfers when the block is left by an exception: the pool behind it waits for them."""
    try:
        yield
    except BaseException:
        stop.set()
        media.stop()
        raise


def _resolved(
    archive: Archive, source: Source, todo: Sequence[Work], stop: threading.Event
) -> Iterator[tuple[Work, Listing | None]]:
    """Ask for the next chunk just before it is fetched; whole interactions become the parts that are listed of them."""
    thrifty = bool(todo) and _is_large(archive, todo[0].run_id)
    for start in range(0, len(todo), source.chunk):
        if stop.is_set():
            return
        end = start + source.chunk
        chunk, ahead = todo[start:end], todo[end : end + source.chunk]
        listings, failure = _listed(archive, source, chunk, thrifty=thrifty)
        if failure is not None:
            known = {listing.part_id.interaction_id for listing in listings}
            chunk = [job for job in chunk if job.part_id.interaction_id in known]
        elif isinstance(source, Orderable) and ahead:
            source.order([job.part_id for job in ahead])
        if {listing.part_id for listing in listings} - {job.part_id for job in chunk} or _has_whole(chunk):
            with archive.catalog.write() as connection:
                pairs = whole_interactions.expand(
                    connection, chunk, listings, at=archive.clock(), region=archive.settings.phone_region
                )
        else:
            found = {listing.part_id: listing for listing in listings}
            pairs = [(job, found.get(job.part_id)) for job in chunk]
        yield from pairs
        if failure is not None:
            raise failure


def _listed(
    archive: Archive, source: Source, chunk: Sequence[Work], *, thrifty: bool
) -> tuple[list[Listing], ArchiveError | None]:
    """List a chunk; the error that ended the list comes with all that was listed before it."""
    listings: list[Listing] = []
    with archive.catalog.read() as connection:
        known = whole_interactions.known_of(connection, chunk)
    began = {job.part_id.interaction_id: job.interaction_date for job in chunk if job.interaction_date}
    try:
        for listing in source.resolve([job.part_id for job in chunk], thrifty=thrifty, known=known, began=began):
            listings.append(listing)
    except ArchiveError as error:
        return listings, error
    return listings, None


def _is_large(archive: Archive, run_id: str) -> bool:
    with archive.catalog.read() as connection:
        asked = connection.execute(select(runs.c.asked).where(runs.c.run_id == run_id)).scalar()
    return (asked or 0) > THRIFTY_FROM


def _has_whole(chunk: Sequence[Work]) -> bool:
    return any(job.part_id.is_whole for job in chunk)


def _fetch_one(
    source: Source, media: MediaClient, job: Work, listing: Listing, staging: Staging, *, packed: bool
) -> _Fetch:
    """Transfer one part; whatever goes wrong with it stays with it."""
    order = MediaRequest(
        name=str(job.part_id),
        url=listing.media_url or "",
        target=staging.target(job.run_id, job.id, packed=packed),
        expected_sha256=listing.expected_sha256,
        renew=lambda: source.renew(job.part_id),
        declared=_content_type(listing),
        packed=packed,
    )
    transfer = Transfer(media, order)
    fetched, failure = None, None
    try:
        fetched = transfer.run()
        staging.share(job.run_id, job.id)
    except ArchiveError as error:
        fetched, failure = None, error
    except Exception as error:  # one strange recording must not stop the others
        log.exception("%s: unexpected error", job.part_id)
        fetched = None
        failure = ArchiveError(f"unexpected {type(error).__name__}: see the log of this task, and report it")
    return _Fetch(
        job,
        transfer.requests,
        transfer.wire_bytes,
        listing=listing,
        fetched=fetched,
        error=failure,
        mismatches=transfer.mismatches,
    )


def _content_type(listing: Listing) -> str | None:
    """The content type by the source's word, which makes a page a chat or an e-mail."""
    given = listing.source_fields.get("contentType")
    return given if isinstance(given, str) else None


def _settle_fetched(archive: Archive, group: Sequence[_Fetch], run_id: str) -> int:
    """Note a group of transfers: staged ones durable first, then all in one transaction."""
    if not group:
        return 0
    at = archive.clock()
    done = [(result.job, result.fetched, result.listing) for result in group if result.fetched and result.listing]
    if done:
        archive.staging.sync(run_id)
    with archive.catalog.write() as connection:
        outcomes.stage(connection, done)
        for result in group:
            mismatches.note(connection, result.job, result.mismatches, at=at)
            if result.fetched:
                continue
            if result.deferred is not None:
                outcomes.defer(connection, result.job, result.deferred, at=at)
                continue
            if not isinstance(result.error, Stopped | RunError):
                outcomes.fail(connection, result.job, at=at, **_failure(result))
    for result in group:
        _tell_fetched(result)
    return len(done)


def _failure(result: _Fetch) -> dict[str, Any]:
    """The columns of a failed transfer."""
    error = result.error or ArchiveError("no outcome")
    facts: dict[str, Any] = {"error": str(error), "requests": result.requests, "wire_bytes": result.wire_bytes}
    if isinstance(error, FixityError):
        facts |= {"outcome": Outcome.CHECKSUM_MISMATCH}
        facts |= {"expected_sha256": error.expected, "found_sha256": error.found}
    return facts


def _tell_fetched(result: _Fetch) -> None:
    part, fetched = result.job.part_id, result.fetched
    if fetched is not None:
        log.info("%s: downloaded %d bytes in %d requests", part, fetched.size_bytes, fetched.requests)
    elif result.deferred is not None:
        log.info("%s: not yet: %s", part, result.deferred)
    elif isinstance(result.error, Stopped):
        log.info("%s: stopped, left for the next attempt", part)
    else:
        log.warning("%s: failed after %d requests: %s", part, result.requests, result.error)
