"""REST API: evidence packs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ConfigDict, Field

from recording_archive.archive import Archive
from recording_archive.catalog.search import Filters
from recording_archive.errors import ConfigurationError
from recording_archive.evidence.pack import plan_pack
from recording_archive.evidence.request import Asked
from recording_archive.model import State
from recording_archive.spelling.ids import split_ids
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.media.streams import send_made
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import Failure, Said, Storable, VerifiedFilter, judged, read_asked
from recording_archive.web.read.filters import Text as SearchText
from recording_archive.web.viewer import Viewer

router = APIRouter(prefix="/evidence")

_Line = Annotated[str, Field(max_length=250), Storable]
_ZIP = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}


class EvidenceQuery(ApiDocument):
    """A search, as in the address of a list; all that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[str, Storable] | None = None
    ids: Annotated[tuple[Annotated[str, Storable], ...], Field(alias="id")] = ()
    start: Annotated[SearchText, Field(alias="from")] = None
    end: Annotated[SearchText, Field(alias="to")] = None
    agent: SearchText = None
    queue: SearchText = None
    number: SearchText = None
    contact: SearchText = None
    direction: SearchText = None
    media_type: SearchText = None
    min_seconds: Annotated[float | None, Field(ge=0, le=10**9)] = None
    max_seconds: Annotated[float | None, Field(ge=0, le=10**9)] = None
    status: State | None = None
    verified: VerifiedFilter | None = None
    unverified_since: Annotated[SearchText, Field(alias="notVerifiedSince")] = None
    failure: Failure | None = None
    rule: SearchText = None
    expires_from: Annotated[SearchText, Field(alias="expires_from")] = None
    expires_to: Annotated[SearchText, Field(alias="expires_to")] = None
    zone: SearchText = None


class NewEvidence(ApiDocument):
    """A request for a pack: the reason, and one of the others."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=2000), Storable, Said]
    interaction_ids: Annotated[tuple[_Line, ...], Field(max_length=10_000)] = ()
    hold_id: _Line | None = None
    run_id: _Line | None = None
    query: EvidenceQuery | None = None


@router.post(
    "",
    responses=problems(415) | {200: {"description": "The pack", "content": _ZIP}},
    response_class=Response,
)
def make_evidence(
    request: Request, archive: ArchiveDep, seen: Annotated[Viewer, Depends(access.fetch_all)], wanted: NewEvidence
) -> Response:
    """A ZIP of recordings to hand out, with all that proves them, sent while it is made; it has no length before."""
    try:
        pack = plan_pack(archive, _asked(archive, seen, wanted), access.user_name(request))
    except ConfigurationError as error:
        raise Problem(400, "There can be no such pack", str(error)) from error
    return send_made(
        pack.stream(),
        user=access.user_name(request),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{pack.name}.zip"'},
    )


def _asked(archive: Archive, seen: Viewer, wanted: NewEvidence) -> Asked:
    given = wanted.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"reason"})
    ids = tuple(dict.fromkeys(each for text in wanted.interaction_ids for each in split_ids(text)))
    filters = _filters(archive, seen, wanted.query) if wanted.query else None
    if filters == Filters(region=archive.settings.phone_region):
        raise ConfigurationError("The query is empty: a pack of the whole archive is not made; name days at least")
    return Asked(wanted.reason, ids=ids, hold=wanted.hold_id, run=wanted.run_id, filters=filters, given=given)


def _filters(archive: Archive, seen: Viewer, query: EvidenceQuery) -> Filters:
    named: dict[str, Any] = dict(query)
    return replace(judged(archive, read_asked(**named | {"ids": list(query.ids)})), visible=seen.sees)
