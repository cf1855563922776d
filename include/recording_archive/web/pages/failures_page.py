"""Page of the recordings that could not be archived: by cause, to be tried again or accepted, many at once."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from recording_archive.web.access import MayDecide
from recording_archive.web.api.failures import OfCause
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.failures import Failing, causes, count_failures, list_failures
from recording_archive.web.read.filters import After, write_cursor
from recording_archive.web.read.recording_rows import to_rows
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.render import page
from recording_archive.web.viewer import ViewerDep

PAGE = 100
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/failures")
def failures_page(
    request: Request,
    archive: ArchiveDep,
    may_decide: MayDecide,
    seen: ViewerDep,
    *,
    kind: Failing | None = None,
    cause: OfCause = None,
    after: After = None,
) -> HTMLResponse:
    """Show failures of one kind: by default those that need a decision, else those that runs try again."""
    counts = {each: count_failures(archive, each, seen.sees) for each in Failing}
    waiting = counts[Failing.DECISION] or not counts[Failing.RETRYING]
    shown = kind or (Failing.DECISION if waiting else Failing.RETRYING)
    found = list_failures(archive, shown, seen.sees, limit=PAGE, after=read_dated(after), cause=cause)
    asked = {"kind": shown.value} | ({"cause": cause} if cause else {})
    return page(
        request,
        archive,
        "failures.html",
        kind=shown,
        counts=counts,
        causes=causes(archive, shown, seen.sees),
        cause=cause,
        query=urlencode(asked),
        rows=to_rows(archive, found.rows),
        next=write_cursor(found.next),
        later=after is not None,
        retry_days=archive.settings.retry_days,
        may_decide=may_decide,
    )
