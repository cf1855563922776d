"""REST API: runs of `verify_archive` and their reports."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from recording_archive.archive import Archive
from recording_archive.web.api.disposition import (
    RunId,
)
from recording_archive.web.api.report_files import REPORT_RESPONSES, ReportFormat, send_report
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.filters import After, Limit, write_cursor
from recording_archive.web.read.fixity_runs import FixityPage, FixityRun, list_fixity_runs, read_fixity_run
from recording_archive.web.read.run_list import read_dated

router = APIRouter()


@router.get("/fixity/runs", response_model=FixityPage)
def show_fixity_runs(archive: ArchiveDep, limit: Limit = 50, after: After = None) -> FixityPage:
    """Runs of verify_archive, newest first, with what they found."""
    items, following = list_fixity_runs(archive, limit=limit, after=read_dated(after))
    return FixityPage(items=items, next=write_cursor(following))


@router.get("/fixity/runs/{run_id}", response_model=FixityRun, responses=problems(404))
def show_fixity_run(archive: ArchiveDep, run_id: RunId) -> FixityRun:
    """One run of verify_archive."""
    return find_fixity_run(archive, run_id)


@router.get("/fixity/runs/{run_id}/report", response_class=Response, responses=REPORT_RESPONSES)
def fetch_fixity_report(
    request: Request, archive: ArchiveDep, run_id: RunId, format: ReportFormat = ReportFormat.JSON
) -> Response:
    """The fixity report, byte for byte as it lies in the archive."""
    return send_report(request, archive, find_fixity_run(archive, run_id).report_key, run_id, format)


def find_fixity_run(archive: Archive, run_id: str) -> FixityRun:
    """A run of verify_archive; raise Problem (404) where there is none."""
    if run := read_fixity_run(archive, run_id):
        return run
    raise Problem(404, "There is no such run", "GET api/fixity/runs lists those there are.")
