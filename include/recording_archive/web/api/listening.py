"""REST API: the listening log."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from recording_archive.archive import Archive
from recording_archive.spelling.ids import split_ids
from recording_archive.web import access
from recording_archive.web.deps import ArchiveDep, note_access
from recording_archive.web.read.filters import (
    After,
    Blank,
    Limit,
    Moment,
    Storable,
    Text,
    day_or_moment,
    few,
    read_zone,
    write_cursor,
)
from recording_archive.web.read.list_files import LIST_TYPES, ListFormat, begun, send_list
from recording_archive.web.read.listening import (
    Asked,
    By,
    Group,
    Groups,
    Heard,
    Listen,
    ListenPage,
    every_listen,
    group_listens,
    list_listens,
)
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.viewer import ViewerDep

DEFAULT_DAYS = 30
router = APIRouter()


def read_asked(
    archive: ArchiveDep,
    seen: ViewerDep,
    *,
    person: Annotated[Text, Query(description="The name that signed in, whole, in any case.")] = None,
    ids: Annotated[
        list[Annotated[str, Storable]] | None, Query(alias="id", description="Interactions or recordings.")
    ] = None,
    kind: Annotated[Annotated[Heard | None, Blank], Query(description="Played, downloaded or exported.")] = None,
    start: Annotated[
        Moment, Query(alias="from", description="From this day or moment on; without it and an id the last 30 days.")
    ] = None,
    end: Annotated[Moment, Query(alias="to", description="To the end of this day, or before this moment.")] = None,
    zone: Annotated[Text, Query(description="The time zone in which days begin; by default the archive's.")] = None,
) -> Asked:
    """Read what an address asks for, among what the signed-in person may see."""
    days_of, named = read_zone(zone), few("id", [each for text in ids or () for each in split_ids(text)])
    begin = day_or_moment("from", start, days_of, end=False)
    if begin is None and not named and end is None:
        begin = archive.clock() - timedelta(days=DEFAULT_DAYS)
    until = day_or_moment("to", end, days_of, end=True)
    return Asked(seen.sees, days_of, person, named, kind, begin, until)


AskedDep = Annotated[Asked, Depends(read_asked)]


@router.get("/listens", response_model=ListenPage, responses=LIST_TYPES)
def show_listens(
    request: Request,
    archive: ArchiveDep,
    seen: ViewerDep,  # noqa: ARG001 - says that the route tells of what may be seen alone
    asked: AskedDep,
    *,
    limit: Limit = 50,
    after: After = None,
    format: ListFormat = ListFormat.PAGE,
) -> Any:
    """Accesses: who played, downloaded or exported which recording, and when; the latest first."""
    if format is not ListFormat.PAGE:
        rows = begun(every_listen(archive, asked))
        _note(archive, request, format)
        return send_list(Listen, rows, format, "listens")
    items, following = list_listens(archive, asked, limit=limit, after=read_dated(after))
    return ListenPage(items=items, next=write_cursor(following))


@router.get("/listens/counts", response_model=Groups, responses=LIST_TYPES)
def count_listens(
    request: Request,
    archive: ArchiveDep,
    seen: ViewerDep,  # noqa: ARG001 - says that the route tells of what may be seen alone
    asked: AskedDep,
    *,
    by: By = By.PERSON,
    format: ListFormat = ListFormat.PAGE,
) -> Any:
    """Accesses counted by person, day, or recording; the latest first."""
    groups = group_listens(archive, asked, by)
    if format is ListFormat.PAGE:
        return groups
    _note(archive, request, format)
    return send_list(Group, groups.items, format, f"listens-by-{by}")


def _note(archive: Archive, request: Request, format: ListFormat) -> None:
    note_access(archive, "exported", None, access.user_name(request), {"list": "listens", "format": format})
