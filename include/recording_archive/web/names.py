"""Names of agents and queues that hold a text, as people type them: in any case, any word of it.

A contact centre has thousands of names in millions of rows: the index is hopped from name to name, and the names are
compared here, because SQLite folds the case of ASCII alone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, func, select


def names_like(connection: Connection, column: Column[Any], text: str) -> list[str]:
    """The distinct values of ``column``, which must be the first of an index, that hold ``text``."""
    wanted = text.casefold()
    return [name for name in _distinct(connection, column) if wanted in name.casefold()]


def _distinct(connection: Connection, column: Column[Any]) -> list[str]:
    """A loose index scan: each step seeks the next larger value."""
    names = select(func.min(column).label("name")).cte("names", recursive=True)
    following = select(func.min(column)).where(column > names.c.name).scalar_subquery()
    names = names.union_all(select(following).where(names.c.name.is_not(None)))
    return list(connection.execute(select(names.c.name).where(names.c.name.is_not(None))).scalars())
