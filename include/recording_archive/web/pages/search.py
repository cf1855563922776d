"""The pages: search, one recording, runs and their reports, failures, overview.

They are rendered from the same functions and rows as the API, so that the two cannot disagree. Every page is a plain
``GET``; what changes something goes through the API.
"""

from __future__ import annotations

import json
import shlex
from datetime import date, timedelta
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from recording_archive.archive import Archive
from recording_archive.catalog.search import Filters, search, unknown_ids
from recording_archive.catalog.timeline import read_timeline
from recording_archive.model import PartId, State, is_safe_id
from recording_archive.web import access
from recording_archive.web.address import NARROW, Address
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.pages import charts, run_pages
from recording_archive.web.read.days import read_coverage
from recording_archive.web.read.details import Absence, read_details
from recording_archive.web.read.failures import Failing, list_failures
from recording_archive.web.read.figures import read_statistics
from recording_archive.web.read.filters import After, Sort, SortBy, read_cursor, read_filters, write_cursor
from recording_archive.web.read.rows import RecordingDetails
from recording_archive.web.read.standing import to_rows
from recording_archive.web.render import page
from recording_archive.web.wording import AGES

PAGE = 50
MONTHS = 6
CHART_DAYS = 30
_STATES = [
    (State.ARCHIVED.value, "Archived"),
    (State.DISCOVERED.value, "Not archived yet"),
    (State.QUARANTINED.value, "Quarantined"),
    (State.PURGED.value, "Purged"),
    (State.ERASED.value, "Erased"),
]
_DAYS = {"complete": "complete", "gap": "gap, some hours were never asked for", "nothing": "nothing expected"}
_SHOWN = frozenset(
    (
        "id",
        "interactionDate",
        "checksum",
        "agentName",
        "queueName",
        "ani",
        "dnis",
        "direction",
        "mediaType",
        "durationMs",
        "division",
    )
)

MayDecide = Annotated[bool, Depends(access.may_decide)]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
router.include_router(run_pages.router)


@router.get("/")
def search_page(
    request: Request,
    archive: ArchiveDep,
    filters: Annotated[Filters, Depends(read_filters)],
    may_decide: MayDecide,
    *,
    sort: SortBy = Sort.NEWEST,
    after: After = None,
) -> HTMLResponse:
    """Search; the empty search shows what came last."""
    address = Address.of(request.query_params.multi_items())
    found = search(archive.catalog, filters, limit=PAGE, after=read_cursor(after), oldest=sort is Sort.OLDEST)
    ids = address.ids()
    fields = address.fields()
    return page(
        request,
        archive,
        "search.html",
        asked=fields,
        narrowed=any(fields[name] for name in NARROW) or bool(fields["sort"]),
        chips=address.chips(),
        rows=to_rows(archive, found.rows),
        heading=_heading(len(found.rows), more=found.next is not None, later=after is not None, sort=sort),
        next=address.but(after=write_cursor(found.next)) if found.next else None,
        first=address.but(after=None),
        later=after is not None,
        asked_ids=len(ids),
        absent=unknown_ids(archive.catalog, ids) if ids and after is None else [],
        as_hold=address.as_hold() if may_decide else None,
        export_csv=address.but(after=None, format="csv"),
        export_json=address.but(after=None, format="json"),
        states=_STATES,
        zone=archive.settings.timezone,
    )


@router.get("/why")
def why_page(request: Request, archive: ArchiveDep, interaction_id: Annotated[str, Query(alias="id")]) -> Response:
    """Why an interaction is not here, and what to do; one that is here after all is shown."""
    told = read_timeline(archive.catalog, interaction_id)
    if len(told.parts) == 1 and is_safe_id(interaction_id):
        return RedirectResponse(f"recordings/{_segment(interaction_id)}/{_segment(told.parts[0]['recording_id'])}")
    if len(told.parts) > 1:
        return RedirectResponse(f"./?q={_segment(interaction_id)}")
    return _absent(request, archive, interaction_id, status=200)


