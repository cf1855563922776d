"""Tools for tests of the platform API: the days that a sandbox has, all pages of a query, and its filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from genesys_sandbox import Sandbox
from support.platform_api import PlatformApi

DAYS = "2026-11-19T00:00:00.000Z/2026-11-21T00:00:00.000Z"
Make = Callable[..., tuple[Sandbox, PlatformApi]]


def paged(api: PlatformApi, **more: Any) -> list[str]:
    """The ids of all pages of a details query."""
    found: list[str] = []
    for number in range(1, 100):
        body = api.details(DAYS, paging={"pageSize": 10, "pageNumber": number}, **more).json()
        if "conversations" not in body:
            return found
        found += [each["conversationId"] for each in body["conversations"]]
    raise AssertionError("no end")


def predicate(dimension: str, value: str | None = None, operator: str = "matches") -> dict[str, str]:
    """A predicate of a filter."""
    return {"dimension": dimension, "operator": operator, **({"value": value} if value is not None else {})}


def either(*predicates: dict[str, str], kind: str = "or") -> dict[str, Any]:
    """A clause, or a filter without clauses."""
    return {"type": kind, "predicates": list(predicates)}
