"""Pages of fixity: when recordings were last read through, what the runs found, and what needs a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from recording_archive.archive import Archive
from recording_archive.web.api.fixity import find_fixity_run
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.filters import After, write_cursor
from recording_archive.web.read.fixity_runs import FixityRun, list_fixity_runs, list_readings
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.read.verification import read_verification
from recording_archive.web.render import page
from recording_archive.web.wording.terms import VERIFICATION_AGES

RUNS = 25
_FINDINGS = (
    ("sound", "sound", "good"),
    ("repaired", "repaired", "warn"),
    ("bad", "damaged: a person must look", "bad"),
    ("absent", "asked for, not in the archive", "warn"),
    ("gone", "left the archive meanwhile", ""),
    ("stray", "unknown files", "warn"),
)

router = APIRouter(prefix="/fixity", include_in_schema=False, default_response_class=HTMLResponse)


@router.get("")
def fixity_page(request: Request, archive: ArchiveDep, after: After = None) -> HTMLResponse:
    """Show how fresh the proof is, and what the runs found."""
    runs, following = list_fixity_runs(archive, limit=RUNS, after=read_dated(after))
    return page(
        request,
        archive,
        "fixity.html",
        verification=read_verification(archive),
        ages=VERIFICATION_AGES,
        runs=runs,
        next=write_cursor(following),
        later=after is not None,
        verify_days=archive.settings.verify_days,
    )


@router.get("/runs/{run_id}")
def fixity_run_page(
    request: Request, archive: ArchiveDep, run_id: str, after: Annotated[int, Query(ge=0, lt=2**63)] = 0
) -> HTMLResponse:
    """One run: what it read, what it found, and what it could not repair."""
    return show_fixity_run(request, archive, find_fixity_run(archive, run_id), after=after)


def show_fixity_run(
    request: Request, archive: Archive, run: FixityRun, *, after: int = 0, in_tab: bool = False
) -> HTMLResponse:
    """A run as a page of its own, or as the tab on its DAG run."""
    found, following = list_readings(archive, run.run_id, after=after)
    return page(
        request,
        archive,
        "fixity_run.html",
        run=run,
        found=found,
        findings=_FINDINGS,
        following=following,
        later=after > 0,
        in_tab=in_tab,
    )
