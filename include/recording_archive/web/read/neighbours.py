"""Neighbours of a recording in the search one came from: the one before and the one after it, at any depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError, validate_call

from recording_archive.archive import Archive
from recording_archive.catalog.search import Filters, Position, search
from recording_archive.catalog.visible import Visible
from recording_archive.model import PartId
from recording_archive.web.problem import Problem
from recording_archive.web.read.filters import Sort, judged, read_asked

LONGEST = 2000
"""Characters of a search that links carry along; a pasted column of ids is longer, and would be in every row."""

_read = validate_call(read_asked)
_LEFT_OUT = frozenset({"after", "sort", "format", "columns"})


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The recordings before and after, as the search lists them; None at its ends."""

    before: PartId | None = None
    after: PartId | None = None


def read_neighbours(archive: Archive, asked: str, part: PartId, date: datetime | None, visible: Visible) -> Neighbours:
    """Look beside ``part`` in a search of what is ``visible``; one that cannot be read has no neighbours."""
    given = parse_qsl(asked)
    try:
        filters = replace(judged(archive, _filters(given)), visible=visible)
    except (ValidationError, Problem):
        return Neighbours()
    oldest = dict(given).get("sort") == Sort.OLDEST
    here = Position(date, part)
    return Neighbours(
        _beside(archive, filters, here, oldest=not oldest), _beside(archive, filters, here, oldest=oldest)
    )


def _filters(given: list[tuple[str, str]]) -> Filters:
    values: dict[str, Any] = {name: value for name, value in given if name not in _LEFT_OUT}
    if "id" in values:
        values["id"] = [value for name, value in given if name == "id"]
    return _read(**values)


def _beside(archive: Archive, filters: Filters, here: Position, *, oldest: bool) -> PartId | None:
    rows = search(archive.catalog, filters, limit=1, after=here, oldest=oldest).rows
    found = _part(rows[0]) if rows else None
    return None if found == here.part else found


def _part(row: Mapping[str, Any]) -> PartId:
    return PartId(row["interaction_id"], row["recording_id"], row["part"])
