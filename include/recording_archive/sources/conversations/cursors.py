"""Lists that the platform API gives page by page, each page with a cursor that leads to the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from recording_archive.errors import PermanentError

__all__ = ["CursorPage", "cursor_parameter", "follow_cursors"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[T]):
    """One page of a list; ``cursor`` is None on the last one."""

    entries: Sequence[T]
    cursor: str | None


def follow_cursors(name: str, ask: Callable[[str | None], CursorPage[T]]) -> Iterator[T]:
    """Give the entries of all pages; raise PermanentError that names the list when it leads in a circle."""
    cursor: str | None = None
    while True:
        page = ask(cursor)
        yield from page.entries
        if page.cursor is None:
            return
        if page.cursor == cursor:
            raise PermanentError(f"{name} gives the same cursor twice: the list has no end; report it")
        cursor = page.cursor


def cursor_parameter(cursor: str | None) -> str:
    """Query parameter that asks for the page of a cursor; empty for the first page."""
    return f"&cursor={quote(cursor, safe='')}" if cursor else ""
