"""Where Airflow meets the archive: connections become plain objects, tasks become calls of the use cases.

The functions at the end are all that DAG files call. They stay compatible within a major version, because runs that
began before an upgrade go on with the DAG file they began with.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from recording_archive.archive import Archive, open_archive
from recording_archive.archiving import compress as packing
from recording_archive.archiving import download as fetching
from recording_archive.archiving import report as reports
from recording_archive.archiving.discover import discover
from recording_archive.archiving.request import read_request
from recording_archive.disposition import erasure, plan
from recording_archive.disposition import plan_table as plan_rows
from recording_archive.disposition import quarantine as disposition
from recording_archive.disposition import report as retention_report
from recording_archive.disposition.approval_question import Question, question
from recording_archive.disposition.request import read_retention_request
from recording_archive.errors import ArchiveError, Stopped, TransientError
from recording_archive.fixity import reading as fixity
from recording_archive.fixity import readings_table as fixity_books
from recording_archive.fixity import repair, sweep
from recording_archive.fixity import report as fixity_report
from recording_archive.fixity import strays_and_ledger as inspection
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.request import read_scope
from recording_archive.model import Window
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from recording_archive.settings import Settings, read_settings
from recording_archive.sources import Source
from recording_archive.sources.client import ApiClient
from recording_archive.sources.connection import (
    CONN_ID,
    CONN_TYPE,
    Facts,
    facts_from_environment,
    not_defined,
    read_facts,
)
from recording_archive.sources.contracts import CONTRACTS
from recording_archive.sources.conversations import ConversationsSource
from recording_archive.sources.interactions import InteractionsSource
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits

log = logging.getLogger(__name__)

__all__ = [
    "GenesysCloudHook",
    "ask_for_approval",
    "download_batch",
    "gzip_batch",
    "list_recordings",
    "look_for_strays",
    "plan_fixity",
    "plan_retention",
    "purge_planned",
    "quarantine_planned",
    "record_approval",
    "refuse_plan",
    "reindex_archive",
    "repair_recordings",
    "sweep_left_overs",
    "verify_batch",
    "verify_ledger",
    "write_fixity_report",
    "write_report",
    "write_retention_report",
]


class GenesysCloudHook(HttpHook):
    """An Airflow connection of type `genesys_cloud`, or the ``GENESYS_*`` variables in its place."""

    conn_name_attr = "genesys_conn_id"
    default_conn_name = CONN_ID
    conn_type = CONN_TYPE
    hook_name = "Genesys Cloud"

    def __init__(self, genesys_conn_id: str = CONN_ID) -> None:
        super().__init__(method="POST", http_conn_id=genesys_conn_id)
        self.genesys_conn_id = genesys_conn_id

    def facts(self) -> Facts:
        """Read and check the connection; raise ConfigurationError that names what is wrong."""
        try:
            found = self.get_connection(self.genesys_conn_id)
        except AirflowNotFoundException:
            facts = facts_from_environment()
            if facts is None:
                raise not_defined(self.genesys_conn_id) from None
        else:
            name = f"Connection {self.genesys_conn_id}"
            facts = read_facts(
                name, login=found.login, password=found.password, host=found.host, extra=found.extra_dejson
            )
        mask_secret(facts.client_secret)
        return facts

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """A session with HttpHook's keep-alive adapters; who may see the token is the API client's business."""
        facts = self.facts()
        session = requests.Session()
        self.base_url = facts.endpoints.api_base
        session.trust_env = False  # no netrc, no proxies from the environment
        session.proxies.update(facts.extra.proxies)
        session.headers.update(headers or {})
        if extra_options:
            session.verify = extra_options.get("verify", True)
        return self._configure_session_from_mount_adapters(session)

    def source(self, settings: Settings, stop: threading.Event | None = None) -> Source:
        """What lists the recordings; a wait of its client ends when ``stop`` is set."""
        facts = self.facts()
        sleep = _stoppable_sleep(stop or threading.Event())
        client = ApiClient(
            self.get_conn(),
            login_base=facts.endpoints.login_base,
            api_base=facts.endpoints.api_base,
            client_id=facts.client_id,
            client_secret=facts.client_secret,
            contract=CONTRACTS[facts.extra.api],
            retry_after_max_s=settings.retry_after_max_s,
            sleep=sleep,
        )
        if facts.extra.api == "interactions":
            return InteractionsSource(client, organization=facts.extra.organization)
        return ConversationsSource(
            client,
            organization=facts.extra.organization,
            names_file=settings.staging / f".names-{facts.extra.organization}.json",
            full_metadata=facts.extra.recording_metadata,
            allowed=facts.extra.participant_attributes,
            sleep=sleep,
        )

    def media(self, settings: Settings, stop: threading.Event) -> MediaClient:
        """What fetches the media."""
        facts = self.facts()
        return MediaClient(facts.media_hosts, TransferLimits.of(settings), stop=stop, proxies=facts.extra.proxies)

    def test_connection(self) -> tuple[bool, str]:
        """Try token, permissions and one small query, as the *Test* button asks."""
        try:
            probe = self.source(read_settings()).probe()
        except ArchiveError as error:
            return False, str(error)
        told = f"Connected to {probe.api_base}: token granted, recordings can be listed"
        return True, "; ".join([told, *(f"warning: {note}" for note in probe.notes)])


def list_recordings(
    *,
    run_id: str,
    conf: Mapping[str, Any] | None,
    interval: tuple[datetime, datetime] | None,
    scheduled: bool,
    run_is_over: Callable[[str], bool] = lambda _: False,
) -> list[dict[str, Any]]:
    """Enter what is asked for into the books; return one mapping per batch for the mapped tasks."""
    settings = read_settings()
    with _archive(settings) as archive, reports.noted(archive, run_id, ArchiveError):
        request = read_request(
            conf or {},
            interval=Window(*interval) if interval else None,
            scheduled=scheduled,
            zone=settings.zone,
            now=datetime.now(UTC),
        )
        for summary in reports.close_left_open(archive, lambda other: other != run_id and run_is_over(other)):
            log.warning("closed the books that run %s left open: %s", summary.run_id, summary.report_key)
        batches = discover(archive, GenesysCloudHook().source(settings), request, run_id)
    return [{"number": batch.number, "parts": batch.parts, "of": len(batches)} for batch in batches]


def download_batch(run_id: str, number: int) -> int:
    """Fetch a batch into staging; return how many parts were staged."""
    settings, hook = read_settings(), GenesysCloudHook()
    with _archive(settings) as archive, reports.noted(archive, run_id), _stoppable() as (stop, on_stop):
        media = hook.media(settings, stop)
        on_stop(media.stop)
        staged = fetching.download(archive, hook.source(settings, stop), media, run_id, number, stop=stop)
        media.close()
        _raise_if_stopped(stop)
    return staged


def gzip_batch(run_id: str, number: int) -> int:
    """Archive what is staged of a batch; fetch again what staging lost; return how many parts were lost for good."""
    settings, hook = read_settings(), GenesysCloudHook()
    with _archive(settings) as archive, reports.noted(archive, run_id), _stoppable() as (stop, on_stop):
        source = hook.source(settings, stop)
        lost = packing.compress(archive, source, run_id, number, stop=stop)
        if lost and not stop.is_set():
            log.warning("%d staged files were lost or damaged: fetching them again", lost)
            media = hook.media(settings, stop)
            on_stop(media.stop)
            fetching.download(archive, source, media, run_id, number, stop=stop)
            media.close()
            lost = packing.compress(archive, source, run_id, number, stop=stop)
        _raise_if_stopped(stop)
    return lost


def write_report(run_id: str) -> reports.Summary:
    """Close the run's books, write the compliance report, and tell its totals in the log."""
    with _archive(read_settings()) as archive:
        summary = reports.report(archive, run_id)
    for name, count in summary.counts.items():
        log.info("%s: %s", name, count)
    log.info("report: %s", summary.report_key)
    log.info("ledger head: %s", summary.ledger_head)
    return summary


