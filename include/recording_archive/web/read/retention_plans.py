"""Plans of `enforce_retention` and erasures, newest first: what was to be done, what was, and who agreed to it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import case, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.search import Position
from recording_archive.catalog.tables import dispositions, plans
from recording_archive.disposition.erasure_doubts import noted_doubts
from recording_archive.disposition.plan_table import DONE, KEPT, LOOK, undecided
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.run_list import newest_runs, one_run

_c, _p = dispositions.c, plans.c
PAGE = 100
_NAMED = re.compile(r" by H-.*")  # which holds it is that keep a recording


class Outcomes(ApiDocument):
    """The outcomes of the recordings of one action; the sum of the outcomes is all that the plan had.

    ``open`` are still to be done; ``bytes`` are stored bytes of all, ``bytes_done`` of what was done. ``kept_for`` says
    of the kept how many stay for which reason.
    """

    done: int = 0
    kept: int = 0
    pending: int = 0
    failed: int = 0
    open: int = 0
    bytes: int = 0
    bytes_done: int = 0
    kept_for: dict[str, int] = Field(default_factory=dict)

    @property
    def all(self) -> int:
        """Every recording of the action."""
        return self.done + self.kept + self.pending + self.failed + self.open

    @property
    def left(self) -> list[tuple[str, int]]:
        """Counts of the rest by word: to do, kept, pending, failed; nothing where all is done."""
        counts = (("to do", self.open), ("kept", self.kept), ("pending", self.pending), ("failed", self.failed))
        return [(word, count) for word, count in counts if count]


class LookAtThis(ApiDocument):
    """A recording that an erasure may be about, which is not erased, and why nobody knows."""

    interaction_id: str
    recording_id: str
    part: int
    why: str


class PlanRow(ApiDocument):
    """One plan. ``caps`` say what exceeds which limit; ``sha256`` is what an approval names, None while it is made.

    ``status`` is None while it may still act, then ``lapsed`` or how its report ended. ``reason`` is an erasure's.
    ``requested`` says that it is approved here, and not in a run of Airflow's. ``look_at_these`` may be meant by an
    erasure as well: they are not erased.
    """

    run_id: str
    kind: str
    started_at: datetime
    as_of: datetime
    dry_run: bool
    policy: str | None
    reason: str | None
    triggered_by: str | None
    sha256: str | None
    caps: list[str]
    kept: dict[str, int]
    approved_by: str | None
    approved_at: datetime | None
    problem: str | None
    closed_at: datetime | None
    report_key: str | None
    status: str | None
    requested: bool
    actions: dict[str, Outcomes]
    waits_for_approval: bool
    look_at_these: list[LookAtThis]


class PlanPage(ApiDocument):
    """A page of plans, newest first."""

    items: list[PlanRow]
    next: str | None


class DispositionRow(ApiDocument):
    """The action of a plan on one part, its rule and its outcome."""

    id: int
    interaction_id: str
    recording_id: str
    part: int
    action: str
    rule: str | None
    due_at: datetime | None
    interaction_date: datetime | None
    stored_bytes: int | None
    outcome: str | None
    why: str | None
    certificate: str | None


def list_plans(
    archive: Archive, *, limit: int = 50, after: Position | None = None
) -> tuple[list[PlanRow], Position | None]:
    """The next plans after ``after``."""
    rows, following = newest_runs(archive, plans, limit=limit, after=after)
    return _to_plans(archive, rows), following


def read_plan(archive: Archive, run_id: str) -> PlanRow | None:
    """The plan of a run; None when it made none."""
    row = one_run(archive, plans, run_id)
    return _to_plans(archive, [row])[0] if row else None


def waiting_plans(archive: Archive) -> list[PlanRow]:
    """Plans that wait for a person's approval, the newest first: of retention never more than one."""
    with archive.catalog.read() as connection:
        waiting = [row._asdict() for row in undecided(connection)]
    return _to_plans(archive, waiting)


def list_dispositions(
    archive: Archive, run_id: str, *, after: int = 0, action: str | None = None, outcome: str | None = None
) -> tuple[list[DispositionRow], int | None]:
    """The next rows of a plan after the one numbered ``after``, in its order; of an action or an outcome alone.

    The outcome ``open`` is that of what is still to be done.
    """
    wanted = [_c.run_id == run_id, _c.action != LOOK, _c.id > after]
    if action:
        wanted.append(_c.action == action)
    if outcome:
        wanted.append(_c.outcome.is_(None) if outcome == "open" else _c.outcome == outcome)
    query = select(dispositions).where(*wanted).order_by(_c.id).limit(PAGE + 1)
    with archive.catalog.read() as connection:
        rows = connection.execute(query).mappings().all()
    found = [DispositionRow.model_validate(dict(row)) for row in rows[:PAGE]]
    return found, found[-1].id if len(rows) > PAGE else None


def _count(archive: Archive, run_ids: Sequence[str]) -> dict[str, dict[str, Outcomes]]:
    """Outcomes of the rows of each run, by action."""
    size = func.coalesce(func.sum(_c.stored_bytes), 0)
    why = case((_c.outcome == KEPT, _c.why))  # of a failure it is an error, in as many words as there are rows
    query = (
        select(_c.run_id, _c.action, _c.outcome, why, func.count(), size)
        .where(_c.run_id.in_(run_ids))
        .group_by(_c.run_id, _c.action, _c.outcome, why)
    )
    counted: dict[str, dict[str, dict[str, Any]]] = {run_id: {} for run_id in run_ids}
    with archive.catalog.read() as connection:
        for run_id, action, outcome, reason, count, total in connection.execute(query):
            figures = counted[run_id].setdefault(action, {"bytes": 0, "kept_for": {}})
            figures[outcome or "open"] = figures.get(outcome or "open", 0) + count
            figures["bytes"] += int(total)
            if outcome == DONE:
                figures["bytes_done"] = int(total)
            if reason:
                kept = Counter(figures["kept_for"]) + Counter({_NAMED.sub("", reason): count})
                figures["kept_for"] = dict(kept)
    return {run: {action: Outcomes(**outcomes) for action, outcomes in each.items()} for run, each in counted.items()}


def _to_plans(archive: Archive, rows: Sequence[Mapping[str, Any]]) -> list[PlanRow]:
    counted = _count(archive, [row["run_id"] for row in rows])
    looked = {row["run_id"] for row in rows if LOOK in counted[row["run_id"]]}
    doubts = {run_id: [doubt.to_json() for doubt in noted_doubts(archive, run_id)] for run_id in looked}
    return [_to_plan(row, counted[row["run_id"]], doubts.get(row["run_id"], [])) for row in rows]


def _to_plan(row: Mapping[str, Any], actions: Mapping[str, Outcomes], doubts: Sequence[Mapping[str, Any]]) -> PlanRow:
    done_with = {name: outcomes for name, outcomes in actions.items() if name != LOOK}
    done = row["status"] is not None or row["closed_at"] is not None
    waits = bool(row["caps"]) and row["approved_by"] is None and not row["dry_run"] and not done
    filled = {"caps": row["caps"] or [], "kept": row["kept"] or {}, "actions": done_with, "waits_for_approval": waits}
    filled["look_at_these"] = [LookAtThis.model_validate(doubt) for doubt in doubts]
    return PlanRow.model_validate({**row, **filled})
