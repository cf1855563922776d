"""REST API: recordings, their audio and their waveforms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.distinct import distinct
from recording_archive.catalog.ordered import Order, export_in, search_in
from recording_archive.catalog.rows import is_named, part_of
from recording_archive.catalog.search import UNREAD, Filters
from recording_archive.catalog.search_ids import Account, account
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import only
from recording_archive.errors import ArchiveError, ConfigurationError
from recording_archive.model import PartId
from recording_archive.retention.policy_in_force import in_force
from recording_archive.retention.rules import DEFAULT
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep, note_access
from recording_archive.web.media.damage import reading
from recording_archive.web.media.peaks import read_peaks
from recording_archive.web.media.playback import send_decoded, send_media
from recording_archive.web.media.stored_object import file_name, require_stored
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.details import Absence, read_details, why_absent
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import (
    After,
    Limit,
    SortBy,
    Storable,
    read_cursor,
    read_filters,
    write_cursor,
)
from recording_archive.web.read.list_files import LIST_TYPES, ListFormat, begun, send_list
from recording_archive.web.read.recording_documents import RecordingDetails, RecordingPage, RecordingRow
from recording_archive.web.read.recording_rows import to_rows
from recording_archive.web.viewer import Viewer, ViewerDep, require

router = APIRouter()

InteractionId = Annotated[str, Path(min_length=1, max_length=200), Storable]
Part = Annotated[int, Query(ge=0, lt=2**31, description="The media file of the recording; they count from 0.")]
FilterDep = Annotated[Filters, Depends(read_filters)]
_MOST_NAMES = 5000
_AUDIO = {"schema": {"type": "string", "format": "binary"}}


@router.get("/recordings", response_model=RecordingPage, responses=LIST_TYPES)
def list_recordings(
    request: Request,
    archive: ArchiveDep,
    filters: FilterDep,
    seen: ViewerDep,
    *,
    sort: SortBy = Order.NEWEST,
    limit: Limit = 50,
    after: After = None,
    format: ListFormat = ListFormat.PAGE,
) -> Any:
    """Search. All filters that are given must hold."""
    if format is not ListFormat.PAGE:
        return _send_list(archive, filters, format, access.user_name(request), sort)
    with _sortable():
        page = search_in(archive.catalog, filters, sort, limit=limit, after=read_cursor(after))
    found = bool(page.rows)
    asked = Account()
    if after is None:
        asked = account(archive.catalog, filters.ids, filters.text, found=found, visible=seen.sees)
    return RecordingPage(
        items=to_rows(archive, page.rows),
        next=write_cursor(page.next),
        unknown=list(asked.unknown),
        not_ids=list(asked.impossible),
        warning=UNREAD if page.unread else None,
    )


class Names(ApiDocument):
    """The names of agents and queues to choose from, in order, of each at most 5,000; and the policy's rules."""

    agents: list[str]
    queues: list[str]
    rules: list[str]


@router.get("/names", response_model=Names)
def list_names(archive: ArchiveDep, seen: ViewerDep) -> Names:
    """Names that a search for an agent, a queue or a rule finds; none for who may not see all recordings."""
    if not seen.sees.everything:
        return Names(agents=[], queues=[], rules=[])
    with archive.catalog.read() as connection:
        agents, queues = (
            distinct(connection, column)[:_MOST_NAMES] for column in (recordings.c.agent_name, recordings.c.queue_name)
        )
    return Names(agents=agents, queues=queues, rules=_rules(archive))


def _rules(archive: Archive) -> list[str]:
    """List the rules of the policy in force; none where there is no telling which one that is."""
    try:
        policy = in_force(archive)
    except ArchiveError:
        return []
    return [*(rule.name for rule in policy.rules), DEFAULT]


