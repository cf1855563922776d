"""Page of the listening log: each access, or counted by person, day or call."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from recording_archive.web.api.listening import DEFAULT_DAYS, AskedDep
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.read.filters import After, absolute, read_zone, write_cursor
from recording_archive.web.read.listening import By, Group, Heard, Listen, count_listens, group_listens, list_listens
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.render import page
from recording_archive.web.viewer import ViewerDep

PAGE = 100
FIELDS = ("person", "id", "kind", "from", "to", "zone")
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class View(StrEnum):
    """A form of the page."""

    EACH = "each"
    PERSON = "person"
    DAY = "day"
    CALL = "call"


@router.get("/listening")
def listening_page(
    request: Request,
    archive: ArchiveDep,
    seen: ViewerDep,  # noqa: ARG001 - says that the page tells of what may be seen alone
    asked: AskedDep,
    *,
    by: Annotated[View, Query()] = View.EACH,
    after: After = None,
) -> HTMLResponse:
    """Show who heard what; without a day and a call the last 30 days."""
    given = {name: value for name in FIELDS if (value := request.query_params.get(name, "").strip())}
    zone = read_zone(given.get("zone"))
    groups = None if by is View.EACH else group_listens(archive, asked, By(by))
    rows, following = list_listens(archive, asked, limit=PAGE, after=read_dated(after)) if not groups else ([], None)
    count, people = count_listens(archive, asked)
    fields = dict.fromkeys(FIELDS, "") | given
    return page(
        request,
        archive,
        "listening.html",
        by=by,
        rows=rows,
        groups=groups,
        count=count,
        people=people,
        asked=fields | {name: absolute(fields[name], zone) for name in ("from", "to")},
        query=urlencode(given),
        lead=partial(_lead, given),
        narrowed=bool(set(given) - {"zone"}),
        kinds=list(Heard),
        days=None if asked.ids or given.get("from") or given.get("to") else DEFAULT_DAYS,
        next=write_cursor(following),
        later=after is not None,
        zone=zone.key,
        zone_of_page=zone.key if given.get("zone") or given.get("from") or given.get("to") else "",
    )


def _lead(given: dict[str, str], found: Listen | Group) -> str:
    """The query for the accesses of a person, of the day or of the recording that a row is of."""
    if isinstance(found, Listen) or found.person:
        return urlencode(given | {"person": found.person or ""})
    if found.day:
        return urlencode(given | {"from": str(found.day), "to": str(found.day)})
    return urlencode(given | {"id": found.recording_id or ""})
