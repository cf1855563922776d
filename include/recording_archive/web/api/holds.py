"""The part of the REST API about legal holds: what must stay, whatever its age, until someone lets it go."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ConfigDict, Field

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.search import Position
from recording_archive.errors import ConfigurationError
from recording_archive.locks.of_hold import follow_hold
from recording_archive.model import PartId
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep, note_access
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import After, Limit, Said, Storable, read_cursor, write_cursor
from recording_archive.web.read.hold_documents import (
    HoldDetails,
    HoldPage,
    HoldRow,
    NewHold,
    read_criteria,
    to_details,
    to_hold,
)
from recording_archive.web.read.list_files import LIST_TYPES, ListFormat, begun, send_list

router = APIRouter(prefix="/holds")

HoldId = Annotated[str, Path(min_length=1, max_length=100), Storable]
_EXPORT_PAGE = 500
_LOCKED_AT_ONCE = 200  # recordings whose locks in a bucket an answer waits for; verify_archive does the rest


class HoldState(StrEnum):
    """The holds that a list has."""

    ACTIVE = "active"
    ALL = "all"


Which = Annotated[HoldState, Query(description="Those that hold now, or all there ever were.")]


class Release(ApiDocument):
    """Why a hold ends."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: Annotated[str, Storable, Said] = Field(min_length=1, max_length=2000, description="Kept for good.")


@router.get("", response_model=HoldPage, responses=LIST_TYPES)
def list_holds(
    request: Request,
    archive: ArchiveDep,
    *,
    state: Which = HoldState.ALL,
    limit: Limit = 50,
    after: After = None,
    format: ListFormat = ListFormat.PAGE,
) -> Any:
    """Legal holds, newest first."""
    active = state is HoldState.ACTIVE
    if format is not ListFormat.PAGE:
        rows = begun(_all(archive, active=active))
        note_access(archive, "exported", None, access.user_name(request), {"list": "holds", "format": format})
        return send_list(HoldRow, rows, format, "holds")
    found, following = page_of(archive, active=active, limit=limit, after=after)
    return HoldPage(items=[to_hold(hold) for hold in found], next=following)


@router.post(
    "",
    status_code=201,
    response_model=HoldDetails,
    responses=problems(415),
    dependencies=[Depends(access.decide)],
)
def create_hold(request: Request, archive: ArchiveDep, wanted: NewHold) -> HoldDetails:
    """Put on hold what is there and what is still to come. Answered when the hold's document lies in the archive."""
    criteria = read_criteria(archive, wanted)
    try:
        made, effect = holds.create(
            archive,
            matter=wanted.matter,
            reason=wanted.reason,
            criteria=criteria,
            actor=access.user_name(request),
        )
    except ConfigurationError as error:
        raise Problem(400, "The request is malformed", str(error)) from error
    follow_hold(archive, made, most=_LOCKED_AT_ONCE)
    return to_details(archive, made, effect)


@router.get("/{hold_id}", response_model=HoldDetails, responses=problems(404))
def show_hold(archive: ArchiveDep, hold_id: HoldId) -> HoldDetails:
    """A hold, and what it holds now."""
    hold = find_hold(archive, hold_id)
    return to_details(archive, hold, holds.effect(archive, hold))


@router.post(
    "/{hold_id}/release",
    response_model=HoldRow,
    responses=problems(404, 409, 415),
    dependencies=[Depends(access.decide)],
)
def release_hold(request: Request, archive: ArchiveDep, hold_id: HoldId, decision: Release) -> HoldRow:
    """End a hold: what no other hold holds is subject to the policy again, from the next run on."""
    hold = find_hold(archive, hold_id)
    try:
        released = holds.release(archive, hold.id, reason=decision.reason, actor=access.user_name(request))
    except ConfigurationError as error:
        raise Problem(409, "This hold cannot be released", str(error)) from error
    follow_hold(archive, released, most=_LOCKED_AT_ONCE)
    return to_hold(released)


def page_of(archive: Archive, *, active: bool, limit: int, after: str | None) -> tuple[list[holds.Hold], str | None]:
    """The next holds after a cursor, and the cursor of those that follow."""
    found = holds.find(archive, active=active, limit=limit + 1, after=_read_last(archive, after))
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], write_cursor(Position(last.created_at, PartId(last.id, "")))


def find_hold(archive: Archive, hold_id: str) -> holds.Hold:
    """The hold of this id; raise Problem (404) where there is none."""
    try:
        return holds.read(archive, hold_id)
    except ConfigurationError as error:
        raise Problem(404, "There is no such hold", "GET api/holds lists those there are.") from error


def _read_last(archive: Archive, cursor: str | None) -> holds.Hold | None:
    """The hold after which a page begins."""
    position = read_cursor(cursor)
    try:
        return holds.read(archive, position.part.interaction_id) if position else None
    except ConfigurationError as error:
        raise Problem(400, "The cursor is malformed", "after: it is of another list.") from error


def _all(archive: Archive, *, active: bool) -> Iterator[HoldRow]:
    """Every hold, page by page."""
    last: holds.Hold | None = None
    while found := holds.find(archive, active=active, limit=_EXPORT_PAGE, after=last):
        yield from map(to_hold, found)
        last = found[-1]
