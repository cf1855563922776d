"""REST API: recordings opened to somebody for a while, by breaking the glass."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field

from recording_archive.access.openings import Opening, end_opening
from recording_archive.errors import PermanentError
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import Said, Storable
from recording_archive.web.viewer import ViewerDep, break_glass, desk

router = APIRouter(prefix="/openings")


class NewOpening(ApiDocument):
    """An interaction to open, why, and for how many hours: at most, and by default, those of the access document."""

    model_config = ConfigDict(extra="forbid")

    interaction_id: Annotated[str, Field(min_length=1, max_length=200), Storable]
    reason: Annotated[str, Field(max_length=2000), Storable, Said]
    hours: Annotated[int, Field(ge=1, le=168)] | None = None


class OpeningEnd(ApiDocument):
    """An interaction to close again, and why; ``user`` is the one to whom it is opened, by default who asks."""

    model_config = ConfigDict(extra="forbid")

    interaction_id: Annotated[str, Field(min_length=1, max_length=200), Storable]
    reason: Annotated[str, Field(max_length=2000), Storable, Said]
    user: Annotated[str, Field(min_length=1, max_length=200), Storable] | None = None


class OpeningRow(ApiDocument):
    """An interaction that ``user`` may see and hear until ``until``, entered by ``by``; ``open``: it has not ended.

    ``endedBy`` ended it early, for ``endReason``.
    """

    interaction_id: str
    user: str
    by: str
    reason: str
    rule: str
    at: datetime
    until: datetime
    ended_by: str | None
    end_reason: str | None
    open: bool


@router.get("", response_model=list[OpeningRow])
def list_openings(archive: ArchiveDep) -> list[OpeningRow]:
    """Openings that are open or ended within 30 days, the newest first."""
    return [to_row(each, archive.clock()) for each in desk.openings(archive)]


@router.post("", response_model=OpeningRow, status_code=201, responses=problems(404, 415))
def open_recordings(request: Request, archive: ArchiveDep, seen: ViewerDep, wanted: NewOpening) -> OpeningRow:
    """Open all recordings of an interaction to oneself: to see and hear, not to fetch; an event names who and why."""
    if not seen.may_open and seen.sees.everything and seen.hears.everything:
        raise Problem(400, "There is nothing to open", "You may see and hear every recording.")
    if not seen.may_open:
        raise Problem(403, "You may not break the glass", "The access document of the archive names who may.")
    try:
        user = request.state.archive_user
        made = break_glass(archive, user, wanted.interaction_id, reason=wanted.reason, hours=wanted.hours)
    except PermanentError as error:
        raise Problem(404, "There is nothing that you may open", str(error)) from error
    return to_row(made, made.at)


@router.post("/end", response_model=list[OpeningRow], responses=problems(404, 415))
def end_openings(
    request: Request, archive: ArchiveDep, seen: ViewerDep, may_decide: access.MayDecide, wanted: OpeningEnd
) -> list[OpeningRow]:
    """End at once what is open of an interaction: to oneself, or to anybody for who may decide about all recordings."""
    actor = access.user_name(request)
    user = wanted.user or actor
    if user != actor and not (seen.sees.everything and may_decide):
        raise Problem(403, "You may not end this", "Who may decide about all recordings ends what others opened.")
    try:
        ended = end_opening(archive, wanted.interaction_id, user=user, reason=wanted.reason, actor=actor)
    except PermanentError as error:
        raise Problem(404, "There is nothing open to end", str(error)) from error
    return [to_row(each, archive.clock()) for each in ended]


def to_row(opening: Opening, now: datetime) -> OpeningRow:
    """An opening as API and pages show it."""
    names = OpeningRow.model_fields.keys() - {"open"}
    return OpeningRow(**{name: getattr(opening, name) for name in names}, open=opening.is_open(now))
