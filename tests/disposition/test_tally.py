"""Pages judged by several processes: the plan is the one that a single process makes, or there is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from recording_archive.archive import Archive
from recording_archive.catalog.tables import dispositions, plans
from recording_archive.disposition import plan as plan_module
from recording_archive.disposition import processes
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.plan_table import read_plan
from support.contents import change, ids
from support.retention_run import EXPIRED, QUARANTINE, at, enforce, hold


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have two processes make a plan, whatever the machine and however short the plan; note how many were started."""
    started, begin = list[int](), processes.in_order

    def noting(make: Any, items: Any, count: int) -> Any:
        started.append(count)
        return begin(make, items, count)

    monkeypatch.setattr(processes, "in_order", noting)
    monkeypatch.setattr(processes, "cores", lambda: 2)
    monkeypatch.setattr(plan_module, "MANY", 1)
    return started


def made(archive: Archive, run_id: str) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
    """The rows of a plan in their order, and the plan, but for what names the run."""
    columns = [column for column in dispositions.c if column.name not in {"id", "run_id"}]
    of_run = select(*columns).where(dispositions.c.run_id == run_id).order_by(dispositions.c.id)
    with archive.catalog.read() as connection:
        plan = connection.execute(select(plans).where(plans.c.run_id == run_id)).one()._asdict()
        return [tuple(row) for row in connection.execute(of_run)], {**plan, "run_id": ""}


def test_several_processes_make_the_plan_of_one(archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, order, hash, what is kept and what is foretold; what is held, restored, waits or goes."""
    names = ids(archived)
    change(archived, names[0], verified_ok=False)
    hold(archived, names[1])
    assert enforce(at(archived, EXPIRED), "retention__1").quarantined == 4
    hold(archived, names[2])
    change(archived, names[3], quarantined_at=EXPIRED + timedelta(days=5))
    change(archived, names[4], state="archived", quarantined_at=None)
    later = at(archived, EXPIRED + QUARANTINE)
    alone = make_plan(later, "retention__2", dry_run=True, page_size=2)
    monkeypatch.setattr(plan_module, "MANY", 1)
    monkeypatch.setattr(processes, "cores", lambda: 3)
    make_plan(later, "retention__3", dry_run=True, page_size=2)
    assert made(archived, "retention__3") == made(archived, "retention__2")
    assert {action for action, count in alone.counts.items() if count} == {"quarantine", "purge", "restore"}
    assert alone.kept == {"unverified": 1, "held": 1, "waiting": 1}


def test_a_cleared_run_is_planned_by_processes_too(archived: Archive, started: list[int]) -> None:
    """What an earlier attempt has done is known there as well."""
    soon = at(archived, EXPIRED)
    change(archived, ids(archived)[0], verified_ok=False)
    assert enforce(soon, "retention__1").quarantined == 5
    change(archived, ids(archived)[0], verified_ok=True)
    again = enforce(soon, "retention__1")
    assert (again.quarantined, again.report["quarantined"]) == (1, 6)
    assert started == [2, 2]


def test_what_cannot_be_judged_fails_the_plan(archived: Archive, started: list[int]) -> None:
    """The error of a process is the plan's, which has no hash then, and so lets nothing go."""
    hold(archived, ids(archived)[0])
    with archived.catalog.write() as connection:
        connection.execute(text('UPDATE recordings SET numbers = \'{"certain": 5, "possible": []}\''))
    with pytest.raises(TypeError):
        make_plan(at(archived, EXPIRED), "retention__1")
    plan = read_plan(archived, "retention__1")
    assert plan is not None
    assert plan.sha256 is None
    assert started == [2]
