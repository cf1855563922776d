"""Filters and order of a details query: every dimension that the OpenAPI copy names, clauses, and refusals of the rest.

A segment filter is met by one segment with its session and participant, a conversation filter by the conversation; all
filters of a query must be met. A dimension that the sandbox has no value for is never met, one that does not exist is
refused with a 400.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from genesys_sandbox.platform.call import BadRequestError

_LISTS = ("segmentFilters", "conversationFilters")
_FIELDS = frozenset({*_LISTS, "interval", "order", "orderBy", "paging", "limit", "startOfDayIntervalMatching"})
_ORDERS = ("asc", "desc", "unordered")
_ORDERED_BY = ("conversationStart", "conversationEnd", "segmentStart", "segmentEnd")
_OPERATORS = ("matches", "exists", "notExists")

Row = Mapping[str, Sequence[Any]]
"""Values of a segment or a conversation, by dimension."""


def check_query(body: Mapping[str, Any]) -> None:
    """Raise BadRequestError for what the service would not take."""
    if unknown := sorted(body.keys() - _FIELDS):
        raise BadRequestError(f"Unrecognized field {unknown[0]!r}; known are {', '.join(sorted(_FIELDS))}")
    _among("order", body.get("order", "asc"), _ORDERS)
    _among("orderBy", body.get("orderBy", "conversationStart"), _ORDERED_BY)
    for name in _LISTS:
        for each in _objects(body, name):
            _check_filter(name, each, nested=False)


def passes(body: Mapping[str, Any], details: Mapping[str, Any]) -> bool:
    """Tell if a conversation meets every filter of a query; ``details`` is its JSON."""
    segments, conversation = list(_segments(details)), [_conversation(details)]
    every = (
        (each, rows)
        for name, rows in zip(_LISTS, (segments, conversation), strict=True)
        for each in body.get(name) or ()
    )
    return all(any(_meets(row, each) for row in rows) for each, rows in every)


def ordering(body: Mapping[str, Any]) -> tuple[Callable[[Mapping[str, Any]], str], bool]:
    """The key of a conversation's JSON by which a query orders, and whether it is descending; open ones end last."""
    by = body.get("orderBy", "conversationStart")

    def key(details: Mapping[str, Any]) -> str:
        if by.startswith("conversation"):
            return str(details.get(by, "9"))
        moments = [moment for row in _segments(details) for moment in row.get(by, ())]
        return str(min(moments) if by == "segmentStart" else max(moments))

    return key, body.get("order") == "desc"


def _check_filter(where: str, given: Mapping[str, Any], *, nested: bool) -> None:
    if unknown := sorted(given.keys() - {"type", "predicates", *(() if nested else ("clauses",))}):
        raise BadRequestError(f"{where}: unrecognized field {unknown[0]!r}")
    _among(f"{where}: type", given.get("type"), ("and", "or"))
    for each in _objects(given, "clauses"):
        _check_filter(where, each, nested=True)
    for each in _objects(given, "predicates"):
        _check_predicate(where, each)
    if not given.get("predicates") and not given.get("clauses"):
        raise BadRequestError(f"{where}: a filter needs predicates or clauses")


def _check_predicate(where: str, given: Mapping[str, Any]) -> None:
    if given.get("type", "dimension") != "dimension":
        raise BadRequestError(f"{where}: the sandbox has dimensions alone, no {given['type']!r}")
    _among(f"{where}: dimension", given.get("dimension"), _dimensions(where))
    operator = given.get("operator", "matches")
    _among(f"{where}: operator", operator, _OPERATORS)
    if (operator == "matches") != isinstance(given.get("value"), str):
        raise BadRequestError(f"{where}: matches needs a value, {' and '.join(_OPERATORS[1:])} none")


@lru_cache(maxsize=2)
def _dimensions(where: str) -> frozenset[str]:
    schemas = json.loads(Path(__file__).with_name("openapi.json").read_text())["components"]["schemas"]
    kind = "SegmentDetailQueryPredicate" if where == _LISTS[0] else "ConversationDetailQueryPredicate"
    return frozenset(schemas[kind]["properties"]["dimension"]["enum"])


def _meets(row: Row, given: Mapping[str, Any]) -> bool:
    results = [*(_meets(row, each) for each in given.get("clauses") or ())]
    results += [_fits(row, each) for each in given.get("predicates") or ()]
    return any(results) if given["type"] == "or" else all(results)


def _fits(row: Row, predicate: Mapping[str, Any]) -> bool:
    values = row.get(predicate["dimension"], ())
    match predicate.get("operator", "matches"):
        case "exists":
            return bool(values)
        case "notExists":
            return not values
    return any(str(value).lower() == predicate["value"].lower() for value in values)


def _segments(details: Mapping[str, Any]) -> Iterator[Row]:
    """Each segment with the fields of its session and participant."""
    for participant in details["participants"]:
        for session in participant["sessions"]:
            for segment in session["segments"]:
                yield {name: [value] for each in (participant, session, segment) for name, value in each.items()}


def _conversation(details: Mapping[str, Any]) -> Row:
    return {"divisionId": details["divisionIds"]} | {name: [value] for name, value in details.items()}


def _objects(given: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = given.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadRequestError(f"{name} must be a list of objects")
    return found


def _among(name: str, value: object, known: Sequence[str] | frozenset[str]) -> None:
    if value not in known:
        raise BadRequestError(f"{name}: {value!r} is none of {', '.join(sorted(known))}")
