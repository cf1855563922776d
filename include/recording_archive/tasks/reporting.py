"""The task of `archive_recordings` that closes a run."""

from __future__ import annotations

from recording_archive.archiving.report import Summary, report
from recording_archive.settings import read_settings
from recording_archive.tasks.run_metrics import emit
from recording_archive.tasks.session import log_totals, task_archive


def write_report(run_id: str) -> Summary:
    """Close the run, write its compliance report, and log its totals."""
    with task_archive(read_settings()) as archive:
        summary = report(archive, run_id)
        emit(archive, summary.counts)
    log_totals(summary.counts, summary.report_key, summary.ledger_head)
    return summary
