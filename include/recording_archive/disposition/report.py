"""The retention report: what went and by which certificate, what stayed and why, who approved, by which policy.

It closes a plan, whatever became of it. The ledger is sealed before, so that the report names its head, and after, so
that the ledger vouches for the report.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import dispositions, plans, recordings
from recording_archive.disposition.deletion import carry_out, left_open
from recording_archive.disposition.plan_table import (
    DONE,
    ERASURE,
    FAILED,
    KEPT,
    LAPSED,
    PENDING,
    RESTORE,
    RETENTION,
    Plan,
    abandon,
    note_problem,
    read_plan,
    rows_of,
)
from recording_archive.disposition.recheck import Recheck
from recording_archive.errors import ArchiveError
from recording_archive.ledger import sealing
from recording_archive.model import PartId
from recording_archive.reports import run_state, writing
from recording_archive.retention.rules import Action

log = logging.getLogger(__name__)

NAME = "retention_report"
COLUMNS = (
    *("interactionId", "recordingId", "part", "action", "outcome", "why", "rule", "dueAt", "interactionDate"),
    *("sha256", "storedSha256", "storedBytes", "certificate"),
)
_DONE_AS = {
    Action.QUARANTINE: "quarantined",
    Action.PURGE: "purged",
    Action.ERASE: "erased",
    RESTORE: "restored",
}


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """A closed plan: its totals, as its report tells them, and why it counts as failed (empty when it does not).

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
        """Whether the run must end failed."""
        return bool(self.problems)


def close(archive: Archive, run_id: str) -> RetentionReport:
    """Close the run's plan and write its report; what was not done by now is kept, and the report says why.

    Where bytes are gone already, tombstone and certificate are completed first. The report is written whatever
    happened; the caller makes the run fail when `RetentionReport.failed`.
    """
    plan = read_plan(archive, run_id)
    if plan is None:
        note_problem(archive, run_id, "the run made no plan")
        plan = _existing(archive, run_id)
    if not plan.dry_run:
        _finish_the_gone(archive, plan)
    _close_rows(archive, plan)
    plan = _existing(archive, run_id)
    counts, certificates = _totals(archive, run_id)
    problems = tuple(_problems(plan, counts))
    head, at = sealing.seal_for_report(archive), archive.clock()
    key, files = writing.publish_report(
        archive,
        day=plan.started_at.date().isoformat(),
        run_id=run_id,
        name=NAME,
        table=lambda: writing.as_csv(COLUMNS, _entries(archive, run_id)),
        document=writing.as_json(
            _top(plan, counts, certificates, problems, at=at, head=head), entries=_entries(archive, run_id)
        ),
    )
    with archive.catalog.write() as connection:
        detail, status = {"report": plan.kind, "files": files}, run_state.status_of(problems)
        run_state.close(connection, plans, run_id, at=at, report_key=key, detail=detail, status=status)
    return RetentionReport(run_id, key, counts, certificates, problems, sealing.seal_for_report(archive) or head)


def close_left_open(archive: Archive, run_id: str) -> list[RetentionReport]:
    """Close the plans of runs that ended without a report: those that lapsed, and those given up long ago."""
    longest = timedelta(hours=2 * max(24.0, archive.settings.approval_hours))
    given_up = or_(plans.c.status == LAPSED, plans.c.started_at < archive.clock() - longest)
    left = select(plans.c.run_id).where(plans.c.closed_at.is_(None), plans.c.run_id != run_id, given_up)
    with archive.catalog.read() as connection:
        runs = connection.execute(left).scalars().all()
    for each in runs:
        note_problem(archive, each, "the run ended before its report")
    return [close(archive, each) for each in runs]


def _finish_the_gone(archive: Archive, plan: Plan) -> None:
    """Complete deletions whose object is gone, so that nothing is left to decide; no report deletes an object.

    An erasure completes its own alone, a run of enforce_retention those of all.
    """

    def is_gone(row: Row[Any]) -> bool:
        ours = plan.kind == RETENTION or row.deletion["run"] == plan.run_id
        return ours and (row.key is None or archive.store.size(row.key) is None)

    try:
        orders = left_open(archive, plan.run_id, only=is_gone)
        carry_out(archive, plan.run_id, orders, Recheck(archive, None, plan.as_of), threading.Event())
    except ArchiveError as error:
        note_problem(archive, plan.run_id, f"deletions could not be completed: {error}")


