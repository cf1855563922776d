"""The part of the REST API about retention: what goes when, by which policy, and what went; and the way back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, ConfigDict, Field

from recording_archive.archive import Archive
from recording_archive.disposition import quarantine
from recording_archive.errors import ConfigurationError
from recording_archive.retention import policy_in_force
from recording_archive.retention.forecast import forecast
from recording_archive.retention.forecast_figures import Forecast
from recording_archive.retention.policy_document import read_policy
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.details import NEVER_LISTED, NOT_VISIBLE
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import Said, Storable
from recording_archive.web.read.recording_documents import Decided
from recording_archive.web.viewer import ViewerDep, decidable

router = APIRouter()

MOST_MONTHS = 120
Months = Annotated[int, Query(ge=1, le=MOST_MONTHS, description="How far to look ahead.")]
Moment = Annotated[AwareDatetime | None, Query(alias="asOf", description="As if it were then; by default now.")]
_Id = Annotated[str, Path(min_length=1, max_length=200), Storable]
_OBJECT: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


class Proposal(ApiDocument):
    """A policy that is not in force: the text of its document, YAML or JSON."""

    model_config = ConfigDict(extra="forbid")

    policy: Annotated[str, Storable] = Field(min_length=1, max_length=10**6)
    months: int = Field(24, ge=1, le=MOST_MONTHS)


class Restoring(ApiDocument):
    """Why a quarantined recording is not to be deleted. Without a part: all of the recording."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Annotated[str, Storable, Said] = Field(min_length=1, max_length=2000, description="Kept for good.")
    part: int | None = Field(None, ge=0, lt=2**31)


class Restored(ApiDocument):
    """The answer for each part of the recording."""

    parts: list[Decided]


@router.get("/retention/forecast", responses=_OBJECT | problems())
def show_forecast(archive: ArchiveDep, months: Months = 24, as_of: Moment = None) -> dict[str, Any]:
    """Forecast the policy in force: what expires at once and in each month, by rule, and what keeps the rest."""
    return forecast(archive, months=months, as_of=as_of).to_json()


@router.post("/retention/forecast", responses=_OBJECT | problems(415))
def compare_policy(archive: ArchiveDep, proposal: Proposal) -> dict[str, Any]:
    """Forecast a proposed policy beside the one in force; nothing is changed."""
    return compared(archive, proposal.policy, months=proposal.months).to_json()


@router.get("/retention/policy", responses=_OBJECT | problems())
def show_policy(archive: ArchiveDep) -> dict[str, Any]:
    """The policy in force, its version and its rules."""
    return policy_in_force.in_force(archive).to_json()


@router.post(
    "/recordings/{interaction_id}/{recording_id}/restore",
    response_model=Restored,
    responses=problems(404, 409, 415),
    dependencies=[Depends(access.decide)],
)
def restore_recording(
    request: Request,
    archive: ArchiveDep,
    seen: ViewerDep,
    interaction_id: _Id,
    recording_id: _Id,
    *,
    decision: Restoring,
) -> Restored:
    """Take a recording out of quarantine, before it is deleted."""
    why, user = decision.reason, access.user_name(request)
    made = [
        each
        for interaction, recording, part in decidable(archive, seen, interaction_id, recording_id, decision.part)
        for each in quarantine.restore(archive, interaction, reason=why, actor=user, recording=recording, part=part)
    ]
    if not made:
        raise Problem(404, "Not in the catalog", NEVER_LISTED if seen.sees.everything else NOT_VISIBLE)
    if all(each.refused for each in made):
        raise Problem(409, "Nothing to restore", "; ".join(f"{each.part}: {each.refused}" for each in made))
    return Restored(parts=[Decided(**each.part._asdict(), refused=each.refused) for each in made])


def compared(archive: Archive, policy: str, *, months: int = 24) -> Forecast:
    """The forecast with a proposed policy beside the one in force; raise Problem (400) for a text that is no policy."""
    try:
        proposed = read_policy(policy.encode(), "the proposed policy")
    except ConfigurationError as error:
        raise Problem(400, "This is no policy", str(error)) from error
    return forecast(archive, proposed, months=months)
