"""Holds in the catalog: a row, one for each value it asks for, and the events; all inside the caller's transaction.

Events tell who, when and which document; matter and reason stay in the document, for they may name people.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from recording_archive.catalog.events import record
from recording_archive.catalog.rows import pages
from recording_archive.catalog.tables import hold_terms, holds
from recording_archive.holds.criteria import Criteria
from recording_archive.holds.documents import Hold, key_of, release_key_of

ACTIVE = holds.c.released_at.is_(None)


def enter(connection: Connection, hold: Hold, sha256: str, *, tell: bool = True) -> None:
    """Let a hold hold, whose document has this hash; ``tell`` of it by an event, unless there is one."""
    connection.execute(insert(holds).values(to_row(hold)))
    if terms := to_terms(hold):
        connection.execute(insert(hold_terms), terms)
    if tell:
        tell_made(connection, hold.id, sha256, at=hold.created_at, actor=hold.owner)


def end(connection: Connection, hold: Hold, sha256: str, *, tell: bool = True) -> bool:
    """Release a hold as its document of this hash does; False when the catalog knew. Its values stay, to be shown."""
    facts = {name: getattr(hold, name) for name in ("released_at", "released_by", "release_reason")}
    still = update(holds).where(holds.c.id == hold.id, ACTIVE)
    if not connection.execute(still.values(**facts)).rowcount or hold.released_at is None:
        return False
    if tell:
        tell_ended(connection, hold.id, sha256, at=hold.released_at, actor=hold.released_by)
    return True


def tell_made(
    connection: Connection, hold_id: str, sha256: str, *, at: datetime, actor: str | None, **more: Any
) -> None:
    """Write the event of a hold; ``sha256`` is its document's."""
    detail = {"hold": hold_id, "files": {key_of(hold_id): sha256}, **more}
    record(connection, "held", None, at=at, actor=actor, detail=detail)


def tell_ended(
    connection: Connection, hold_id: str, sha256: str, *, at: datetime, actor: str | None, **more: Any
) -> None:
    """Write the event of a release; ``sha256`` is its document's."""
    detail = {"hold": hold_id, "files": {release_key_of(hold_id): sha256}, **more}
    record(connection, "released", None, at=at, actor=actor, detail=detail)


def to_row(hold: Hold) -> dict[str, Any]:
    """A hold's columns."""
    facts = {field.name: getattr(hold, field.name) for field in dataclasses.fields(hold)}
    return facts | {
        "start": hold.criteria.start,
        "end": hold.criteria.end,
        "criteria": hold.criteria.to_json(),
        "fields": ",".join(sorted(hold.criteria.terms())),
        "key": key_of(hold.id),
    }


def to_terms(hold: Hold) -> list[dict[str, str]]:
    """The columns of each value that a hold asks for."""
    terms = hold.criteria.terms()
    return [{"field": field, "value": value, "hold_id": hold.id} for field in terms for value in terms[field]]


def respell(connection: Connection) -> int:
    """Enter the values of holds again that a migration forgot, because texts are compared differently now.

    Such a hold holds meanwhile, but each look-up must read it. Return how many were entered.
    """
    count = 0
    for page in pages(connection, select(holds).where(holds.c.fields == ""), holds.c.id):
        forgotten = [hold for hold in map(to_hold, page) if hold.criteria.terms()]
        for hold in forgotten:
            connection.execute(insert(hold_terms), to_terms(hold))
            connection.execute(update(holds).where(holds.c.id == hold.id).values(fields=to_row(hold)["fields"]))
        count += len(forgotten)
    return count


def to_hold(row: Row[Any]) -> Hold:
    """A row as a hold."""
    values = {field.name: getattr(row, field.name) for field in dataclasses.fields(Hold)}
    return Hold(**values | {"criteria": Criteria.from_json(row.criteria)})


def listed(connection: Connection, values: Iterable[str]) -> Select[Any]:
    """Values to compare a column with by ``in_``, in one parameter: databases take some ten thousand at most."""
    functions = {"sqlite": func.json_each, "postgresql": func.json_array_elements_text}
    whole = bindparam(None, list(values), type_=JSON)
    return select(functions[connection.dialect.name](whole).table_valued("value").c.value)


def overlaps(first: datetime | None, last: datetime | None) -> list[ColumnElement[bool]]:
    """Match holds whose dates meet those from ``first`` to ``last``, both included; without them, no condition."""
    if first is None or last is None:
        return []
    begun = or_(holds.c.start.is_(None), holds.c.start <= last)
    return [begun, or_(holds.c.end.is_(None), holds.c.end > first)]
