"""REST API: retention plans, their reports, and certificates of deletion."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import ConfigDict, Field

from recording_archive.archive import Archive
from recording_archive.disposition import erasure_request
from recording_archive.disposition.approval import approve
from recording_archive.disposition.certificate import certificate_key
from recording_archive.errors import PermanentError
from recording_archive.model import is_safe_id
from recording_archive.web import access
from recording_archive.web.api.report_files import REPORT_RESPONSES, ReportFormat, send_report
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.certificates import read_certificate
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import After, Limit, Said, Storable, write_cursor
from recording_archive.web.read.retention_plans import PlanPage, PlanRow, list_plans, read_plan
from recording_archive.web.read.run_list import read_dated

router = APIRouter()
RunId = Annotated[str, Path(min_length=1, max_length=250), Storable]
Number = Annotated[str, Path(min_length=1, max_length=100), Storable]


class Approval(ApiDocument):
    """An approval, which names the plan that was seen."""

    model_config = ConfigDict(extra="forbid")

    plan: Annotated[str, Storable] = Field(
        min_length=64, max_length=64, description="SHA-256 of the plan that was seen."
    )


class Rejection(ApiDocument):
    """A rejection, with its reason."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Annotated[str, Storable, Said] = Field(min_length=1, max_length=2000, description="Kept for good.")


@router.get("/retention/runs", response_model=PlanPage)
def show_plans(archive: ArchiveDep, limit: Limit = 50, after: After = None) -> PlanPage:
    """Plans of enforce_retention and erasures, newest first, with what became of them and who approved."""
    items, following = list_plans(archive, limit=limit, after=read_dated(after))
    return PlanPage(items=items, next=write_cursor(following))


@router.get("/retention/runs/{run_id}", response_model=PlanRow, responses=problems(404))
def show_plan(archive: ArchiveDep, run_id: RunId) -> PlanRow:
    """One plan."""
    return find_plan(archive, run_id)


@router.get("/retention/runs/{run_id}/report", response_class=Response, responses=REPORT_RESPONSES)
def fetch_retention_report(
    request: Request, archive: ArchiveDep, run_id: RunId, format: ReportFormat = ReportFormat.JSON
) -> Response:
    """The retention report, byte for byte as it lies in the archive."""
    return send_report(request, archive, find_plan(archive, run_id).report_key, run_id, format)


@router.get(
    "/certificates/{number}",
    responses=problems(404) | {200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def show_certificate(archive: ArchiveDep, number: Number) -> dict[str, Any]:
    """Show a certificate: the deleted parts, when, why, by which policy and by whose approval."""
    return find_certificate(archive, number)


@router.post(
    "/retention/runs/{run_id}/approve",
    response_model=PlanRow,
    responses=problems(404, 409, 415),
    dependencies=[Depends(access.decide)],
)
def approve_request(request: Request, archive: ArchiveDep, run_id: RunId, agreed: Approval) -> PlanRow:
    """Approve a request of erasure that somebody else entered; the next run of enforce_retention carries it out."""
    find_plan(archive, run_id)
    try:
        erasure_request.required_request(archive, run_id)
        approve(archive, run_id, plan_sha256=agreed.plan, actor=access.user_name(request))
    except PermanentError as error:
        raise Problem(409, "It cannot be approved", str(error)) from error
    return find_plan(archive, run_id)


@router.post(
    "/retention/runs/{run_id}/reject",
    response_model=PlanRow,
    responses=problems(404, 409, 415),
    dependencies=[Depends(access.decide)],
)
def reject_request(request: Request, archive: ArchiveDep, run_id: RunId, refused: Rejection) -> PlanRow:
    """Reject a request of erasure, or withdraw one's own: nothing is erased, and its report says who refused."""
    find_plan(archive, run_id)
    try:
        erasure_request.reject(archive, run_id, reason=refused.reason, actor=access.user_name(request))
    except PermanentError as error:
        raise Problem(409, "It cannot be rejected", str(error)) from error
    return find_plan(archive, run_id)


def find_plan(archive: Archive, run_id: str) -> PlanRow:
    """The plan of a run; raise Problem (404) where there is none."""
    if plan := read_plan(archive, run_id):
        return plan
    raise Problem(404, "There is no such plan", "GET api/retention/runs lists those there are.")


def find_certificate(archive: Archive, number: str) -> dict[str, Any]:
    """The certificate of this number as it lies in the archive; raise Problem where it does not, or cannot be read."""
    if not is_safe_id(number) or archive.store.size(certificate_key(number)) is None:
        raise Problem(404, "There is no such certificate", "A deleted recording names its certificate.")
    document, problem = read_certificate(archive, number)
    if document is None:
        raise Problem(500, "The certificate cannot be read", problem or "")
    return document
