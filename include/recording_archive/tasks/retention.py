"""The tasks of `enforce_retention`: erase what was requested, plan, ask for approval, quarantine, purge, report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from recording_archive.archive import Archive
from recording_archive.disposition import erasure, erasure_request, plan, plan_table, quarantine
from recording_archive.disposition.approval import approve
from recording_archive.disposition.approval_question import Question, question
from recording_archive.disposition.report import RetentionReport, close, close_left_open
from recording_archive.disposition.request import read_retention_request
from recording_archive.errors import PermanentError
from recording_archive.recovery.old_parties import read_old_parties
from recording_archive.settings import read_settings
from recording_archive.tasks.airflow_versions import final
from recording_archive.tasks.run_metrics import emit
from recording_archive.tasks.session import log_totals, raise_if_stopped, stoppable, task_archive

log = logging.getLogger(__name__)


def plan_retention(
    *,
    run_id: str,
    conf: Mapping[str, Any] | None,
    as_of_default: datetime | None = None,
    triggered_by: str | None = None,
) -> dict[str, Any]:
    """Write the plan of what is due, or of what is to be erased; return what the next tasks choose by.

    ``as_of_default`` is the end of the run's own interval; while that is still to come, the plan is as of now.
    """
    settings = read_settings()
    with task_archive(settings) as archive, plan_table.noted(archive, run_id):
        read_old_parties(archive.store, archive.catalog, settings.phone_region)
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
        for closed in () if made.dry_run else close_left_open(archive, run_id):
            log.warning("closed the plan that run %s left open: %s", closed.run_id, closed.report_key)
    choices = {"kind": made.kind, "sha256": made.sha256, "dryRun": made.dry_run, "needsApproval": made.needs_approval}
    return {**choices, "caps": list(made.caps), **made.counts}


def erase_requested(conf: Mapping[str, Any] | None) -> int:
    """Carry out the requests of erasure that a second person approved; return how many recordings are gone.

    A run that only plans leaves them to the next.
    """
    settings = read_settings()
    with final(PermanentError):
        request = read_retention_request(conf or {}, zone=settings.zone)
    if request.dry_run:
        return 0
    with task_archive(settings) as archive, stoppable() as (stop, _):
        done = erasure_request.carry_out_approved(archive, stop)
        raise_if_stopped(stop)
    return sum(each.erased for each in done)


def ask_for_approval(run_id: str, *, link: str | None = None) -> Question:
    """Word the question to the person who must approve the run's plan; ``link`` leads to the plan's page."""
    with task_archive(read_settings()) as archive:
        return question(archive, run_id, link=link)


def record_approval(run_id: str, *, plan_sha256: str, approved_by: str) -> None:
    """Record who approved the plan with this hash; raise PermanentError for another plan or a person who must not."""
    with task_archive(read_settings()) as archive, plan_table.noted(archive, run_id):
        approve(archive, run_id, plan_sha256=plan_sha256, actor=approved_by)


def refuse_plan(run_id: str, why: str) -> None:
    """Record why nobody approved the plan; its report says so, and nothing in it is carried out."""
    with task_archive(read_settings()) as archive:
        plan_table.note_problem(archive, run_id, why)


def quarantine_planned(run_id: str) -> int:
    """Quarantine the planned recordings, and restore those that may stay; an erasure has no quarantine."""
    with task_archive(read_settings()) as archive, plan_table.noted(archive, run_id), stoppable() as (stop, _):
        count = 0 if _is_erasure(archive, run_id) else quarantine.quarantine(archive, run_id, stop)
        raise_if_stopped(stop)
    return count


def purge_planned(run_id: str) -> int:
    """Delete recordings whose quarantine is over, or those to be erased; return how many parts are gone."""
    with task_archive(read_settings()) as archive, plan_table.noted(archive, run_id), stoppable() as (stop, _):
        delete = erasure.erase_planned if _is_erasure(archive, run_id) else quarantine.purge
        count = delete(archive, run_id, stop)
        raise_if_stopped(stop)
    return count


def write_retention_report(run_id: str, *, failed_tasks: Sequence[str] = ()) -> RetentionReport:
    """Close the run's plan, write its report, and log its totals and the ledger's head.

    A task that failed without a cause in the plan, such as one that was killed, makes the run failed as well.
    """
    with task_archive(read_settings()) as archive:
        made = plan_table.read_plan(archive, run_id)
        if failed_tasks and not (made and made.problem):
            plan_table.note_problem(archive, run_id, f"{', '.join(failed_tasks)} failed: its log says why")
        closed = close(archive, run_id)
        emit(archive, closed.counts)
    log_totals(closed.counts, closed.report_key, closed.ledger_head)
    return closed


def _is_erasure(archive: Archive, run_id: str) -> bool:
    made = plan_table.read_plan(archive, run_id)
    return made is not None and made.kind == plan_table.ERASURE
