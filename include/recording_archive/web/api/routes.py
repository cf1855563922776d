"""All routes of the REST API below ``/archive/api``, and its description.

Every error is a problem document. Every list has pages without a cap: ``next`` of one is ``after`` of the following.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from recording_archive.web.api import (
    disposition,
    evidence,
    failures,
    figures,
    fixity,
    holds,
    listening,
    metrics,
    openings,
    ready_packs,
    recordings,
    retention,
    runs,
)
from recording_archive.web.openapi import describe, problems
from recording_archive.web.viewer import viewer

router = APIRouter(prefix="/api", responses=problems())
for _part in (
    runs,
    failures,
    figures,
    holds,
    retention,
    disposition,
    fixity,
    evidence,
    ready_packs,
    metrics,
    openings,
    listening,
    recordings,
):
    router.include_router(_part.router)


@router.get("/openapi.json", include_in_schema=False, dependencies=[Depends(viewer)])  # it tells of no recording
def show_description(request: Request) -> JSONResponse:
    """The API's own description, for programs that read such."""
    return JSONResponse(describe(request))
