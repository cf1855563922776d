"""Page of one recording; or the page that explains why there is none."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from recording_archive.archive import Archive
from recording_archive.fixity.outlook import why_not_repaired
from recording_archive.model import PartId, State, is_safe_id
from recording_archive.parties.words import without_scheme
from recording_archive.web import access
from recording_archive.web.access import MayDecide
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.details import Absence, read_details, visible_timeline
from recording_archive.web.read.filters import Storable
from recording_archive.web.read.neighbours import LONGEST, Neighbours, read_neighbours
from recording_archive.web.read.recording_documents import RecordingDetails
from recording_archive.web.read.recording_rows import to_rows
from recording_archive.web.read.verdict import read_verdict
from recording_archive.web.render import page
from recording_archive.web.viewer import Viewer, ViewerDep, may

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
        "participants",
    )
)
_PARTY = {
    "Agent": ("agentName", "agentId"),
    "Queue": ("queueName", "queueId"),
    "From": ("ani",),
    "To": ("dnis",),
    "Division": ("division",),
    "Contact": ("contactId",),
}


class Tab(StrEnum):
    """A part of the page; the others are one click away, without a request where scripts run."""

    CALL = "call"
    PROOF = "proof"
    HISTORY = "history"


router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/why")
def why_page(
    request: Request, archive: ArchiveDep, seen: ViewerDep, interaction_id: Annotated[str, Query(alias="id")]
) -> Response:
    """Why an interaction is not here, and what to do; one that is here after all is shown."""
    timeline = visible_timeline(archive, interaction_id, seen.sees)
    interaction_id = timeline.interaction_id
    if len(timeline.parts) == 1 and is_safe_id(interaction_id):
        mine = timeline.parts[0]
        return RedirectResponse(f"recordings/{_segment(mine['interaction_id'])}/{_segment(mine['recording_id'])}")
    if len(timeline.parts) > 1:
        return RedirectResponse(f"./?q={_segment(interaction_id)}")
    return _absent(request, archive, seen, interaction_id, status=200)


@router.get("/recordings/{interaction_id}/{recording_id}")
def recording_page(
    request: Request,
    archive: ArchiveDep,
    interaction_id: str,
    recording_id: str,
    seen: ViewerDep,
    *,
    may_decide: MayDecide,
    part: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    tab: Tab | None = None,
    searched: Annotated[str | None, Query(alias="search", max_length=LONGEST), Storable] = None,
) -> HTMLResponse:
    """One part: who and when, player, verdict, facts, proof and time line."""
    details = read_details(archive, PartId(interaction_id, recording_id, part), seen.sees)
    if isinstance(details, Absence):
        return _absent(request, archive, seen, interaction_id, status=404)
    problem, not_repaired = _fixity_problem(details), why_not_repaired(archive, details.part_id)
    return page(
        request,
        archive,
        "recording.html",
        row=details,
        may_decide=may_decide,
        restored=details.restored_until is not None and details.restored_until > archive.clock(),
        timeline=list(reversed(details.timeline)),
        siblings=details.parts,
        verdict=read_verdict(details, problem, not_repaired),
        took_part=_all_parties(details),
        fields=_source_fields(details),
        download_name=_download_name(details),
        tab=tab or (Tab.PROOF if details.certificate else Tab.CALL),
        tabs=_tabs(details, searched),
        searched=searched,
        beside=_beside(archive, seen, details, searched),
        may_listen=may(archive, seen.hears, details.part_id),
        may_open=seen.may_open,
        open_until=seen.open_until(details.interaction_id),
        may_download=may(archive, seen.fetches, details.part_id),
    )


def _absent(request: Request, archive: Archive, seen: Viewer, interaction_id: str, *, status: int) -> HTMLResponse:
    timeline = visible_timeline(archive, interaction_id, seen.sees)
    interaction_id = timeline.interaction_id
    conf = shlex.quote(json.dumps({"interactionId": interaction_id}))
    return page(
        request,
        archive,
        "absent.html",
        status=status,
        interaction_id=interaction_id,
        safe=is_safe_id(interaction_id),
        may_open=seen.may_open,
        known=to_rows(archive, timeline.parts),
        tried=timeline.work,
        covered=timeline.covered,
        trigger=f"airflow dags trigger {access.READ_DAG} --conf {conf}",
    )


def _tabs(details: RecordingDetails, searched: str | None) -> list[tuple[Tab, str]]:
    """The tabs, each with the query of its address."""
    carried = {"part": details.part or None, "search": searched}
    kept = {name: value for name, value in carried.items() if value is not None}
    return [(tab, urlencode({"tab": tab.value, **kept})) for tab in Tab]


def _beside(archive: Archive, seen: Viewer, details: RecordingDetails, searched: str | None) -> Neighbours:
    """Find the previous and the next of the search that led here; none where no search did."""
    date = details.interaction_date if isinstance(details.interaction_date, datetime) else None
    if searched is None or details.state is State.ERASED:
        return Neighbours()
    return read_neighbours(archive, searched, details.part_id, date, seen.sees)


def _all_parties(details: RecordingDetails) -> tuple[list[str], list[tuple[list[str], bool]]]:
    """Everybody who took part as a table: the columns in use, then cells and certainty; this recording's own first."""
    named = details.model_dump(by_alias=True)
    main = {name: named[name] for pair in _PARTY.values() for name in pair if named[name]}
    parties: list[dict[str, Any]] = [*([{**main, "certain": True}] if main else []), *map(dict, details.parties or [])]
    cells = [{title: _first(party, pair) for title, pair in _PARTY.items()} for party in parties]
    used = [title for title in _PARTY if any(each[title] for each in cells)]
    rows = [([each[title] for title in used], party["certain"]) for each, party in zip(cells, parties, strict=True)]
    return used, rows


def _first(party: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((without_scheme(str(party[name])) for name in names if party.get(name)), "")


def _fixity_problem(details: RecordingDetails) -> str:
    """Find what the last failed reading found."""
    failed = (event for event in reversed(details.timeline) if event.kind == "verified" and event.detail)
    return next((str(event.detail["problem"]) for event in failed if event.detail and "problem" in event.detail), "")


def _source_fields(details: RecordingDetails) -> list[tuple[str, str]]:
    """List the source's fields that the page does not show elsewhere, as text."""
    given = (details.sidecar or {}).get("sourceFields")
    fields = given if isinstance(given, dict) else {}
    texts = (
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in fields.items()
    )
    return [(name, text) for name, text in texts if name not in _SHOWN and text not in {"", "null"}]


def _download_name(details: RecordingDetails) -> str:
    ending = "".join(f".{part}" for part in (details.file_path or "").rsplit(".", 2)[1:])
    return f"{details.interaction_id}{ending}"


def _segment(text: str) -> str:
    return quote(text, safe="")
