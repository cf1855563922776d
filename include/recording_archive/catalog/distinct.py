"""The distinct values of a column with few of them in many rows: the index is hopped from value to value."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, Connection, func, select


def distinct(connection: Connection, column: Column[str], *among: ColumnElement[bool]) -> list[str]:
    """A loose index scan over ``column``: each step seeks the next larger value.

    The column must be the first of an index, or follow those whose values ``among`` fixes. The values are compared
    by the caller: SQLite folds the case of ASCII alone.
    """
    values = select(func.min(column).label("value")).where(*among).cte("found", recursive=True)
    following = select(func.min(column)).where(*among, column > values.c.value).scalar_subquery()
    values = values.union_all(select(following).where(values.c.value.is_not(None)))
    return [*connection.execute(select(values.c.value).where(values.c.value.is_not(None))).scalars().all()]
