"""The tasks of `archive_recordings` that ask the source: list and download."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from recording_archive.archive import Archive
from recording_archive.archiving.batch_summary import Step, summarized
from recording_archive.archiving.discover import discover
from recording_archive.archiving.download import download
from recording_archive.archiving.problems import note_problem, noted
from recording_archive.archiving.report import close_left_open
from recording_archive.archiving.request import read_request
from recording_archive.errors import ArchiveError
from recording_archive.model import Window
from recording_archive.recovery.behind import learn_deletions
from recording_archive.settings import Settings, read_settings
from recording_archive.tasks.connection import GenesysCloudHook
from recording_archive.tasks.session import raise_if_stopped, stoppable, task_archive

log = logging.getLogger(__name__)


def list_recordings(
    *,
    run_id: str,
    conf: Mapping[str, Any] | None,
    interval: tuple[datetime, datetime] | None,
    scheduled: bool,
    run_is_over: Callable[[str], bool] = lambda _: False,
) -> list[dict[str, Any]]:
    """Write a work row for everything the run is asked for; return one mapping per batch for the mapped tasks."""
    settings = read_settings()
    with task_archive(settings) as archive, noted(archive, run_id, ArchiveError):
        request = read_request(
            conf or {},
            interval=Window(*interval) if interval else None,
            scheduled=scheduled,
            zone=settings.zone,
            now=datetime.now(UTC),
        )
        for summary in close_left_open(archive, lambda other: other != run_id and run_is_over(other)):
            log.warning("closed run %s, which had ended without a report: %s", summary.run_id, summary.report_key)
        behind = learn_deletions(archive)
        batches = discover(archive, GenesysCloudHook().source(settings), request, run_id)
        if behind:
            note_problem(archive, run_id, behind)
    return [{"number": batch.number, "parts": batch.parts, "of": len(batches)} for batch in batches]


def download_batch(run_id: str, number: int) -> int:
    """Fetch a batch into staging; return how many parts were staged."""
    settings = read_settings()
    with task_archive(settings) as archive, noted(archive, run_id), stoppable() as (stop, on_stop):
        with summarized(archive, run_id, number, Step.FETCHED):
            staged = fetch(archive, settings, run_id, number, stop=stop, on_stop=on_stop)
        raise_if_stopped(stop)
    return staged


def fetch(
    archive: Archive,
    settings: Settings,
    run_id: str,
    number: int,
    *,
    stop: threading.Event,
    on_stop: Callable[[Callable[[], None]], None],
) -> int:
    """Fetch what is left of a batch, over the connection; return how many parts were staged."""
    hook = GenesysCloudHook()
    with closing(hook.media(settings, stop)) as media:
        on_stop(media.stop)
        return download(archive, hook.source(settings, stop), media, run_id, number, stop=stop)
