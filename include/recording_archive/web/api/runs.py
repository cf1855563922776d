"""REST API: runs of `archive_recordings` and their reports."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from recording_archive.archive import Archive
from recording_archive.web.api.report_files import REPORT_RESPONSES, ReportFormat, RunId, send_report
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.archiving_runs import RunDetails, RunPage, list_runs, read_run
from recording_archive.web.read.filters import After, Limit, write_cursor
from recording_archive.web.read.run_list import read_dated

router = APIRouter()


@router.get("/runs", response_model=RunPage)
def show_runs(archive: ArchiveDep, limit: Limit = 50, after: After = None) -> RunPage:
    """The runs, newest first."""
    items, following = list_runs(archive, limit=limit, after=read_dated(after))
    return RunPage(items=items, next=write_cursor(following))


@router.get("/runs/{run_id}", response_model=RunDetails, responses=problems(404))
def show_run(archive: ArchiveDep, run_id: RunId) -> RunDetails:
    """A run with its totals: those of its report, or its books so far."""
    return _run(archive, run_id)


@router.get("/runs/{run_id}/report", response_class=Response, responses=REPORT_RESPONSES)
def fetch_report(
    request: Request,
    archive: ArchiveDep,
    run_id: RunId,
    format: ReportFormat = ReportFormat.JSON,
) -> Response:
    """The compliance report, byte for byte as it lies in the archive."""
    return send_report(request, archive, _run(archive, run_id).report_key, run_id, format)


def _run(archive: Archive, run_id: str) -> RunDetails:
    run = read_run(archive, run_id)
    if run is None:
        raise Problem(404, "There is no such run", "GET api/runs lists those there are.")
    return run
