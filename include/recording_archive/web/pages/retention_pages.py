"""Pages of retention: what goes when, the policy in force, and what another policy would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from recording_archive.archive import Archive
from recording_archive.errors import ArchiveError
from recording_archive.retention import policy_in_force
from recording_archive.retention.forecast import forecast
from recording_archive.retention.forecast_figures import Forecast
from recording_archive.retention.rules import Policy
from recording_archive.web.api.retention import Proposal, compared
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.pages import expiry_links
from recording_archive.web.pages.expiry_chart import OutlookChart, draw
from recording_archive.web.problem import Problem
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.retention_plans import waiting_plans
from recording_archive.web.render import page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The forecast of a proposed policy beside the one in force; ``problem`` says why there is none."""

    problem: str | None = None
    forecast: Forecast | None = None
    charts: tuple[OutlookChart, OutlookChart] | None = None


class Pasted(ApiDocument):
    """A policy as it was pasted."""

    policy: str = Field("", max_length=10**6)


Asked = Annotated[str, Query(max_length=60_000)]


@router.get("/retention")
def retention_page(request: Request, archive: ArchiveDep, policy: Asked = "") -> Response:
    """Show what expires when; an address with a policy, as it was once, leads to where that is tried."""
    if policy.strip():
        return RedirectResponse(f"retention/compare?{urlencode({'policy': policy})}")
    forecast, problem = _forecast(archive)
    return page(
        request,
        archive,
        "retention.html",
        forecast=forecast,
        problem=problem,
        chart=draw(forecast.in_force, at=forecast.as_of) if forecast else None,
        links=_links(forecast) if forecast else {},
        waiting=len(waiting_plans(archive)),
    )


@router.get("/retention/policy")
def policy_page(request: Request, archive: ArchiveDep) -> HTMLResponse:
    """Show the policy in force: its days, its rules, and who adopted it when."""
    policy, problem = _policy(archive)
    return page(
        request,
        archive,
        "policy.html",
        policy=policy,
        problem=problem,
        adopted=policy_in_force.adoption(archive.catalog, policy) if policy else None,
        quarantine_days=archive.settings.quarantine_days,
        waiting=len(waiting_plans(archive)),
    )


@router.get("/retention/compare")
def try_policy(request: Request, archive: ArchiveDep, policy: Asked = "") -> HTMLResponse:
    """Show what a policy in the address would do instead of the one in force, of which the form begins as a copy."""
    in_force, _ = _policy(archive)
    return page(
        request,
        archive,
        "policy_try.html",
        asked=policy,
        start=in_force.document.decode() if in_force else "",
        comparison=_compare(archive, policy) if policy.strip() else None,
        waiting=len(waiting_plans(archive)),
    )


@router.post("/retention/compare")
def compare_policies(request: Request, archive: ArchiveDep, pasted: Pasted) -> HTMLResponse:
    """The part of the page that says what a pasted policy would do; nothing is changed."""
    shown = _compare(archive, pasted.policy) if pasted.policy.strip() else None
    return page(request, archive, "policy_compare.html", comparison=shown)


def _links(forecast: Forecast) -> dict[str, str]:
    """Addresses of what the cards of a forecast count."""
    at, last = forecast.as_of, forecast.in_force.months[-1].month
    return {
        "due": expiry_links.expired(at, verified="ok"),
        "unverified": expiry_links.expired(at, verified="failed"),
        "quarantined": expiry_links.in_quarantine(at, expired=True),
        "restorable": expiry_links.in_quarantine(at, expired=False),
        "later": expiry_links.after_month(last),
    }


def _forecast(archive: Archive) -> tuple[Forecast | None, str | None]:
    """The forecast; where the policy cannot be read, why: the rest of the page is shown all the same."""
    try:
        return forecast(archive), None
    except ArchiveError as error:
        return None, str(error)


def _compare(archive: Archive, policy: str) -> Comparison:
    try:
        forecast = compared(archive, Proposal(policy=policy).policy)
    except Problem as problem:
        return Comparison(problem.detail)
    except (ArchiveError, ValueError) as error:
        return Comparison(str(error))
    if forecast.proposed is None:
        raise AssertionError(forecast)
    return Comparison(
        forecast=forecast,
        charts=(draw(forecast.in_force, forecast.proposed), draw(forecast.proposed, forecast.in_force)),
    )


def _policy(archive: Archive) -> tuple[Policy | None, str | None]:
    """The policy in force, or why it cannot be read."""
    try:
        return policy_in_force.in_force(archive), None
    except ArchiveError as error:
        return None, str(error)