def plan_retention(
    *,
    run_id: str,
    conf: Mapping[str, Any] | None,
    as_of_default: datetime | None = None,
    triggered_by: str | None = None,
) -> dict[str, Any]:
    """Write down what is due, or what is to be erased; return what the next tasks choose by.

    ``as_of_default`` is the end of the run's own interval; the time of the call goes when that is still to come.
    """
    settings = read_settings()
    with _archive(settings) as archive, plan_rows.noted(archive, run_id):
        asked, now = read_retention_request(conf or {}, zone=settings.zone), archive.clock()
        if asked.subject:
            made = erasure.plan_erasure(
                archive,
                run_id,
                asked.subject,
                reason=asked.reason,
                triggered_by=triggered_by,
                dry_run=asked.dry_run,
            )
        else:
            made = plan.make_plan(
                archive,
                run_id,
                as_of=asked.as_of or min(as_of_default or now, now),
                dry_run=asked.dry_run,
                max_count=asked.max_count,
                max_bytes=asked.max_bytes,
                triggered_by=triggered_by,
            )
        for closed in () if made.dry_run else retention_report.close_left_open(archive, run_id):
            log.warning("closed the plan that run %s left open: %s", closed.run_id, closed.report_key)
    told = {"kind": made.kind, "sha256": made.sha256, "dryRun": made.dry_run, "needsApproval": made.needs_approval}
    return {**told, "caps": list(made.caps), **made.counts}


