"""Plans and their rows in the catalog: the action for each part, and its outcome.

A row's outcome is None while it is to be done; then `done`, `kept` (with why), `pending` (its bytes are locked until a
date, or its deletion is not finished) or `failed`. A plan's status is None while it may act, `lapsed` when a newer one
took its place, and how its report ended once it is closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.rows import PAGE, insert_missing, is_part, pages
from recording_archive.catalog.tables import dispositions, plans
from recording_archive.errors import ArchiveError, PermanentError
from recording_archive.model import PartId
from recording_archive.reports import run_state
from recording_archive.retention.rules import Action

RETENTION, ERASURE = "retention", "erasure"  # kinds of plans
RESTORE = "restore"  # an action that no rule asks for: back from quarantine
LOOK = "look"  # at a recording that an erasure may be about: nothing is done with it
DONE, KEPT, PENDING, FAILED = "done", "kept", "pending", "failed"
LAPSED = "lapsed"
ACTIONS = (Action.QUARANTINE, Action.PURGE, Action.ERASE, RESTORE)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as the catalog has it; ``counts`` and ``sizes`` (stored bytes) are those of its rows, by action.

    ``sha256`` is None while it is being made. ``caps`` says, a sentence each, why a person must approve: a limit that
    is exceeded, or what was not foretold; ``kept`` counts what stays, by reason. ``requested`` marks an erasure that
    was entered without a run of Airflow's; ``foretold`` is what the days after bring (`foretelling`).
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
    caps: tuple[str, ...]
    kept: Mapping[str, int]
    foretold: Mapping[str, Any] | None
    counts: Mapping[str, int]
    sizes: Mapping[str, int]
    approved_by: str | None
    approved_at: datetime | None
    problem: str | None
    status: str | None
    report_key: str | None
    requested: bool

    @property
    def needs_approval(self) -> bool:
        """Say if a person must approve first; a dry run does nothing that needs approval."""
        return bool(self.caps) and not self.dry_run


def begin_plan(connection: Connection, run_id: str, kind: str, *, at: datetime, as_of: datetime, **facts: Any) -> None:
    """Open a plan, or open it anew when its run was cleared: what was not done yet is planned once more."""
    known = connection.execute(select(plans.c.kind, plans.c.sha256).where(plans.c.run_id == run_id)).one_or_none()
    if known is not None and known.sha256 is not None and known.kind != kind:
        raise PermanentError(f"Run {run_id} has a plan of kind {known.kind}, not {kind}: trigger a new run")
    undone = or_(dispositions.c.outcome.is_(None), dispositions.c.outcome.in_((KEPT, FAILED)))
    connection.execute(delete(dispositions).where(dispositions.c.run_id == run_id, undone))
    fresh = dict.fromkeys(
        (
            "sha256",
            "caps",
            "kept",
            "foretold",
            "approved_by",
            "approved_at",
            "problem",
            "closed_at",
            "report_key",
            "status",
        )
    )
    values = {**fresh, "kind": kind, "started_at": at, "as_of": as_of, **facts}
    if known is None:
        connection.execute(insert(plans).values(run_id=run_id, **values))
    else:
        connection.execute(update(plans).where(plans.c.run_id == run_id).values(**values))


def lapse_others(connection: Connection, run_id: str) -> None:
    """Let every other retention plan lapse that could still act; its open rows are kept."""
    lapsing = and_(
        plans.c.kind == RETENTION, plans.c.run_id != run_id, plans.c.status.is_(None), plans.c.dry_run.is_(False)
    )
    others = select(plans.c.run_id).where(lapsing)
    abandon(connection, dispositions.c.run_id.in_(others), why=f"the plan lapsed: run {run_id} made a newer one")
    connection.execute(update(plans).where(lapsing).values(status=LAPSED))


def abandon(connection: Connection, *where: Any, why: str) -> None:
    """Close open rows: their recordings stay."""
    still = update(dispositions).where(dispositions.c.outcome.is_(None), *where)
    connection.execute(still.values(outcome=KEPT, why=why))


def add_rows(connection: Connection, run_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to a plan; a part that the plan has already keeps its row."""
    insert_missing(connection, dispositions, [{"run_id": run_id, "outcome": None, "why": None, **row} for row in rows])


def planned_row(row: Row[Any], action: str, rule: str | None, due_at: datetime | None) -> dict[str, Any]:
    """Make the row of a plan for a row of `recordings`."""
    names = (*PartId._fields, "interaction_date", "sha256", "stored_sha256", "stored_bytes")
    return {**{name: getattr(row, name) for name in names}, "action": str(action), "rule": rule, "due_at": due_at}


