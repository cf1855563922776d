"""Requests of erasure: one person enters a request, another approves it, and only then is it carried out.

    enter → approve (`approval`), by somebody else → carry_out, or carry_out_approved in the next enforce_retention
          → reject, by anybody, or withdrawn by who entered it

A request is the plan of an erasure, with the parts found when it was entered: what comes later is not in it. It waits
until it is answered. Numbers and names that it was found by are kept nowhere.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from sqlalchemy import ColumnElement, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import plans
from recording_archive.disposition import plan_table
from recording_archive.disposition.erasure import Erasure, finish_erasure, new_run_id, plan_erasure
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.report import close
from recording_archive.errors import PermanentError

log = logging.getLogger(__name__)

_OPEN = (plans.c.requested.is_(True), plans.c.closed_at.is_(None), plans.c.sha256.is_not(None))


def enter(archive: Archive, subject: Subject, *, reason: str, actor: str) -> plan_table.Plan:
    """Write down what ``subject`` names now, to be erased once somebody else than ``actor`` approved it."""
    run_id = new_run_id(archive)
    return plan_erasure(archive, run_id, subject, reason=reason, triggered_by=actor, requested=True)


def waiting(archive: Archive) -> list[plan_table.Plan]:
    """List the requests that nobody has answered, the oldest first."""
    return list(_open(archive, plans.c.approved_by.is_(None)))


def required_request(archive: Archive, run_id: str) -> plan_table.Plan:
    """Return an open request; raise PermanentError for what is none, or none any more."""
    plan = plan_table.read_plan(archive, run_id)
    if plan is None or plan.sha256 is None:
        raise PermanentError(f"{run_id} is no request: `recording-archive approve` lists those that wait")
    if not plan.requested:
        raise PermanentError(f"The plan of run {run_id} waits in Airflow: answer it there, under Required actions")
    if plan.status is not None:
        raise PermanentError(f"The request {run_id} was answered before: {plan.problem or plan.status}")
    return plan


def reject(archive: Archive, run_id: str, *, reason: str, actor: str) -> str:
    """Close a request without erasing anything; return the key of its report. Who entered it may withdraw it."""
    if not reason.strip():
        raise PermanentError("The reason is empty: say why nothing is erased; it is kept for good")
    required_request(archive, run_id)
    at, open_one = archive.clock(), (*_OPEN, plans.c.run_id == run_id, plans.c.approved_by.is_(None))
    with archive.catalog.write() as connection:
        note = update(plans).where(*open_one).values(problem=f"{actor} rejected it: {reason.strip()}")
        if not connection.execute(note).rowcount:
            raise PermanentError(f"The request {run_id} was approved, and cannot be rejected any more")
        detail = {"reason": reason.strip()}
        record(connection, "rejected", None, at=at, run_id=run_id, actor=actor, detail=detail)
    return close(archive, run_id).report_key


def carry_out(archive: Archive, run_id: str, stop: threading.Event) -> Erasure:
    """Erase what an approved request lists, unless it is held, and write its report."""
    required_request(archive, run_id)
    return finish_erasure(archive, run_id, stop)


def carry_out_approved(archive: Archive, stop: threading.Event) -> list[Erasure]:
    """Carry out every request that was approved, the oldest first, and those that a crash left half done."""
    done: list[Erasure] = []
    for plan in _open(archive, plans.c.approved_by.is_not(None)):
        if stop.is_set():
            break
        done.append(finish_erasure(archive, plan.run_id, stop))
        log.info("request %s: %d recordings erased, %d not", plan.run_id, done[-1].erased, len(done[-1].refused))
    return done


def _open(archive: Archive, *where: ColumnElement[bool]) -> Iterator[plan_table.Plan]:
    query = select(plans.c.run_id).where(*_OPEN, *where).order_by(plans.c.started_at, plans.c.run_id)
    with archive.catalog.read() as connection:
        runs = connection.execute(query).scalars().all()
    yield from (plan_table.required_plan(archive, run_id) for run_id in runs)