def ask_for_approval(run_id: str, *, link: str | None = None) -> Question:
    """What the person who must approve the run's plan is asked; ``link`` leads to the plan's page."""
    with _archive(read_settings()) as archive:
        return question(archive, run_id, link=link)


def record_approval(run_id: str, *, plan_sha256: str, approved_by: str) -> None:
    """Note who approved the plan of this hash; raise PermanentError when it, or this person, cannot be the one."""
    with _archive(read_settings()) as archive, plan_rows.noted(archive, run_id):
        plan.approve(archive, run_id, plan_sha256=plan_sha256, actor=approved_by)


def refuse_plan(run_id: str, why: str) -> None:
    """Note that nobody approved the plan; its report says so, and nothing of it is carried out."""
    with _archive(read_settings()) as archive:
        plan_rows.note_problem(archive, run_id, why)


def quarantine_planned(run_id: str) -> int:
    """Quarantine what the plan says, and bring back what may stay; an erasure has no quarantine."""
    with _archive(read_settings()) as archive, plan_rows.noted(archive, run_id), _stoppable() as (stop, _):
        made = plan_rows.read_plan(archive, run_id)
        erases = made is not None and made.kind == plan_rows.ERASURE
        count = 0 if erases else disposition.quarantine(archive, run_id, stop)
        _raise_if_stopped(stop)
    return count


def purge_planned(run_id: str) -> int:
    """Delete what was in quarantine long enough, or what is to be erased; return how many parts are gone."""
    with _archive(read_settings()) as archive, plan_rows.noted(archive, run_id), _stoppable() as (stop, _):
        made = plan_rows.read_plan(archive, run_id)
        erases = made is not None and made.kind == plan_rows.ERASURE
        count = erasure.erase_planned(archive, run_id, stop) if erases else disposition.purge(archive, run_id, stop)
        _raise_if_stopped(stop)
    return count


def write_retention_report(run_id: str, *, failed_tasks: Sequence[str] = ()) -> retention_report.RetentionReport:
    """Close the run's plan, write its report, and tell its totals and the ledger's head in the log.

    A task that failed without a cause in the plan, such as one that was killed, makes the run failed as well.
    """
    with _archive(read_settings()) as archive:
        made = plan_rows.read_plan(archive, run_id)
        if failed_tasks and not (made and made.problem):
            plan_rows.note_problem(archive, run_id, f"{', '.join(failed_tasks)} failed: its log says why")
        closed = retention_report.close(archive, run_id)
    for name, count in closed.counts.items():
        log.info("%s: %s", name, count)
    log.info("report: %s", closed.report_key)
    log.info("ledger head: %s", closed.ledger_head)
    return closed


# verify_archive


