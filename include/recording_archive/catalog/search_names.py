"""Names of agents and queues that hold a text, as people type them: in any spelling, any part of it.

A contact centre has thousands of names in millions of rows: they are read by `distinct`, and compared here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection

from recording_archive.catalog.distinct import distinct
from recording_archive.catalog.tables import party_values
from recording_archive.spelling.names import folded


def names_like(connection: Connection, column: Column[Any], text: str, *, whole: bool = False) -> list[str]:
    """The distinct values of ``column``, which must be the first of an index, that hold ``text``, or are it."""
    wanted = folded(text)
    names = ((name, folded(name)) for name in distinct(connection, column))
    return [name for name, name_of_it in names if (wanted == name_of_it if whole else wanted in name_of_it)]


def other_names_like(connection: Connection, field: str, text: str, *, whole: bool = False) -> list[str]:
    """The values of a field of `party_values`, in which names are folded, that hold ``text``, or are it."""
    wanted = folded(text)
    if whole:
        return [wanted]
    names = distinct(connection, party_values.c.value, party_values.c.field == field)
    return [name for name in names if wanted in name]