def _close_rows(archive: Archive, plan: Plan) -> None:
    """Give every open row its outcome."""
    why = "the run ended before it"
    if plan.dry_run:
        why = "dry run"
    elif plan.needs_approval and plan.approved_by is None:
        why = "the plan was not approved"
    mine = dispositions.c.run_id == plan.run_id
    begun = select(recordings.c.interaction_id).where(
        *(recordings.c[name] == dispositions.c[name] for name in PartId._fields), recordings.c.deleting_at.is_not(None)
    )
    still = update(dispositions).where(mine, dispositions.c.outcome.is_(None), begun.exists())
    with archive.catalog.write() as connection:
        if not plan.dry_run:
            connection.execute(
                still.values(outcome=PENDING, why="begun; the next run of enforce_retention finishes it")
            )
        abandon(connection, mine, why=why)


def _totals(archive: Archive, run_id: str) -> tuple[dict[str, int], tuple[str, ...]]:
    mine = dispositions.c.run_id == run_id
    size = func.coalesce(func.sum(dispositions.c.stored_bytes), 0)
    grouped = select(dispositions.c.action, dispositions.c.outcome, func.count(), size).where(mine)
    numbers = select(dispositions.c.certificate).distinct().where(mine, dispositions.c.certificate.is_not(None))
    with archive.catalog.read() as connection:
        rows = connection.execute(grouped.group_by(dispositions.c.action, dispositions.c.outcome)).all()
        certificates = sorted(connection.execute(numbers).scalars())
    outcomes, done, sizes = Counter[str](), Counter[str](), Counter[str]()
    for action, outcome, count, size_bytes in rows:
        outcomes[outcome] += count
        if outcome == DONE:
            done[action], sizes[action] = count, int(size_bytes)
    counts = {
        "planned": outcomes.total(),
        **{told: done[action] for action, told in _DONE_AS.items()},
        "notDone": outcomes[KEPT],
        "pending": outcomes[PENDING],
        "failed": outcomes[FAILED],
        "bytesQuarantined": sizes[Action.QUARANTINE],
        "bytesDeleted": sizes[Action.PURGE] + sizes[Action.ERASE],
    }
    return counts, tuple(certificates)


def _problems(plan: Plan, counts: Mapping[str, int]) -> Iterator[str]:
    if plan.problem:
        yield plan.problem
    if plan.sha256 is None and not plan.problem:
        yield "the plan was not finished"
    if plan.status == LAPSED:
        yield "the plan lapsed: a newer one took its place"
    elif plan.needs_approval and plan.approved_by is None:
        yield f"the plan was not approved: {'; '.join(plan.caps)}"
    if counts["failed"]:
        yield f"{counts['failed']} recordings could not be deleted"
    if plan.kind == ERASURE and not plan.dry_run and (left := counts["notDone"] + counts["pending"]):
        yield f"{left} recordings were not erased"


def _top(
    plan: Plan,
    counts: Mapping[str, int],
    certificates: tuple[str, ...],
    problems: tuple[str, ...],
    *,
    at: datetime,
    head: str | None,
) -> dict[str, Any]:
    """The report but for its entries."""
    return {
        "runId": plan.run_id,
        "kind": plan.kind,
        "startedAt": plan.started_at.isoformat(),
        "generatedAt": at.isoformat(),
        "asOf": plan.as_of.isoformat(),
        "dryRun": plan.dry_run,
        "policy": plan.policy,
        "reason": plan.reason,
        "triggeredBy": plan.triggered_by,
        "plan": plan.sha256,
        "caps": list(plan.caps),
        "approvedBy": plan.approved_by,
        "approvedAt": plan.approved_at and plan.approved_at.isoformat(),
        **counts,
        "kept": dict(plan.kept),
        "certificates": list(certificates),
        "ledgerHead": head,
        "problems": list(problems),
    }


def _entries(archive: Archive, run_id: str) -> Iterator[dict[str, Any]]:
    for page in rows_of(archive, run_id):
        yield from map(_entry, page)


def _entry(row: Row[Any]) -> dict[str, Any]:
    return {
        "interactionId": row.interaction_id,
        "recordingId": row.recording_id,
        "part": row.part,
        "action": row.action,
        "outcome": row.outcome,
        "why": row.why,
        "rule": row.rule,
        "dueAt": row.due_at and row.due_at.isoformat(),
        "interactionDate": row.interaction_date and row.interaction_date.isoformat(),
        "sha256": row.sha256,
        "storedSha256": row.stored_sha256,
        "storedBytes": row.stored_bytes,
        "certificate": row.certificate,
    }


def _existing(archive: Archive, run_id: str) -> Plan:
    plan = read_plan(archive, run_id)
    if plan is None:  # rows of plans are never deleted
        raise AssertionError(run_id)
    return plan
