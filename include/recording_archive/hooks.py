"""Where Airflow meets the archive: connections become plain objects, tasks become calls of the use cases.

The functions at the end are all that DAG files call. They stay compatible within a major version, because runs that
began before an upgrade go on with the DAG file they began with.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from recording_archive import fetching, packing
from recording_archive import report as reports
from recording_archive.archive import Archive, discover, open_archive
from recording_archive.connection import CONN_ID, CONN_TYPE, Facts, facts_from_environment, not_defined, read_facts
from recording_archive.errors import ArchiveError, Stopped, TransientError
from recording_archive.media_client import Limits, MediaClient
from recording_archive.model import Window
from recording_archive.request import read_request
from recording_archive.settings import Settings, read_settings
from recording_archive.sources import Source
from recording_archive.sources.client import ApiClient
from recording_archive.sources.interactions import InteractionsSource

log = logging.getLogger(__name__)

__all__ = ["GenesysCloudHook", "download_batch", "gzip_batch", "list_recordings", "write_report"]


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
        client = ApiClient(
            self.get_conn(),
            login_base=facts.endpoints.login_base,
            api_base=facts.endpoints.api_base,
            client_id=facts.client_id,
            client_secret=facts.client_secret,
            retry_after_max_s=settings.retry_after_max_s,
            sleep=_stoppable_sleep(stop or threading.Event()),
        )
        return InteractionsSource(client, organization=facts.extra.organization)

    def media(self, settings: Settings, stop: threading.Event) -> MediaClient:
        """What fetches the media."""
        facts = self.facts()
        return MediaClient(facts.media_hosts, Limits.of(settings), stop=stop, proxies=facts.extra.proxies)

    def test_connection(self) -> tuple[bool, str]:
        """Try token, permissions and one small query, as the *Test* button asks."""
        try:
            probe = self.source(read_settings()).probe()
        except ArchiveError as error:
            return False, str(error)
        return True, f"Connected to {probe.api_base}: token granted, recordings can be listed"


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
    return summary


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
