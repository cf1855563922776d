"""The statement of coverage: each day of a range, and how it stands, to be shown and printed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from recording_archive.archiving.completeness import DayState
from recording_archive.web import access
from recording_archive.web.api.figures import First, Last
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.coverage import read_coverage
from recording_archive.web.read.papers import paper_of_coverage
from recording_archive.web.render import page
from recording_archive.web.wording.days import STATES

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/coverage")
def coverage_page(request: Request, archive: ArchiveDep, first: First = None, last: Last = None) -> HTMLResponse:
    """Show the days from ``from`` to ``to``, by default the last 92."""
    coverage = read_coverage(archive, first, last)
    short = [day for day in coverage.days if day.state is not DayState.COMPLETE]
    paper = paper_of_coverage(archive, access.user_name(request), coverage)
    return page(request, archive, "coverage.html", coverage=coverage, open=short, states=STATES, paper=paper)
