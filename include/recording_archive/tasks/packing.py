"""The task of `archive_recordings` that compresses: it asks nobody, unless staging lost what was fetched."""

from __future__ import annotations

import logging

from recording_archive.archiving.batch_summary import Step, summarized
from recording_archive.archiving.compress import compress
from recording_archive.archiving.problems import noted
from recording_archive.settings import read_settings
from recording_archive.tasks.session import raise_if_stopped, stoppable, task_archive

log = logging.getLogger(__name__)


def gzip_batch(run_id: str, number: int) -> int:
    """Archive the staged files of a batch; fetch again what staging lost; return how many parts were lost for good."""
    settings = read_settings()
    with (
        task_archive(settings) as archive,
        noted(archive, run_id),
        stoppable() as (stop, on_stop),
        summarized(archive, run_id, number, Step.ARCHIVED),
    ):
        lost = compress(archive, run_id, number, stop=stop)
        if lost and not stop.is_set():
            log.warning("%d staged files were lost or damaged: fetching them again", lost)
            from recording_archive.tasks.archiving import fetch  # noqa: PLC0415 - HTTP, for this case alone

            fetch(archive, settings, run_id, number, stop=stop, on_stop=on_stop)
            lost = compress(archive, run_id, number, stop=stop)
        raise_if_stopped(stop)
    return lost