def has_settled(connection: Connection, run_id: str) -> bool:
    """Say if the run has done something already."""
    done = select(dispositions.c.id).where(dispositions.c.run_id == run_id, dispositions.c.outcome.is_not(None))
    return connection.execute(done.limit(1)).first() is not None


def settled(connection: Connection, run_id: str, interaction_ids: Iterable[str]) -> set[PartId]:
    """Find the parts of these interactions with which the run has done something already."""
    same = (dispositions.c.run_id == run_id, dispositions.c.interaction_id.in_(set(interaction_ids)))
    columns = (dispositions.c[name] for name in PartId._fields)
    found = connection.execute(select(*columns).where(*same, dispositions.c.outcome.is_not(None)))
    return {PartId(*row) for row in found}


def rows_of(archive: Archive, run_id: str, *where: Any, size: int = PAGE) -> Iterator[Sequence[Row[Any]]]:
    """Yield the rows of a plan in its order, a page at a time, so that the caller may change them on the way."""
    query = select(dispositions).where(dispositions.c.run_id == run_id, *where)
    yield from pages(archive.catalog, query, dispositions.c.id, size=size)


def to_do(archive: Archive, run_id: str, *actions: str, size: int = PAGE) -> Iterator[Sequence[Row[Any]]]:
    """Yield pages of the open rows with one of these actions."""
    yield from rows_of(archive, run_id, dispositions.c.outcome.is_(None), dispositions.c.action.in_(actions), size=size)


def note_outcome(
    connection: Connection, run_id: str, part: PartId, outcome: str, why: str | None = None, **more: Any
) -> None:
    """Record the outcome of a part in a run, unless another attempt has done it meanwhile."""
    still = or_(dispositions.c.outcome.is_(None), dispositions.c.outcome != DONE)
    mine = update(dispositions).where(dispositions.c.run_id == run_id, is_part(dispositions, part), still)
    connection.execute(mine.values(outcome=outcome, why=why, **more))


def read_plan(archive: Archive, run_id: str) -> Plan | None:
    """Return the plan of a run; None when it made none."""
    with archive.catalog.read() as connection:
        row = connection.execute(select(plans).where(plans.c.run_id == run_id)).one_or_none()
        if row is None:
            return None
        totals = connection.execute(
            select(dispositions.c.action, func.count(), func.coalesce(func.sum(dispositions.c.stored_bytes), 0))
            .where(dispositions.c.run_id == run_id)
            .group_by(dispositions.c.action)
        ).all()
    counts, sizes = Counter[str](), Counter[str]()
    for action, count, size in totals:
        counts[action], sizes[action] = count, int(size)
    names = ("kind", "started_at", "as_of", "dry_run", "policy", "reason", "triggered_by", "sha256")
    more = ("approved_by", "approved_at", "problem", "status", "report_key", "requested")
    return Plan(
        run_id,
        **{name: getattr(row, name) for name in (*names, *more)},
        caps=tuple(row.caps or ()),
        kept=dict(row.kept or {}),
        foretold=row.foretold,
        counts={str(action): counts[action] for action in ACTIONS},
        sizes={str(action): sizes[action] for action in ACTIONS},
    )


def undecided(connection: Connection) -> list[Row[Any]]:
    """Plans that wait for a person's approval, the newest first: of retention never more than one."""
    c = plans.c
    open_ones = (c.status.is_(None), c.closed_at.is_(None), c.approved_by.is_(None), c.dry_run.is_(False))
    found = select(plans).where(*open_ones).order_by(c.started_at.desc(), c.run_id.desc()).limit(PAGE)
    return [row for row in connection.execute(found) if row.caps]


def required_plan(archive: Archive, run_id: str) -> Plan:
    """Return the plan of a run that has begun one: rows of plans are never deleted."""
    plan = read_plan(archive, run_id)
    if plan is None:
        raise AssertionError(run_id)
    return plan


def noted(archive: Archive, run_id: str, kind: type[ArchiveError] = PermanentError) -> AbstractContextManager[None]:
    """Write the error that ends a task for good into its plan, as `reports.run_state.noted` does."""
    return run_state.noted(lambda problem: note_problem(archive, run_id, problem), kind)


def note_problem(archive: Archive, run_id: str, problem: str) -> None:
    """Record the problem that stopped a run; a run without a plan gets an empty one."""
    empty: dict[str, Any] = {"at": archive.clock(), "as_of": archive.clock(), "dry_run": False, "problem": problem}
    with archive.catalog.write() as connection:
        run_state.note_problem(
            connection, plans, run_id, problem, partial(begin_plan, connection, run_id, RETENTION, **empty)
        )
