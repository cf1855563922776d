"""Report: close a run and write its compliance report, manifest and coverage.

The ledger is sealed before, so that the report names its head, and after, so that the ledger vouches for the report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.archiving import account, coverage, outcomes
from recording_archive.archiving.problems import note_problem
from recording_archive.archiving.report_files import as_document, as_manifest, as_table, head_of
from recording_archive.archiving.totals import count_totals, covers, find_problems
from recording_archive.archiving.work_rows import is_over
from recording_archive.catalog.tables import runs
from recording_archive.ledger import sealing
from recording_archive.ledger.vouching import seal_and_vouch
from recording_archive.model import Window
from recording_archive.reports import run_state, writing


@dataclass(frozen=True, slots=True)
class Summary:
    """The totals of a closed run, as its report has them, and why it counts as failed (empty when it does not).

    ``ledger_head`` is ``segment:sha256`` after the report was sealed; None when the ledger could not be sealed.
    """

    run_id: str
    report_key: str
    counts: Mapping[str, int]
    bytes_downloaded: int
    bytes_stored: int
    problems: tuple[str, ...]
    ledger_head: str | None

    @property
    def failed(self) -> bool:
        """Tell if the run must end failed."""
        return bool(self.problems)


def report(archive: Archive, run_id: str) -> Summary:
    """Close a run and write its report.

    Parts that no task finished are closed as failed, to be taken up again. The report is written whatever the outcomes;
    the caller makes the run fail when `Summary.failed`.
    """
    with archive.catalog.read() as connection:
        known = connection.execute(select(runs.c.problem).where(runs.c.run_id == run_id)).one_or_none()
    if known is None:
        note_problem(archive, run_id, "the source was never asked")
    run = _close_rows(archive, run_id, (known and known.problem) or "no task of this run finished it; its log says why")
    totals = count_totals(archive, run_id)
    with archive.catalog.read() as connection:
        gaps = account.open_gaps(connection, run)
    problems = find_problems(run, totals, archive.settings.allowed_failure_ratio, gaps=gaps)
    head = sealing.seal_for_report(archive)
    at = archive.clock()
    key, files = writing.publish_report(
        archive,
        day=run.started_at.date().isoformat(),
        run_id=run_id,
        name="compliance_report",
        table=lambda: as_table(archive, run_id),
        document=as_document(archive, run_id, head_of(run, totals, problems, at=at, head=head, gaps=gaps)),
        manifest=as_manifest(archive, run_id),
    )
    with archive.catalog.write() as connection:
        if covers(run, totals):
            for window in coverage.without(Window(run.range_start, run.range_end), [gap.window for gap in gaps]):
                coverage.close(connection, source=run.source, window=window, run_id=run_id, kind=run.kind, at=at)
        detail, status = {"files": files}, run_state.status_of(problems)
        run_state.close(connection, runs, run_id, at=at, report_key=key, detail=detail, status=status)
    head = seal_and_vouch(archive) or head
    with archive.catalog.read() as connection:
        archive.staging.drop(run_id, lambda number: is_over(connection, run_id, number))
    return Summary(run_id, key, totals, totals["bytesDownloaded"], totals["bytesStored"], tuple(problems), head)


def close_left_open(archive: Archive, has_ended: Callable[[str], bool]) -> list[Summary]:
    """Close runs that ended without a report (marked failed by hand, for instance)."""
    with archive.catalog.read() as connection:
        left = connection.execute(select(runs.c.run_id).where(runs.c.closed_at.is_(None))).scalars().all()
    over = [run_id for run_id in left if has_ended(run_id)]
    for run_id in over:
        note_problem(archive, run_id, "the run ended before its report")
    return [report(archive, run_id) for run_id in over]


def _close_rows(archive: Archive, run_id: str, problem: str) -> Row[Any]:
    with archive.catalog.write() as connection:
        outcomes.abandon(connection, run_id, error=problem, at=archive.clock())
        return connection.execute(select(runs).where(runs.c.run_id == run_id)).one()