@router.get("/recordings/{interaction_id}/{recording_id}")
def recording_page(
    request: Request,
    archive: ArchiveDep,
    interaction_id: str,
    recording_id: str,
    may_decide: MayDecide,
    *,
    part: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> HTMLResponse:
    """One part: player, facts, proof and time line."""
    told = read_details(archive, PartId(interaction_id, recording_id, part))
    if isinstance(told, Absence):
        return _absent(request, archive, interaction_id, status=404)
    return page(
        request,
        archive,
        "recording.html",
        row=told,
        may_decide=may_decide,
        restored=told.restored_until is not None and told.restored_until > archive.clock(),
        timeline=list(reversed(told.timeline)),
        siblings=told.parts,
        problem=_fixity_problem(told),
        fields=_source_fields(told),
        download_name=_download_name(told),
    )


@router.get("/failures")
def failures_page(request: Request, archive: ArchiveDep, may_decide: MayDecide) -> HTMLResponse:
    """What could not be archived: first what needs a decision, then what runs try again."""
    undecided, retried = (list_failures(archive, kind, limit=200) for kind in (Failing.DECISION, Failing.RETRYING))
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


@router.get("/overview")
def overview_page(request: Request, archive: ArchiveDep, until: date | None = None) -> HTMLResponse:
    """The archive in figures, and which days are complete; ``until`` lies in the last month shown."""
    today = archive.clock().astimezone(archive.settings.zone).date()
    first, last = _months_until(min(until or today, today))
    told = read_statistics(archive, today - timedelta(days=CHART_DAYS - 1), today)
    covered = read_coverage(archive, first, last)
    return page(
        request,
        archive,
        "overview.html",
        told=told,
        recordings_by_day=charts.columns([(day.date, day.recordings) for day in told.days]),
        bytes_by_day=charts.columns([(day.date, day.bytes) for day in told.days]),
        months=charts.months(covered.days),
        gaps=charts.gaps(covered.days),
        words=_DAYS,
        ages=AGES,
        today=today,
        earlier=first - timedelta(days=1),
        later=_months_until(last + timedelta(days=200))[1] if last < today else None,
    )


def _heading(shown: int, *, more: bool, later: bool, sort: Sort) -> str:
    order = f"{sort.value} first"
    if not more and not later:
        return f"{shown} {'recording' if shown == 1 else 'recordings'}, {order}"
    return f"{'the next' if later else 'the first'} {shown}, {order}"


def _absent(request: Request, archive: Archive, interaction_id: str, *, status: int) -> HTMLResponse:
    told = read_timeline(archive.catalog, interaction_id)
    conf = shlex.quote(json.dumps({"interactionId": interaction_id}))
    return page(
        request,
        archive,
        "absent.html",
        status=status,
        interaction_id=interaction_id,
        safe=is_safe_id(interaction_id),
        known=to_rows(archive, told.parts),
        tried=told.work,
        covered=told.covered,
        trigger=f"airflow dags trigger {access.READ_DAG} --conf {conf}",
    )


def _fixity_problem(told: RecordingDetails) -> str:
    """What the last reading that failed found."""
    failed = (event for event in reversed(told.timeline) if event.kind == "verified" and event.detail)
    return next((str(event.detail["problem"]) for event in failed if event.detail and "problem" in event.detail), "")


def _source_fields(told: RecordingDetails) -> list[tuple[str, str]]:
    """What the source said beyond what the page shows anyway, as text."""
    given = (told.sidecar or {}).get("sourceFields")
    fields = given if isinstance(given, dict) else {}
    texts = (
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in fields.items()
    )
    return [(name, text) for name, text in texts if name not in _SHOWN and text not in {"", "null"}]


def _download_name(told: RecordingDetails) -> str:
    ending = "".join(f".{part}" for part in (told.file_path or "").rsplit(".", 2)[1:])
    return f"{told.interaction_id}{ending}"


def _months_until(day: date) -> tuple[date, date]:
    """The first and last day of the months up to the one of ``day``."""
    month = day.year * 12 + day.month - 1
    first, following = month - MONTHS + 1, month + 1
    return date(first // 12, first % 12 + 1, 1), date(following // 12, following % 12 + 1, 1) - timedelta(days=1)


def _segment(text: str) -> str:
    return quote(text, safe="")
