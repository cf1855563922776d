"""Close a plan, whatever became of it, and write its report: each part's outcome, reason, rule and certificate.

The ledger is sealed before, so that the report names its head, and after, so that the ledger vouches for the report.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row, or_, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.rows import same_part
from recording_archive.catalog.tables import dispositions, plans, recordings
from recording_archive.disposition import documents, plan_table, report_document
from recording_archive.disposition.deletion import carry_out, left_open
from recording_archive.disposition.erasure_doubts import noted_doubts
from recording_archive.disposition.recheck import Recheck
from recording_archive.errors import ArchiveError
from recording_archive.ledger import sealing
from recording_archive.ledger.vouching import seal_and_vouch
from recording_archive.reports import run_state, writing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """A closed plan: the totals of its report, and why it counts as failed (empty when it does not).

    ``ledger_head`` is ``segment:sha256`` after the report was sealed; None when the ledger could not be sealed.
    """

    run_id: str
    report_key: str
    counts: Mapping[str, int]
    certificates: tuple[str, ...]
    problems: tuple[str, ...]
    ledger_head: str | None

    @property
    def failed(self) -> bool:
        """Say if the run must end failed."""
        return bool(self.problems)


def close(archive: Archive, run_id: str) -> RetentionReport:
    """Close the run's plan and write its report; what was not done by now is kept, and the report says why.

    Where bytes are gone already, tombstone and certificate are completed first. The report is written whatever
    happened; the caller makes the run fail when `RetentionReport.failed`.
    """
    plan = plan_table.read_plan(archive, run_id)
    if plan is None:
        plan_table.note_problem(archive, run_id, "the run made no plan")
        plan = plan_table.required_plan(archive, run_id)
    if not plan.dry_run:
        _finish_the_gone(archive, plan)
    _close_rows(archive, plan)
    plan = plan_table.required_plan(archive, run_id)
    counts, certificates = report_document.plan_totals(archive, run_id)
    problems = tuple(report_document.problems_of(plan, counts))
    head, at = sealing.seal_for_report(archive), archive.clock()
    foreign = documents.foreign_documents(archive)
    for document in foreign:
        log.warning(
            "%s is foreign: no event tells that a person made it; `recording-archive check` says more", document
        )
    doubts = noted_doubts(archive, run_id)
    top = report_document.report_head(
        plan, counts, certificates, problems, at=at, head=head, foreign=foreign, doubts=doubts
    )
    entries = partial(report_document.report_entries, archive, run_id)
    key, files = writing.publish_report(
        archive,
        day=plan.started_at.date().isoformat(),
        run_id=run_id,
        name=report_document.NAME,
        table=lambda: writing.as_csv(report_document.COLUMNS, entries()),
        document=writing.as_json(top, entries=entries()),
    )
    with archive.catalog.write() as connection:
        detail, status = {"report": plan.kind, "files": files}, run_state.status_of(problems)
        run_state.close(connection, plans, run_id, at=at, report_key=key, detail=detail, status=status)
    seal = sealing.seal_for_report if plan.kind == plan_table.ERASURE else seal_and_vouch  # nobody waits for a stamp
    return RetentionReport(run_id, key, counts, certificates, problems, seal(archive) or head)


def close_left_open(archive: Archive, run_id: str) -> list[RetentionReport]:
    """Close the plans of runs that ended without a report: those that lapsed, and those given up long ago."""
    longest = timedelta(hours=2 * max(24.0, archive.settings.approval_hours))
    given_up = or_(plans.c.status == plan_table.LAPSED, plans.c.started_at < archive.clock() - longest)
    ours = (plans.c.run_id != run_id, plans.c.requested.is_(False))  # a request waits until somebody answers it
    left = select(plans.c.run_id).where(plans.c.closed_at.is_(None), *ours, given_up)
    with archive.catalog.read() as connection:
        runs = connection.execute(left).scalars().all()
    for each in runs:
        plan_table.note_problem(archive, each, "the run ended before its report")
    return [close(archive, each) for each in runs]


def _finish_the_gone(archive: Archive, plan: plan_table.Plan) -> None:
    """Complete deletions whose object is gone, which leaves nothing to decide; a report deletes no object.

    An erasure completes its own alone, a run of enforce_retention those of all runs.
    """

    def is_gone(row: Row[Any]) -> bool:
        ours = plan.kind == plan_table.RETENTION or row.deletion["run"] == plan.run_id
        return ours and (row.key is None or archive.store.size(row.key) is None)

    try:
        orders = left_open(archive, plan.run_id, only=is_gone)
        carry_out(archive, plan.run_id, orders, recheck=Recheck(archive, None, plan.as_of), stop=threading.Event())
    except ArchiveError as error:
        plan_table.note_problem(archive, plan.run_id, f"deletions could not be completed: {error}")


def _close_rows(archive: Archive, plan: plan_table.Plan) -> None:
    """Give every open row its outcome."""
    why = "the run ended before it"
    if plan.dry_run:
        why = "dry run"
    elif plan.needs_approval and plan.approved_by is None:
        why = "the plan was not approved"
    mine = dispositions.c.run_id == plan.run_id
    begun = select(recordings.c.interaction_id).where(
        same_part(recordings, dispositions), recordings.c.deleting_at.is_not(None)
    )
    still = update(dispositions).where(mine, dispositions.c.outcome.is_(None), begun.exists())
    with archive.catalog.write() as connection:
        if not plan.dry_run:
            connection.execute(
                still.values(outcome=plan_table.PENDING, why="begun; the next run of enforce_retention finishes it")
            )
        plan_table.abandon(connection, mine, why=why)
