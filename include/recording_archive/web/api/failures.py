"""REST API: recordings that could not be archived, and the decision to accept that."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, Field, StringConstraints

from recording_archive.archiving import acknowledge as decisions
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep, note_access
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.details import NEVER_LISTED, NOT_VISIBLE
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.failures import Cause, Failing, causes, every_failure, list_failures
from recording_archive.web.read.filters import After, Limit, Said, Storable, Text, write_cursor
from recording_archive.web.read.list_files import LIST_TYPES, ListFormat, begun, send_list
from recording_archive.web.read.recording_documents import Decided, RecordingPage, RecordingRow
from recording_archive.web.read.recording_rows import to_rows
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.viewer import ViewerDep, decidable

router = APIRouter()


class Acknowledgement(ApiDocument):
    """A decision: these failures are accepted. Without a recording: all of the interaction."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    interaction_id: Annotated[str, Storable] = Field(min_length=1, max_length=200)
    recording_id: Annotated[str, StringConstraints(max_length=200), Storable] | None = None
    part: int | None = Field(None, ge=0, lt=2**31)
    reason: Annotated[str, Storable, Said] = Field(min_length=1, max_length=2000, description="Kept for good.")


class Acknowledged(ApiDocument):
    """The answer for each part of the interaction."""

    parts: list[Decided]


OfCause = Annotated[Text, Query(description="A wording of `causes`; where it has … anything may stand.")]


class FailurePage(RecordingPage):
    """A page of failures. ``causes`` counts those of up to 5,000, on the first page alone."""

    causes: list[Cause]


@router.get("/failures", response_model=FailurePage, responses=LIST_TYPES)
def show_failures(
    request: Request,
    archive: ArchiveDep,
    seen: ViewerDep,
    *,
    kind: Failing = Failing.DECISION,
    cause: OfCause = None,
    limit: Limit = 50,
    after: After = None,
    format: ListFormat = ListFormat.PAGE,
) -> Any:
    """Recordings that could not be archived: those that need a decision, are tried again, or are acknowledged."""
    if format is not ListFormat.PAGE:
        pages = every_failure(archive, kind, seen.sees, cause=cause)
        rows = begun(row for each in pages for row in to_rows(archive, each))
        detail = {"list": "failures", "format": format}
        note_access(archive, "exported", None, access.user_name(request), detail)
        return send_list(RecordingRow, rows, format, "failures")
    page = list_failures(archive, kind, seen.sees, limit=limit, after=read_dated(after), cause=cause)
    counted = causes(archive, kind, seen.sees) if after is None else []
    return FailurePage(items=to_rows(archive, page.rows), next=write_cursor(page.next), causes=counted)


@router.post(
    "/failures/acknowledge",
    response_model=Acknowledged,
    responses=problems(404, 409, 415),
    dependencies=[Depends(access.decide)],
)
def acknowledge(request: Request, archive: ArchiveDep, seen: ViewerDep, decision: Acknowledgement) -> Acknowledged:
    """Accept the failures of an interaction: no run takes them up again unless the source lists them anew."""
    why, user = decision.reason, access.user_name(request)
    named = (decision.interaction_id, decision.recording_id or None, decision.part)
    made = [
        each
        for interaction, recording, part in decidable(archive, seen, *named)
        for each in decisions.acknowledge(archive, interaction, reason=why, actor=user, recording=recording, part=part)
    ]
    if not made:
        raise Problem(404, "Not in the catalog", NEVER_LISTED if seen.sees.everything else NOT_VISIBLE)
    parts = [Decided(**each.part._asdict(), refused=each.refused) for each in made]
    if all(each.refused for each in made):
        why = "; ".join(f"{each.part}: {each.refused}" for each in made)
        raise Problem(409, "Nothing to acknowledge", why)
    return Acknowledged(parts=parts)
