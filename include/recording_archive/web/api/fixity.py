"""REST API: runs of `verify_archive` and their reports."""

from __future__ import annotations

from datetime import datetime
from threading import BoundedSemaphore
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import ConfigDict, Field
from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import is_named
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import Visible, only
from recording_archive.fixity.verdict import absence, is_stored
from recording_archive.fixity.verify import verify_one
from recording_archive.model import PartId
from recording_archive.web import access
from recording_archive.web.api.disposition import (
    RunId,
)
from recording_archive.web.api.report_files import REPORT_RESPONSES, ReportFormat, send_report
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.details import NEVER_LISTED, NOT_VISIBLE
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import After, Limit, Storable, write_cursor
from recording_archive.web.read.fixity_runs import FixityPage, FixityRun, list_fixity_runs, read_fixity_run
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.viewer import ViewerDep

router = APIRouter()

MOST_BYTES = 2 * 10**9
"""Stored bytes of a recording that is read while somebody waits: some seconds."""

_Id = Annotated[str, Path(min_length=1, max_length=200), Storable]
_AT_ONCE = BoundedSemaphore(1)  # the disk and the processor are Airflow's as well


class Verifying(ApiDocument):
    """The part of a recording that is to be read."""

    model_config = ConfigDict(extra="forbid")

    part: int = Field(0, ge=0, lt=2**31)


class Verdict(ApiDocument):
    """The result of a reading: ``problem`` is None where every byte is as it was archived."""

    verified_at: datetime
    problem: str | None


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


@router.post(
    "/recordings/{interaction_id}/{recording_id}/verify",
    response_model=Verdict,
    responses=problems(404, 409, 415, 503),
)
def verify_recording(
    request: Request,
    archive: ArchiveDep,
    seen: ViewerDep,
    interaction_id: _Id,
    recording_id: _Id,
    *,
    wanted: Verifying,
) -> Verdict:
    """Read one part to its last byte now; the verdict is an event that names who asked."""
    row = _stored(archive, seen.sees, PartId(interaction_id, recording_id, wanted.part))
    if not _AT_ONCE.acquire(blocking=False):
        raise Problem(503, "Another recording is being read", "Ask again in a moment.", headers={"Retry-After": "5"})
    try:
        verified = verify_one(archive, row, access.user_name(request))
    finally:
        _AT_ONCE.release()
    if verified is None:
        raise Problem(409, "It left the archive while it was read")
    return Verdict(verified_at=archive.clock(), problem=verified.problem)


def _stored(archive: Archive, visible: Visible, part: PartId) -> Row[Any]:
    """The row of a part that can be read now; raise Problem for any other."""
    with archive.catalog.read() as connection:
        wanted = (is_named(recordings, *part), *only(connection, visible))
        row = connection.execute(select(recordings).where(*wanted)).first()
    if row is None:
        raise Problem(404, "Not in the catalog", NEVER_LISTED if visible.everything else NOT_VISIBLE)
    if not is_stored(row):
        raise Problem(409, "There is nothing to read", f"{absence([row])}.")
    if row.stored_bytes > MOST_BYTES:
        detail = "Trigger verify_archive with this interaction, or run recording-archive verify."
        raise Problem(409, "It is too large to be read while you wait", detail)
    return row


def find_fixity_run(archive: Archive, run_id: str) -> FixityRun:
    """A run of verify_archive; raise Problem (404) where there is none."""
    if run := read_fixity_run(archive, run_id):
        return run
    raise Problem(404, "There is no such run", "GET api/fixity/runs lists those there are.")
