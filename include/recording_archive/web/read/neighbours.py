"""Neighbours of a recording in the search one came from: the one before and the one after it, at any depth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError, validate_call

from recording_archive.archive import Archive
from recording_archive.catalog.ordered import Order, beside_in
from recording_archive.catalog.search import Filters, Position
from recording_archive.catalog.visible import Visible
from recording_archive.errors import ConfigurationError
from recording_archive.model import PartId
from recording_archive.web.problem import Problem
from recording_archive.web.read.filters import judged, read_asked

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
    try:
        order = Order(dict(given).get("sort", Order.NEWEST))
        return Neighbours(*beside_in(archive.catalog, filters, order, Position(date, part)))
    except (ValueError, ConfigurationError):
        return Neighbours()


def _filters(given: list[tuple[str, str]]) -> Filters:
    values: dict[str, Any] = {name: value for name, value in given if name not in _LEFT_OUT}
    if "id" in values:
        values["id"] = [value for name, value in given if name == "id"]
    return _read(**values)