@router.get("/recordings/{interaction_id}/{recording_id}", response_model=RecordingDetails, responses=problems(404))
def show_recording(
    archive: ArchiveDep, seen: ViewerDep, interaction_id: InteractionId, recording_id: InteractionId, part: Part = 0
) -> RecordingDetails:
    """Everything known of one part: metadata, hashes, sidecar and time line."""
    found = read_details(archive, PartId(interaction_id, recording_id, part), seen.sees)
    if isinstance(found, Absence):
        raise _not_found(found)
    return found


_MEDIA_RESPONSES = problems(404, 409, 410, 412, 416, 503) | {
    200: {
        "description": "All of it",
        "content": {"audio/*": _AUDIO, "video/*": _AUDIO, "application/octet-stream": _AUDIO},
    },
    206: {
        "description": "A range",
        "content": {"audio/*": _AUDIO, "video/*": _AUDIO, "application/octet-stream": _AUDIO},
    },
    304: {"description": "The entity tag still matches"},
}


@router.get("/recordings/{interaction_id}/{recording_id}/media", responses=_MEDIA_RESPONSES, response_class=Response)
@router.head("/recordings/{interaction_id}/{recording_id}/media", responses=_MEDIA_RESPONSES, response_class=Response)
def hear_recording(
    request: Request,
    archive: ArchiveDep,
    seen: ViewerDep,
    interaction_id: InteractionId,
    recording_id: InteractionId,
    *,
    part: Part = 0,
    decoded: Annotated[
        bool, Query(description="As plain samples in a WAV file, for what a browser cannot play.")
    ] = False,
) -> Response:
    """The media as it was before it was compressed, whole or one byte range (RFC 9110)."""
    row = _stored_row(archive, request, seen, PartId(interaction_id, recording_id, part))
    if decoded:
        with reading(archive, row):
            return send_decoded(archive, request, row, access.user_name(request))
    name = file_name(row).removesuffix(".gz")
    return send_media(archive, request, row, access.user_name(request), name)


@router.get(
    "/recordings/{interaction_id}/{recording_id}/peaks",
    responses=problems(404, 409, 410, 503) | {200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
    response_class=Response,
)
def show_peaks(
    request: Request,
    archive: ArchiveDep,
    seen: ViewerDep,
    interaction_id: InteractionId,
    recording_id: InteractionId,
    *,
    part: Part = 0,
) -> Response:
    """The waveform: for each channel up to 1,000 levels from 0 to ``loudest``."""
    row = _stored_row(archive, request, seen, PartId(interaction_id, recording_id, part))
    with reading(archive, row):
        return Response(read_peaks(archive, row._asdict()), media_type="application/json")


def _stored_row(archive: Archive, request: Request, seen: Viewer, part: PartId) -> Row[Any]:
    """The row of a part that may be heard now; raise Problem that says why not."""
    with archive.catalog.read() as connection:
        wanted = (is_named(recordings, *part), *only(connection, seen.sees))
        row = connection.execute(select(recordings).where(*wanted)).first()
    if row is None:
        raise _not_found(why_absent(archive, part.interaction_id, seen.sees))
    require(archive, seen.hears, part_of(row), "listen to")
    require_stored(archive, request, row)
    return row


def _not_found(absence: Absence) -> Problem:
    return Problem(404, "Not in the archive", absence.reason, **absence.to_json())


@contextmanager
def _sortable() -> Iterator[None]:
    """Answer with Problem (400) where recordings cannot be sorted."""
    try:
        yield
    except ConfigurationError as error:
        raise Problem(400, "The recordings cannot be sorted", str(error)) from error


def _send_list(
    archive: Archive,
    filters: Filters,
    format: ListFormat,
    user: str,
    sort: Order,
) -> StreamingResponse:
    """The whole list as a file; no connection is held between two pages of it."""
    pages = export_in(archive.catalog, filters, sort)
    with _sortable():
        rows = begun(row for page in pages for row in to_rows(archive, page))
    note_access(archive, "exported", None, user, {"list": "recordings", "format": format})
    return send_list(RecordingRow, rows, format, "recordings")
