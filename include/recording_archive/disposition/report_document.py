"""The retention report as a document: totals of a plan, its problems, and an entry for each of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic.alias_generators import to_camel
from sqlalchemy import Row, Select, and_, func, or_, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import among, part_key, part_of
from recording_archive.catalog.tables import dispositions, recordings
from recording_archive.disposition import plan_table
from recording_archive.disposition.erasure_doubts import Doubt
from recording_archive.disposition.recheck import HELD_BY
from recording_archive.model import PartId, State, known_date
from recording_archive.retention.rules import Action

NAME = "retention_report"
_COLUMNS = (  # of `dispositions`; the report has them in camel case
    *("interaction_id", "recording_id", "part", "action", "outcome", "why", "rule", "due_at", "interaction_date"),
    *("sha256", "stored_sha256", "stored_bytes", "certificate"),
)
COLUMNS = tuple(map(to_camel, _COLUMNS))
_DONE_AS = {
    Action.QUARANTINE: "quarantined",
    Action.PURGE: "purged",
    Action.ERASE: "erased",
    plan_table.RESTORE: "restored",
}

_HELD = and_(
    dispositions.c.outcome == plan_table.KEPT,
    or_(*(dispositions.c.why.startswith(word, autoescape=True) for word in HELD_BY)),
)


def plan_totals(archive: Archive, run_id: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Count the rows of a plan by outcome, and what was done by action; list its certificates."""
    mine = and_(dispositions.c.run_id == run_id, dispositions.c.action != plan_table.LOOK)
    size = func.coalesce(func.sum(dispositions.c.stored_bytes), 0)
    grouped = select(dispositions.c.action, dispositions.c.outcome, func.count(), size).where(mine)
    numbers = select(dispositions.c.certificate).distinct().where(mine, dispositions.c.certificate.is_not(None))
    with archive.catalog.read() as connection:
        rows = connection.execute(grouped.group_by(dispositions.c.action, dispositions.c.outcome)).all()
        certificates = sorted(connection.execute(numbers).scalars())
        held = connection.execute(select(func.count()).select_from(dispositions).where(mine, _HELD)).scalar_one()
    outcomes, done, sizes = Counter[str](), Counter[str](), Counter[str]()
    for action, outcome, count, size_bytes in rows:
        outcomes[outcome] += count
        if outcome == plan_table.DONE:
            done[action], sizes[action] = count, int(size_bytes)
    counts = {
        "planned": outcomes.total(),
        **{name: done[action] for action, name in _DONE_AS.items()},
        "notDone": outcomes[plan_table.KEPT],
        "held": held,
        "pending": outcomes[plan_table.PENDING],
        "failed": outcomes[plan_table.FAILED],
        "bytesQuarantined": sizes[Action.QUARANTINE],
        "bytesDeleted": sizes[Action.PURGE] + sizes[Action.ERASE],
    }
    return counts, tuple(certificates)


def problems_of(plan: plan_table.Plan, counts: Mapping[str, int]) -> Iterator[str]:
    """Yield why a run counts as failed, a sentence each."""
    if plan.problem:
        yield plan.problem
    if plan.sha256 is None and not plan.problem:
        yield "the plan was not finished"
    if plan.status == plan_table.LAPSED:
        yield "the plan lapsed: a newer one took its place"
    elif plan.needs_approval and plan.approved_by is None:
        yield f"the plan was not approved: {'; '.join(plan.caps)}"
    if counts["failed"]:
        yield f"{counts['failed']} recordings could not be deleted"
    left = counts["notDone"] + counts["pending"] - counts["held"]
    if plan.kind == plan_table.ERASURE and not plan.dry_run and left:
        yield f"{left} recordings were not erased, without a legal hold on them"


def report_head(
    plan: plan_table.Plan,
    counts: Mapping[str, int],
    certificates: tuple[str, ...],
    problems: tuple[str, ...],
    *,
    at: datetime,
    head: str | None,
    foreign: Sequence[str],
    doubts: Sequence[Doubt],
) -> dict[str, Any]:
    """Compose the report without its entries."""
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
        "requested": plan.requested,
        "plan": plan.sha256,
        "caps": list(plan.caps),
        "approvedBy": plan.approved_by,
        "approvedAt": plan.approved_at and plan.approved_at.isoformat(),
        **counts,
        "kept": dict(plan.kept),
        "foretold": plan.foretold,
        "certificates": list(certificates),
        "foreignDocuments": list(foreign),
        "lookAtThese": [doubt.to_json() for doubt in doubts],
        "ledgerHead": head,
        "problems": list(problems),
    }


def report_entries(archive: Archive, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield an entry for each row of the plan, in its order."""
    for page in plan_table.rows_of(archive, run_id, dispositions.c.action != plan_table.LOOK):
        states = _states(archive, page)
        yield from (_entry(row, states[part_of(row)]) for row in page)


def _states(archive: Archive, page: Sequence[Row[Any]]) -> dict[PartId, str]:
    query: Select[Any] = select(*part_key(recordings), recordings.c.state)
    with archive.catalog.read() as connection:
        found = connection.execute(query.where(among(recordings, [part_of(row) for row in page])))
        return {part_of(row): row.state for row in found}


def _entry(row: Row[Any], state: str) -> dict[str, Any]:
    """Compose an entry; a planned erasure, as one that is done, leaves no more than the day of the interaction."""
    known = State.ERASED if row.action == Action.ERASE else state
    values = {name: getattr(row, name) for name in _COLUMNS}
    values["interaction_date"] = known_date(known, row.interaction_date)
    texts = (value.isoformat() if isinstance(value, date) else value for value in values.values())
    return dict(zip(COLUMNS, texts, strict=True))
