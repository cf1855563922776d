"""REST API: evidence packs that runs of `export_evidence` have made, to be fetched part by part."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import ConfigDict

from recording_archive.archive import Archive
from recording_archive.evidence import ready
from recording_archive.evidence.in_parts import key_of
from recording_archive.evidence.pack import KIND
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep, note_access
from recording_archive.web.media.damage import compared
from recording_archive.web.media.ranges import ByteSpan, quote_tag, select
from recording_archive.web.media.streams import file_pieces, respond
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import Storable

router = APIRouter(prefix="/evidence", dependencies=[Depends(access.fetch_all)])

_Pack = Annotated[str, Path(min_length=1, max_length=50), Storable]
_Number = Annotated[int, Path(ge=1, lt=10_000)]
_ZIP = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    **problems(404, 409, 412, 416, 503),
    200: {"description": "The part", "content": _ZIP},
    206: {"description": "A piece of it", "content": _ZIP},
    304: {"description": "The client has it already"},
}


class PackPart(ApiDocument):
    """One part: a ZIP that is an evidence pack of its own; ``fingerprint`` is what its checkers print."""

    number: int
    file: str
    bytes: int
    sha256: str
    fingerprint: str
    calls: int
    not_included: int


class ReadyPack(ApiDocument):
    """A pack that a run made: who asked for what and why, until when it can be fetched, and its parts."""

    pack: str
    run_id: str
    asked_by: str
    reason: str
    asked: dict[str, Any]
    created_at: datetime
    ready_at: datetime
    expires_at: datetime
    calls: int
    not_included: int
    bytes: int
    parts: list[PackPart]


class ReadyPacks(ApiDocument):
    """The packs that can be fetched now, the newest first."""

    model_config = ConfigDict(extra="ignore")

    items: list[ReadyPack]


def list_ready(archive: Archive) -> list[ReadyPack]:
    """List the packs that can be fetched."""
    return [ReadyPack.model_validate(pack) for pack in ready.ready_packs(archive)]


@router.get("", response_model=ReadyPacks)
def list_packs(archive: ArchiveDep) -> ReadyPacks:
    """Evidence packs that runs of export_evidence made, the newest first, until their days are over."""
    return ReadyPacks(items=list_ready(archive))


@router.get("/{pack}/parts/{number}", responses=_RESPONSES, response_class=Response)
def fetch_part(request: Request, archive: ArchiveDep, pack: _Pack, number: _Number) -> Response:
    """One part as it was made, whole or a byte range of it (RFC 9110); a download is an event."""
    part, user = _part(archive, pack, number), access.user_name(request)
    key = key_of(pack, f"{number:04d}.zip")
    if archive.store.size(key) != part["bytes"]:
        raise Problem(409, "Damaged", f"{key} is not what was made, so it is not handed out: have another pack made.")
    source = file_pieces(lambda: archive.store.open(key))

    def pieces(span: ByteSpan) -> Any:
        return source(span) if span.length < part["bytes"] else compared(source(span), key, part["sha256"])

    detail = {"evidence": f"{pack}-{number:04d}", "fetched": True, "sha256": part["sha256"]}
    digest = base64.b64encode(bytes.fromhex(part["sha256"])).decode()
    return respond(
        select(request.method, request.headers, size=part["bytes"], etag=quote_tag(part["sha256"])),
        pieces,
        user=user,
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{part["file"]}"',
            "Repr-Digest": f"sha-256=:{digest}:",  # RFC 9530
        },
        before=lambda: note_access(archive, KIND, None, user, detail),
    )


def _part(archive: Archive, pack: str, number: int) -> dict[str, Any]:
    """Find a part that may be handed out; raise Problem that says why not."""
    found = ready.find_pack(archive, pack)
    part: dict[str, Any] | None = (
        next((each for each in found["parts"] if each["number"] == number), None) if found else None
    )
    if part is None:
        raise Problem(404, "No such pack", "There is none, or its days are over: have another one made.")
    if why := ready.why_withdrawn(archive, pack, part):
        raise Problem(409, "Withdrawn", why)
    return part
