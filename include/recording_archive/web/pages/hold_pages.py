"""Pages of legal holds: the list, one hold, and the form that shows what a new one would hold before it is made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import HTMLResponse

from recording_archive import holds
from recording_archive.web.access import MayDecide, user_name
from recording_archive.web.api.holds import HoldState, find_hold, page_of
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.filters import After
from recording_archive.web.read.hold_documents import to_details, to_hold
from recording_archive.web.read.hold_preview import FIELDS, preview, rows_of
from recording_archive.web.read.papers import paper_of_hold
from recording_archive.web.render import page

PAGE = 50

router = APIRouter(prefix="/holds", include_in_schema=False, default_response_class=HTMLResponse)


@router.get("")
def holds_page(
    request: Request,
    archive: ArchiveDep,
    may_decide: MayDecide,
    state: HoldState = HoldState.ACTIVE,
    after: After = None,
) -> HTMLResponse:
    """The holds in force, or all there ever were."""
    active = state is HoldState.ACTIVE
    found, following = page_of(archive, active=active, limit=PAGE, after=after)
    return page(
        request,
        archive,
        "holds.html",
        holds=[to_hold(hold) for hold in found],
        active=active,
        unused=not found and not holds.find(archive, limit=1),
        next=following,
        later=after is not None,
        may_decide=may_decide,
        zone=archive.settings.zone,
    )


@router.get("/new")
def new_hold_page(request: Request, archive: ArchiveDep, may_decide: MayDecide) -> HTMLResponse:
    """The form for a new hold; with fields in the address, what it would hold."""
    given = {name: request.query_params.get(name, "") for name in FIELDS}
    shown = preview(archive, given) if any(text.strip() for text in given.values()) else None
    zone = archive.settings.timezone
    return page(request, archive, "hold_new.html", asked=given, preview=shown, may_decide=may_decide, zone=zone)


@router.post("/preview")
def preview_hold(request: Request, archive: ArchiveDep, typed: Annotated[dict[str, str], Body()]) -> HTMLResponse:
    """The part of the form's page that says what such a hold would hold; nothing is made."""
    return page(request, archive, "hold_preview.html", preview=preview(archive, typed))


@router.get("/{hold_id}")
def hold_page(
    request: Request, archive: ArchiveDep, hold_id: str, may_decide: MayDecide, made: bool = False
) -> HTMLResponse:
    """One hold: what it covers, what it holds now, and its release."""
    hold = find_hold(archive, hold_id)
    effect = holds.effect(archive, hold)
    return page(
        request,
        archive,
        "hold.html",
        hold=to_details(archive, hold, effect),
        examples=rows_of(archive, effect.examples),
        may_decide=may_decide,
        paper=paper_of_hold(archive, user_name(request), hold.id, released=hold.released_at is not None),
        made=made and hold.released_at is None,
        zone=archive.settings.zone,
    )
