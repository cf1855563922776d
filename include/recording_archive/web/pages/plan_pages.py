"""Pages of plans: what went and who agreed, what waits for a person, and certificates of deletion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from recording_archive.archive import Archive
from recording_archive.disposition.approval import who_must_not
from recording_archive.web import access
from recording_archive.web.api.disposition import find_certificate, find_plan
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.filters import After, write_cursor
from recording_archive.web.read.papers import paper_of_certificate, paper_of_plan
from recording_archive.web.read.retention_plans import PlanRow, list_dispositions, list_plans, waiting_plans
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.render import page, root

PLANS = 25
_ACTIONS = {
    "quarantine": "into quarantine",
    "purge": "deleted after quarantine",
    "erase": "erased",
    "restore": "back from quarantine",
}

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class Planned(StrEnum):
    """An action of a plan."""

    QUARANTINE = "quarantine"
    PURGE = "purge"
    ERASE = "erase"
    RESTORE = "restore"


class Outcome(StrEnum):
    """The end that a recording of a plan came to; ``open`` is still to be done."""

    DONE = "done"
    KEPT = "kept"
    PENDING = "pending"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Part:
    """The recordings of a plan that its page shows: of an action, of an outcome, and after a row."""

    action: Planned | None = None
    outcome: Outcome | None = None
    after: int = 0

    @property
    def words(self) -> str:
        """The words for what it is narrowed to; empty for all of the plan."""
        title = _ACTIONS.get(self.action or "", "")
        if self.outcome in {None, Outcome.DONE}:
            return title
        return f"{self.outcome.replace('open', 'to do')}{f', not {title}' if title else ''}"

    @property
    def query(self) -> str:
        """The part of an address that asks for it, with what joins it to the next."""
        given = {name: value for name in ("action", "outcome") if (value := getattr(self, name))}
        return f"{urlencode(given)}&" if given else ""


WHOLE = Part()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A plan that waits for a person: it is answered in Airflow at ``address``, or here by who ``may_decide``.

    ``not_by_me`` says why the signed-in user may not approve it.
    """

    plan: PlanRow
    may_decide: bool
    address: str | None
    not_by_me: str | None


@router.get("/retention/runs")
def plans_page(
    request: Request, archive: ArchiveDep, may_decide: access.MayDecide, after: After = None
) -> HTMLResponse:
    """All plans, newest first, below those that wait for a person."""
    plans, following = list_plans(archive, limit=PLANS, after=read_dated(after))
    waiting = approvals(request, archive, waiting_plans(archive), may_decide=may_decide)
    return page(
        request,
        archive,
        "plans.html",
        approvals=waiting,
        waiting=len(waiting),
        plans=plans,
        next=write_cursor(following),
        later=after is not None,
    )


@router.get("/retention/runs/{run_id}")
def plan_page(
    request: Request,
    archive: ArchiveDep,
    may_decide: access.MayDecide,
    run_id: str,
    *,
    action: Planned | None = None,
    outcome: Outcome | None = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> HTMLResponse:
    """One plan: what it does with which recording, and what became of it; of all, or of one action and outcome."""
    part = Part(action, outcome, after)
    return show_plan(request, archive, find_plan(archive, run_id), may_decide=may_decide, part=part)


@router.get("/certificates/{number}")
def certificate_page(request: Request, archive: ArchiveDep, number: str) -> HTMLResponse:
    """The certificate of a deletion, as it lies in the archive."""
    document = find_certificate(archive, number)
    paper = paper_of_certificate(archive, access.user_name(request), number, document)
    return page(request, archive, "certificate.html", number=number, document=document, paper=paper)


def show_plan(
    request: Request,
    archive: Archive,
    plan: PlanRow,
    *,
    may_decide: bool = False,
    part: Part = WHOLE,
    in_tab: bool = False,
) -> HTMLResponse:
    """A plan as a page of its own, or as the tab on its DAG run."""
    rows, following = list_dispositions(
        archive, plan.run_id, after=part.after, action=part.action, outcome=part.outcome
    )
    waiting = [plan] if plan.waits_for_approval else []
    return page(
        request,
        archive,
        "plan.html",
        plan=plan,
        rows=rows,
        actions=_ACTIONS,
        following=following,
        later=part.after > 0,
        narrowed=part.words,
        asked=part.query,
        in_tab=in_tab,
        paper=paper_of_plan(archive, access.user_name(request), plan),
        approvals=approvals(request, archive, waiting, may_decide=may_decide),
    )


def approvals(request: Request, archive: Archive, waiting: Iterable[PlanRow], *, may_decide: bool) -> list[Waiting]:
    """The plans that wait, each with the way to Airflow's own page, or why this user may not approve a request."""
    runs, user = f"{root(request)}../dags/{access.DECIDE_DAG}/runs/", access.user_name(request)
    return [
        Waiting(
            plan,
            may_decide,
            None if plan.requested else f"{runs}{quote(plan.run_id, safe='')}/required_actions",
            who_must_not(user, plan.triggered_by, archive.settings.approving),
        )
        for plan in waiting
    ]
