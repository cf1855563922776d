"""Page of one recording; or the page that explains why there is none."""

from __future__ import annotations

import json
import shlex
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from recording_archive.archive import Archive
from recording_archive.catalog.timeline import read_timeline
from recording_archive.fixity.outlook import why_not_repaired
from recording_archive.model import PartId, is_safe_id
from recording_archive.web import access
from recording_archive.web.access import MayDecide
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.details import Absence, read_details
from recording_archive.web.read.recording_documents import RecordingDetails
from recording_archive.web.read.recording_rows import to_rows
from recording_archive.web.render import page

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
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/why")
def why_page(request: Request, archive: ArchiveDep, interaction_id: Annotated[str, Query(alias="id")]) -> Response:
    """Why an interaction is not here, and what to do; one that is here after all is shown."""
    told = read_timeline(archive.catalog, interaction_id)
    interaction_id = told.interaction_id
    if len(told.parts) == 1 and is_safe_id(interaction_id):
        mine = told.parts[0]
        return RedirectResponse(f"recordings/{_segment(mine['interaction_id'])}/{_segment(mine['recording_id'])}")
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
        not_repaired=why_not_repaired(archive, PartId(told.interaction_id, told.recording_id, told.part)),
        fields=_source_fields(told),
        download_name=_download_name(told),
    )


def _absent(request: Request, archive: Archive, interaction_id: str, *, status: int) -> HTMLResponse:
    told = read_timeline(archive.catalog, interaction_id)
    interaction_id = told.interaction_id
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
    """Find what the last failed reading found."""
    failed = (event for event in reversed(told.timeline) if event.kind == "verified" and event.detail)
    return next((str(event.detail["problem"]) for event in failed if event.detail and "problem" in event.detail), "")


def _source_fields(told: RecordingDetails) -> list[tuple[str, str]]:
    """List the source's fields that the page does not show elsewhere, as text."""
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


def _segment(text: str) -> str:
    return quote(text, safe="")
