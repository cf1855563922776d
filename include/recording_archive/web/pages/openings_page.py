"""The page of what was opened to whom by breaking the glass."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from recording_archive.web.access import MayDecide
from recording_archive.web.api.openings import list_openings
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.render import page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/openings")
def openings_page(request: Request, archive: ArchiveDep, may_decide: MayDecide) -> HTMLResponse:
    """Show who opened which calls, why, and until when; for those who may see all recordings."""
    return page(request, archive, "openings.html", openings=list_openings(archive), may_decide=may_decide)
