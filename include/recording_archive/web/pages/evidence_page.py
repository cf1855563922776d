"""The page of evidence packs that runs of `export_evidence` have made."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from recording_archive.web import access
from recording_archive.web.api.ready_packs import list_ready
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.render import page

router = APIRouter(
    include_in_schema=False, default_response_class=HTMLResponse, dependencies=[Depends(access.fetch_all)]
)


@router.get("/evidence")
def evidence_page(request: Request, archive: ArchiveDep) -> HTMLResponse:
    """Show the packs that can be fetched, with every part's size and hash."""
    return page(request, archive, "evidence.html", packs=list_ready(archive), days=archive.settings.evidence_days)
