"""The part of the REST API about the books: runs and reports, failures and decisions, figures, coverage."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from recording_archive.archive import Archive
from recording_archive.archiving import acknowledge as decisions
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.days import read_coverage
from recording_archive.web.read.failures import Failing, list_failures
from recording_archive.web.read.figure_rows import Coverage, Statistics
from recording_archive.web.read.figures import read_statistics
from recording_archive.web.read.filters import After, Limit, Storable, write_cursor
from recording_archive.web.read.history import list_runs, read_run
from recording_archive.web.read.rows import ApiDocument, Decided, RecordingPage, RunDetails, RunPage
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.read.standing import to_rows
from recording_archive.web.report_files import REPORT_RESPONSES, ReportFormat, send_report

router = APIRouter()

RunId = Annotated[str, Path(min_length=1, max_length=250), Storable]
First = Annotated[date | None, BeforeValidator(lambda value: value or None), Query(alias="from")]
Last = Annotated[date | None, BeforeValidator(lambda value: value or None), Query(alias="to")]


class Acknowledgement(ApiDocument):
    """A decision: these failures are accepted. Without a recording: all of the interaction."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    interaction_id: Annotated[str, Storable] = Field(min_length=1, max_length=200)
    recording_id: Annotated[str, StringConstraints(max_length=200), Storable] | None = None
    part: int | None = Field(None, ge=0, lt=2**31)
    reason: Annotated[str, Storable] = Field(min_length=1, max_length=2000, description="Kept for good.")


class Acknowledged(ApiDocument):
    """What became of each part of the interaction."""

    parts: list[Decided]


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


@router.get("/failures", response_model=RecordingPage)
def show_failures(
    archive: ArchiveDep, kind: Failing = Failing.DECISION, limit: Limit = 50, after: After = None
) -> RecordingPage:
    """Recordings that could not be archived: those that need a decision, are tried again, or are acknowledged."""
    page = list_failures(archive, kind, limit=limit, after=read_dated(after))
    return RecordingPage(items=to_rows(archive, page.rows), next=write_cursor(page.next))


@router.post(
    "/failures/acknowledge",
    response_model=Acknowledged,
    responses=problems(404, 409, 415),
    dependencies=[Depends(access.decide)],
)
def acknowledge(request: Request, archive: ArchiveDep, decision: Acknowledgement) -> Acknowledged:
    """Accept the failures of an interaction: no run takes them up again unless the source lists them anew."""
    made = decisions.acknowledge(
        archive,
        decision.interaction_id,
        reason=decision.reason,
        actor=access.user_name(request),
        recording=decision.recording_id or None,
        part=decision.part,
    )
    if not made:
        raise Problem(404, "Not in the catalog", "No recording of this name was ever listed by the source.")
    parts = [Decided(**each.part._asdict(), refused=each.refused) for each in made]
    if all(each.refused for each in made):
        why = "; ".join(f"{each.part}: {each.refused}" for each in made)
        raise Problem(409, "Nothing to acknowledge", why)
    return Acknowledged(parts=parts)


@router.get("/statistics", response_model=Statistics)
def show_statistics(archive: ArchiveDep, first: First = None, last: Last = None) -> Statistics:
    """The archive in figures; by day for up to 400 days, by default the last 30."""
    return read_statistics(archive, first, last)


@router.get("/coverage", response_model=Coverage)
def show_coverage(archive: ArchiveDep, first: First = None, last: Last = None) -> Coverage:
    """Of each day: complete, gap, or nothing expected; by default the last 92."""
    return read_coverage(archive, first, last)


def _run(archive: Archive, run_id: str) -> RunDetails:
    run = read_run(archive, run_id)
    if run is None:
        raise Problem(404, "There is no such run", "GET api/runs lists those there are.")
    return run
