"""Pages of retention: what goes when, what another policy would do, what went and who agreed, and certificates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from recording_archive.archive import Archive
from recording_archive.disposition.approval import who_must_not
from recording_archive.errors import ArchiveError
from recording_archive.retention.forecast import forecast
from recording_archive.retention.forecast_figures import Forecast
from recording_archive.web import access
from recording_archive.web.api.disposition import find_certificate, find_plan
from recording_archive.web.api.retention import Proposal, compared
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.pages.expiry_chart import OutlookChart, draw
from recording_archive.web.problem import Problem
from recording_archive.web.read.document import ApiDocument
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """The forecast of a proposed policy beside the one in force; ``problem`` says why there is none."""

    problem: str | None = None
    told: Forecast | None = None
    charts: tuple[OutlookChart, OutlookChart] | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A plan that waits for a person: it is answered in Airflow at ``address``, or here by who ``may_decide``.

    ``not_by_me`` says why the signed-in user may not approve it.
    """

    plan: PlanRow
    may_decide: bool
    address: str | None
    not_by_me: str | None


class Pasted(ApiDocument):
    """A policy as it was pasted."""

    policy: str = Field("", max_length=10**6)


@router.get("/retention")
def retention_page(
    request: Request,
    archive: ArchiveDep,
    may_decide: access.MayDecide,
    policy: Annotated[str, Query(max_length=60_000)] = "",
) -> HTMLResponse:
    """Show what expires when; with a policy in the address, what it would do instead."""
    told, problem = _forecast(archive)
    plans, following = list_plans(archive, limit=PLANS)
    return page(
        request,
        archive,
        "retention.html",
        told=told,
        problem=problem,
        chart=draw(told.in_force) if told else None,
        asked=policy,
        comparison=_compare(archive, policy) if policy.strip() else None,
        plans=plans,
        next=write_cursor(following),
        approvals=_approvals(request, archive, waiting_plans(archive), may_decide=may_decide),
    )


@router.post("/retention/compare")
def compare_policies(request: Request, archive: ArchiveDep, pasted: Pasted) -> HTMLResponse:
    """The part of the page that says what a pasted policy would do; nothing is changed."""
    shown = _compare(archive, pasted.policy) if pasted.policy.strip() else None
    return page(request, archive, "policy_compare.html", comparison=shown)


@router.get("/retention/runs")
def plans_page(request: Request, archive: ArchiveDep, after: After = None) -> HTMLResponse:
    """All plans, newest first."""
    plans, following = list_plans(archive, limit=PLANS, after=read_dated(after))
    return page(request, archive, "plans.html", plans=plans, next=write_cursor(following), later=after is not None)


@router.get("/retention/runs/{run_id}")
def plan_page(
    request: Request,
    archive: ArchiveDep,
    may_decide: access.MayDecide,
    run_id: str,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> HTMLResponse:
    """One plan: what it does with which recording, and what became of it."""
    return show_plan(request, archive, find_plan(archive, run_id), may_decide=may_decide, after=after)


@router.get("/certificates/{number}")
def certificate_page(request: Request, archive: ArchiveDep, number: str) -> HTMLResponse:
    """The certificate of a deletion, as it lies in the archive."""
    document = find_certificate(archive, number)
    paper = paper_of_certificate(archive, access.user_name(request), number, document)
    return page(request, archive, "certificate.html", number=number, document=document, paper=paper)


def show_plan(
    request: Request, archive: Archive, plan: PlanRow, *, may_decide: bool = False, after: int = 0, in_tab: bool = False
) -> HTMLResponse:
    """A plan as a page of its own, or as the tab on its DAG run."""
    rows, following = list_dispositions(archive, plan.run_id, after=after)
    waiting = [plan] if plan.waits_for_approval else []
    return page(
        request,
        archive,
        "plan.html",
        plan=plan,
        rows=rows,
        actions=_ACTIONS,
        following=following,
        later=after > 0,
        in_tab=in_tab,
        paper=paper_of_plan(archive, access.user_name(request), plan),
        approvals=_approvals(request, archive, waiting, may_decide=may_decide),
    )


def _forecast(archive: Archive) -> tuple[Forecast | None, str | None]:
    """The forecast; where the policy cannot be read, why: the rest of the page is shown all the same."""
    try:
        return forecast(archive), None
    except ArchiveError as error:
        return None, str(error)


def _compare(archive: Archive, policy: str) -> Comparison:
    try:
        told = compared(archive, Proposal(policy=policy).policy)
    except Problem as problem:
        return Comparison(problem.detail)
    except (ArchiveError, ValueError) as error:
        return Comparison(str(error))
    if told.proposed is None:
        raise AssertionError(told)
    return Comparison(told=told, charts=(draw(told.in_force, told.proposed), draw(told.proposed, told.in_force)))


def _approvals(request: Request, archive: Archive, waiting: Iterable[PlanRow], *, may_decide: bool) -> list[Waiting]:
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