def reindex_archive(conf: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Bring the catalog to what the archive tells, if that was asked for; return how many things became what."""
    if (conf or {}).get("reindex") is not True:  # all else in it is for the plan to judge, whose report can tell
        return None
    counts = dict.fromkeys(map(str, IndexResult), 0)
    for found in reindex(read_settings()):
        counts[found.result] += 1
        if found.problem:
            log.error("%s: %s", found.key, found.problem)
    log.info("reindexed: %s", counts)
    return counts


def plan_fixity(
    *, run_id: str, conf: Mapping[str, Any] | None, reindexed: Mapping[str, int] | None
) -> list[dict[str, Any]]:
    """Enter in the run's books what it re-reads; return one mapping per batch for the mapped tasks."""
    with _archive(read_settings()) as archive, fixity_books.noted(archive, run_id):
        facts = {"reindexed": dict(reindexed)} if reindexed else {}
        batches = fixity.plan(archive, run_id, read_scope(conf or {}), **facts)
    return [{"number": batch.number, "parts": batch.parts, "of": len(batches)} for batch in batches]


def verify_batch(run_id: str, number: int) -> int:
    """Re-read a batch to the last byte; return how many recordings are bad."""
    with _archive(read_settings()) as archive, fixity_books.noted(archive, run_id), _stoppable() as (stop, _):
        bad = fixity.read_batch(archive, run_id, number, stop=stop)
        _raise_if_stopped(stop)
    return bad


def repair_recordings(run_id: str) -> None:
    """Mend what is bad, from the source if need be; what cannot be mended is told by the report."""
    settings, hook = read_settings(), GenesysCloudHook()
    with _archive(settings) as archive, fixity_books.noted(archive, run_id), _stoppable() as (stop, on_stop):

        def connect() -> tuple[Source, MediaClient]:
            media = hook.media(settings, stop)
            on_stop(media.stop)
            return hook.source(settings, stop), media

        origin = Origin(connect)
        try:
            repair.repair(archive, run_id, origin, stop=stop)
        finally:
            origin.close()
        _raise_if_stopped(stop)


def look_for_strays(run_id: str) -> int | None:
    """Look for files that the catalog does not know; None where the run is about named recordings alone."""
    with _archive(read_settings()) as archive, fixity_books.noted(archive, run_id):
        whole = fixity_books.kind_of(archive, run_id) in fixity_books.WHOLE
        return inspection.look_for_strays(archive, run_id) if whole else None


def sweep_left_overs(run_id: str) -> dict[str, int] | None:
    """Remove what killed tasks left in archive and staging; None where the run is about named recordings alone."""
    with _archive(read_settings()) as archive, fixity_books.noted(archive, run_id):
        if fixity_books.kind_of(archive, run_id) == "asked":
            return None
        swept = asdict(sweep.sweep(archive))
        fixity_books.note_facts(archive, run_id, swept=swept)
    return swept


def verify_ledger(run_id: str) -> int | None:
    """Check the ledger; return how many flaws it has, None where the run is about named recordings alone."""
    with _archive(read_settings()) as archive, fixity_books.noted(archive, run_id):
        whole = fixity_books.kind_of(archive, run_id) in fixity_books.WHOLE
        return inspection.verify_ledger(archive, run_id) if whole else None


def write_fixity_report(run_id: str) -> fixity_report.FixityReport:
    """Close the run's books, write the fixity report, and tell in the log what it names."""
    with _archive(read_settings()) as archive:
        found = fixity_report.report(archive, run_id)
    for name, count in found.totals.items():
        log.info("%s: %s", name, count)
    for line in found.named:
        log.error("%s", line)
    log.info("report: %s", found.report_key)
    log.info("ledger head: %s", found.ledger_head)
    return found


@contextmanager
def _archive(settings: Settings) -> Iterator[Archive]:
    archive = open_archive(settings)
    try:
        yield archive
    finally:
        archive.catalog.close()


@contextmanager
def _stoppable() -> Iterator[tuple[threading.Event, Callable[[Callable[[], None]], None]]]:
    """Turn SIGTERM into an event: Airflow kills a task 5 s after it, and runs no `finally` of its own."""
    stop, calls = threading.Event(), list[Callable[[], None]]()

    def on_signal(*_: object) -> None:
        stop.set()
        for call in calls:
            call()

    previous = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield stop, calls.append
    finally:
        signal.signal(signal.SIGTERM, previous)


def _stoppable_sleep(stop: threading.Event) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped("stopped while waiting for the API")

    return sleep


def _raise_if_stopped(stop: threading.Event) -> None:
    if stop.is_set():
        raise TransientError("stopped by a signal; what was finished is kept, the rest is left for the next attempt")
