"""Approval of plans by a second person, and the check that a plan may be carried out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import plans
from recording_archive.disposition.documents import require_documents
from recording_archive.disposition.plan_table import LAPSED, RETENTION, Plan, read_plan
from recording_archive.errors import PermanentError, StoreError
from recording_archive.ledger import sealing
from recording_archive.ledger.segments import unknown_segments


def approve(archive: Archive, run_id: str, *, plan_sha256: str, actor: str) -> None:
    """Record that ``actor`` approves the plan with this hash; raise PermanentError when that is not possible."""
    at = archive.clock()
    with archive.catalog.write() as connection:
        plan = connection.execute(select(plans).where(plans.c.run_id == run_id).with_for_update()).one_or_none()
        if refusal := _refusal(plan, plan_sha256, actor, archive.settings.approving):
            raise PermanentError(f"The plan of run {run_id} cannot be approved: {refusal}")
        if plan is not None and plan.approved_by == actor:  # the answer came twice
            return
        values = {"approved_by": actor, "approved_at": at}
        connection.execute(update(plans).where(plans.c.run_id == run_id).values(**values))
        record(connection, "approved", None, at=at, run_id=run_id, actor=actor, detail={"plan": plan_sha256})
    sealing.seal(archive)


def who_must_not(actor: str, triggered_by: str | None, approving: Collection[str]) -> str | None:
    """Say why a person must not approve what ``triggered_by`` began, or None; ``approving`` as in the settings."""
    if actor.casefold() == (triggered_by or "").casefold():
        return f"{actor} triggered it; somebody else must approve"
    if approving and actor.casefold() not in approving:
        return f"{actor} is not among RECORDING_ARCHIVE_APPROVERS"
    return None


def executable(archive: Archive, run_id: str, kind: str = RETENTION) -> Plan | None:
    """Return the run's plan, None for a dry run; raise PermanentError when it may not be carried out."""
    plan = read_plan(archive, run_id)
    if plan is None or plan.sha256 is None or plan.kind != kind:
        raise PermanentError(f"Run {run_id} has no finished plan of kind {kind}: plan first")
    if plan.dry_run:
        return None
    if plan.status is not None:
        why = "a newer plan took its place" if plan.status == LAPSED else "its report is written"
        raise PermanentError(f"The plan of run {run_id} may not be carried out any more: {why}; trigger a new run")
    if plan.needs_approval and plan.approved_by is None:
        raise PermanentError(f"The plan of run {run_id} needs approval and has none: {'; '.join(plan.caps)}")
    require_current(archive)
    return plan


def require_current(archive: Archive) -> None:
    """Raise StoreError when the archive has ledger segments or holds that the catalog lacks, or lacks a document."""
    if unknown := unknown_segments(archive):
        raise StoreError(
            f"{archive.store} has {len(unknown)} ledger segments that the catalog lacks (the first is {unknown[0]}): "
            "the catalog is older than the archive; run `recording-archive reindex`, then this again"
        )
    require_documents(archive)


def _refusal(  # noqa: PLR0911 - one for each reason
    plan: Row[Any] | None, plan_sha256: str, actor: str, approving: Collection[str]
) -> str | None:
    """Say why ``actor`` cannot approve the plan with this hash."""
    if plan is None or plan.sha256 is None:
        return "it is not made yet"
    if plan.status is not None or plan.closed_at is not None:
        return "it lapsed: a newer plan took its place, or its report is written"
    if plan.dry_run:
        return "it is a dry run, which does nothing"
    if plan.sha256 != plan_sha256:
        return f"its hash is {plan.sha256}, the approval names {plan_sha256}: look at the plan again"
    if not plan.caps:
        return "it exceeds no limit and needs no approval"
    if why := who_must_not(actor, plan.triggered_by, approving):
        return why
    if plan.approved_by not in (None, actor):
        return f"{plan.approved_by} approved it before"
    return None
