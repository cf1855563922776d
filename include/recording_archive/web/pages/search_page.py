"""Page of a search.

Pages show what the same functions find for the API, so that the two cannot disagree. Every page is a plain ``GET``;
what changes something goes through the API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from recording_archive.catalog.ordered import Order, search_in
from recording_archive.catalog.search import UNREAD, Filters
from recording_archive.catalog.search_ids import account
from recording_archive.catalog.survey import Survey, survey
from recording_archive.errors import ConfigurationError
from recording_archive.model import State
from recording_archive.web.access import MayDecide
from recording_archive.web.address import MOMENTS, NARROW, Address
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.pages.facets import facets
from recording_archive.web.pages.search_columns import ORDERS, SHOWN, TITLES, Column, chosen, headings
from recording_archive.web.read.filters import (
    After,
    SortBy,
    absolute,
    read_cursor,
    read_filters,
    read_zone,
    write_cursor,
)
from recording_archive.web.read.recording_rows import to_rows
from recording_archive.web.render import page
from recording_archive.web.viewer import ViewerDep, those

PAGE = 50
_STATES = [
    (State.ARCHIVED.value, "Archived"),
    (State.DISCOVERED.value, "Not archived yet"),
    (State.QUARANTINED.value, "Quarantined"),
    (State.PURGED.value, "Purged"),
    (State.ERASED.value, "Erased"),
]
_PRESETS = (
    ("Today", "today", None),
    ("Yesterday", "yesterday", "yesterday"),
    ("Last 7 days", "7d", None),
    ("Last 30 days", "30d", None),
)
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def search_page(
    request: Request,
    archive: ArchiveDep,
    filters: Annotated[Filters, Depends(read_filters)],
    may_decide: MayDecide,
    seen: ViewerDep,
    *,
    sort: SortBy = Order.NEWEST,
    after: After = None,
    columns: Annotated[list[Column] | None, Query()] = None,
) -> HTMLResponse:
    """Search; the empty search shows what came last."""
    address = Address.of(request.query_params.multi_items())
    zone = read_zone(address.fields()["zone"] or None)
    fixed = address.on_days(zone)
    counted = survey(archive.catalog, filters)
    try:
        found, unsorted = search_in(archive.catalog, filters, sort, limit=PAGE, after=read_cursor(after)), None
    except ConfigurationError as error:
        sort, after, unsorted = Order.NEWEST, None, str(error)
        address = address.without("sort", "after")
        found = search_in(archive.catalog, filters, sort, limit=PAGE)
    later, may_export = after is not None, seen.sees.everything and seen.fetches.everything
    asked = account(archive.catalog, filters.ids, filters.text, found=later or bool(found.rows), visible=seen.sees)
    fields, rows = address.fields(), to_rows(archive, found.rows)
    parts = [row.part_id for row in rows]
    return page(
        request,
        archive,
        "search.html",
        asked=fields | {name: absolute(fields[name], zone) for name in MOMENTS},
        narrowed=any(fields[name] for name in NARROW),
        carried=address.carried(),
        chips=address.chips(asked.ids),
        rows=rows,
        heard=those(archive, seen.hears, parts),
        fetched=those(archive, seen.fetches, parts),
        heading=_heading(len(found.rows), counted, more=found.next is not None, later=later, sort=sort),
        facets=list(facets(counted, address)),
        facets_of=counted.counted if counted and counted.more else None,
        presets=list(_presets(address)),
        ids_found=len(asked.ids) - len(asked.unknown),
        next=address.but(after=write_cursor(found.next)) if found.next else None,
        first=address.but(after=None),
        later=later,
        warnings=[each for each in (unsorted, UNREAD if found.unread else None) if each],
        columns=(shown := chosen(columns or ())),
        headings=list(headings(shown, address, sort)),
        titles=TITLES,
        usual=SHOWN,
        orders=ORDERS,
        asked_ids=len(asked.ids),
        absent=[] if later else [each for each in asked.unknown if each not in asked.impossible],
        impossible=() if later else asked.impossible,
        as_hold=fixed.as_hold(asked.ids) if may_decide else None,
        as_evidence=fixed.as_evidence(asked.ids) if may_export else None,
        export_csv=address.but(after=None, format="csv"),
        export_json=address.but(after=None, format="json"),
        states=_STATES,
        may_decide=may_decide,
        may_export=may_export,
        zone=zone.key,
        zone_of_page=zone.key if any(fields[name] for name in ("zone", *MOMENTS)) else "",
    )


def _heading(shown: int, counted: Survey | None, *, more: bool, later: bool, sort: Order) -> str:
    order = ORDERS[sort]
    if not more and not later:
        return f"{shown} {'recording' if shown == 1 else 'recordings'}, {order}"
    total = f" of {'more than ' if counted.more else ''}{counted.counted:,}" if counted else ""
    return f"{'the next' if later else 'the first'} {shown}{total}, {order}"


def _presets(address: Address) -> Iterator[tuple[str, str, bool]]:
    """Days that people ask for: the words, the address, and whether it is what the search asks for."""
    asked = dict(address.pairs)
    for text, start, end in _PRESETS:
        same = (asked.get("from"), asked.get("to")) == (start, end)
        yield text, address.but(**{"from": start, "to": end, "after": None}), same
