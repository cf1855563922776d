"""Page of the recordings that could not be archived."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from recording_archive.web.access import MayDecide
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.failures import Failing, list_failures
from recording_archive.web.read.recording_rows import to_rows
from recording_archive.web.render import page
from recording_archive.web.viewer import ViewerDep

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/failures")
def failures_page(request: Request, archive: ArchiveDep, may_decide: MayDecide, seen: ViewerDep) -> HTMLResponse:
    """Show the failures: first those that need a decision, then those that runs try again."""
    undecided, retried = (
        list_failures(archive, kind, seen.sees, limit=200) for kind in (Failing.DECISION, Failing.RETRYING)
    )
    return page(
        request,
        archive,
        "failures.html",
        undecided_rows=to_rows(archive, undecided.rows),
        retried_rows=to_rows(archive, retried.rows),
        more_undecided=undecided.next is not None,
        more_retried=retried.next is not None,
        retry_days=archive.settings.retry_days,
        may_decide=may_decide,
    )
