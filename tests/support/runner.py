"""The four use cases of `archive_recordings` run against a sandbox, without Airflow."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.archiving import compress, download
from recording_archive.archiving.discover import discover
from recording_archive.archiving.report import Summary, report
from recording_archive.archiving.request import Request
from recording_archive.model import Window
from recording_archive.settings import Settings
from recording_archive.sources import Source
from recording_archive.sources.client import ApiClient
from recording_archive.sources.interactions import InteractionsSource
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits

DAY = Window(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
"""The one day for which the `cloud` fixture has recordings."""


def settings_below(folder: Path) -> Settings:
    """Settings that keep archive, catalog and staging side by side in ``folder``."""
    return Settings(
        url=str(folder / "archive"),
        catalog_url=f"sqlite:///{folder / 'catalog.db'}",
        staging_url=str(folder / "staging"),
        transfers=2,
    )


@dataclass(frozen=True)
class Runner:
    """Runs the four use cases of `archive_recordings` without Airflow."""

    cloud: Sandbox

    def __call__(self, archive: Archive, run_id: str, request: Request | None = None) -> Summary:
        """Archive what ``request`` asks for, the whole day by default."""
        stop, source = threading.Event(), self.source(archive)
        media = self.media(archive, stop)
        for batch in discover(archive, source, request or Request(window=DAY, scheduled=True), run_id):
            download.download(archive, source, media, run_id, batch.number, stop=stop)
            compress.compress(archive, run_id, batch.number, stop=stop)
        media.close()
        return report(archive, run_id)

    def media(self, _: Archive, stop: threading.Event) -> MediaClient:
        """What fetches media."""
        hosts = MediaHosts([self.cloud.media_host], allow_private=True)
        return MediaClient(hosts, TransferLimits(attempts=1, free_space_reserve_bytes=0), stop=stop)

    def source(self, _: Archive | None = None) -> Source:
        """What lists the sandbox's recordings."""
        client = ApiClient(
            requests.Session(),
            login_base=self.cloud.login_base,
            api_base=self.cloud.api_base,
            client_id=self.cloud.client_id,
            client_secret=self.cloud.client_secret,
        )
        return InteractionsSource(client, organization="default")
