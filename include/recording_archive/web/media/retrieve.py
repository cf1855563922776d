"""``/archive/retrieve``: the stored file itself, or the media in it, for other systems and for the download buttons."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import is_named, part_key, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import Visible, only
from recording_archive.model import is_safe_id
from recording_archive.spelling.ids import clean_id
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep, note_access
from recording_archive.web.media.damage import checked, require_whole
from recording_archive.web.media.playback import media_pieces, safe_type
from recording_archive.web.media.ranges import quote_tag
from recording_archive.web.media.ranges import select as select_bytes
from recording_archive.web.media.stored_object import file_name, require_stored
from recording_archive.web.media.streams import Pieces, file_pieces, respond
from recording_archive.web.problem import Problem
from recording_archive.web.read.details import NEVER_LISTED, NOT_VISIBLE
from recording_archive.web.viewer import ViewerDep, require

router = APIRouter()
_IDS = ("interactionId", "recordingId")
_NAMES = frozenset({*_IDS, "part", "decompress"})


@router.api_route("/retrieve", methods=["GET", "HEAD"], include_in_schema=False)
def retrieve(request: Request, archive: ArchiveDep, seen: ViewerDep) -> Response:
    """The ``.gz``, or the media, of the one recording that the parameters name; 300 with links to several."""
    asked, plain = _read_parameters(request)
    rows = _matching(archive, asked, seen.sees)
    if not rows:
        raise Problem(404, "Not in the archive", NEVER_LISTED if seen.sees.everything else NOT_VISIBLE)
    if len(rows) > 1:
        return JSONResponse([_link(row, plain=plain) for row in rows], 300)
    require(archive, seen.fetches, part_of(rows[0]), "download")
    require_stored(archive, request, rows[0])
    return _send(archive, request, rows[0], plain=plain)


def _read_parameters(request: Request) -> tuple[dict[str, Any], bool]:
    """The columns that the query names, and whether the media is asked for as it was before it was compressed.

    Raises Problem 400 for anything else than one well-formed value of each.
    """
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    if unknown := sorted(set(names) - _NAMES):
        raise _malformed(f"There is no parameter {', '.join(map(repr, unknown))[:200]}.")
    if len(names) > len(set(names)):
        raise _malformed("Each parameter may be given once.")
    values = dict(given)
    if "interactionId" not in values:
        raise _malformed("interactionId is missing.")
    values |= {name: clean_id(values[name]) for name in _IDS if name in values}
    for name in _IDS:
        if name in values and not is_safe_id(values[name]):
            raise _malformed(f"{name} is not an id: letters, digits, dot, dash and underscore, at most 100.")
    if (plain := values.get("decompress", "0")) not in {"0", "1"}:
        raise _malformed("decompress is neither 1, which gives the media itself, nor 0.")
    columns = {"interaction_id": values["interactionId"], "recording_id": values.get("recordingId")}
    return columns | _read_part(values), plain == "1"


def _read_part(values: dict[str, str]) -> dict[str, int | None]:
    text = values.get("part")
    if text is None:
        return {"part": None}
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _malformed("part is not a number.")
    return {"part": int(text)}


def _malformed(detail: str) -> Problem:
    return Problem(400, "The request is malformed", detail)


def _matching(archive: Archive, asked: dict[str, Any], visible: Visible) -> Sequence[Row[Any]]:
    wanted, order = is_named(recordings, **asked), part_key(recordings)
    with archive.catalog.read() as connection:
        query = select(recordings).where(wanted, *only(connection, visible)).order_by(*order)
        return connection.execute(query).all()


def _link(row: Row[Any], *, plain: bool) -> dict[str, Any]:
    """One of several recordings, with the relative address that names it alone."""
    named = {"interactionId": row.interaction_id, "recordingId": row.recording_id, "part": row.part}
    asked = named | ({"decompress": 1} if plain else {})
    return {**named, "state": row.state, "href": f"retrieve?{urlencode(asked)}"}


@dataclass(frozen=True, slots=True)
class _File:
    """One form in which a recording is fetched: as stored, or plain."""

    pieces: Pieces
    size: int
    sha256: str
    media_type: str
    name: str
    noted: dict[str, str]


def _stored(archive: Archive, row: Row[Any]) -> _File:
    pieces = file_pieces(lambda: archive.store.open(row.key))
    pieces = checked(archive, row, pieces, sha256=row.stored_sha256, size=row.stored_bytes)
    noted = {"stored_sha256": row.stored_sha256}
    return _File(pieces, row.stored_bytes, row.stored_sha256, "application/gzip", file_name(row), noted)


def _plain(archive: Archive, row: Row[Any]) -> _File:
    name, noted = file_name(row).removesuffix(".gz"), {"sha256": row.sha256}
    return _File(media_pieces(archive, row), row.size_bytes, row.sha256, safe_type(row), name, noted)


def _send(archive: Archive, request: Request, row: Row[Any], *, plain: bool) -> Response:
    require_whole(archive, row)
    file, user = _plain(archive, row) if plain else _stored(archive, row), access.user_name(request)
    chosen = select_bytes(request.method, request.headers, size=file.size, etag=quote_tag(file.sha256))
    partial_answer = chosen.status == 206 and chosen.span is not None and chosen.span.start > 0
    return respond(
        chosen,
        file.pieces,
        user=user,
        media_type=file.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{file.name}"',
            "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",  # RFC 9530
        },
        # a download that is resumed, or fetched in pieces, is one event
        before=partial(note_access, archive, "downloaded", part_of(row), user, file.noted, once=partial_answer),
    )
