"""The preview of a hold: what it would hold before it is made, and which of its values look mistyped.

A hold that covers nothing is allowed, because it also covers what is still to come; so a wrong letter in a name would
go unnoticed. Values that no recording has so far are named, with the names that are like them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, literal, or_, select

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.distinct import distinct
from recording_archive.catalog.rows import is_part
from recording_archive.catalog.search_ids import unknown_ids
from recording_archive.catalog.tables import party_values, recordings
from recording_archive.model import PartId
from recording_archive.parties.values import NUMBER
from recording_archive.phone_numbers import asked_keys, number_form
from recording_archive.spelling.names import folded
from recording_archive.web.problem import Problem
from recording_archive.web.read.hold_documents import HoldEffect, HoldRequest, read_criteria, split_values, to_effect
from recording_archive.web.read.recording_documents import RecordingRow
from recording_archive.web.read.recording_rows import to_rows

FIELDS = ("ids", "agents", "queues", "numbers", "from", "to")
_MOST_HINTS = 20  # values of a field that are looked up; a longer list was not typed by hand
_SIMILAR = 4
_c = recordings.c


@dataclass(frozen=True, slots=True)
class Hint:
    """A value that no recording has so far, and names that are like it."""

    what: str
    value: str
    similar: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview; ``problem`` says why the hold cannot be made. ``wanted`` is the body of a request to make it."""

    problem: str | None = None
    wanted: Mapping[str, Any] | None = None
    effect: HoldEffect | None = None
    warning: str | None = None
    examples: Sequence[RecordingRow] = ()
    hints: Sequence[Hint] = ()


def preview(archive: Archive, given: Mapping[str, str]) -> Preview:
    """Preview a hold with these fields; each is a text as it was typed, with a value in each line."""
    try:
        wanted = _read(given)
        criteria = read_criteria(archive, wanted)
    except ValidationError as error:
        return Preview("; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3]))
    except Problem as problem:
        return Preview(problem.detail)
    hold = holds.Hold("", "", "", "", archive.clock(), criteria, None, None, None)
    effect = holds.effect(archive, hold)
    return Preview(
        wanted=wanted.model_dump(by_alias=True, exclude_defaults=True),
        effect=to_effect(effect),
        warning=holds.warning(hold, effect, ()),
        examples=rows_of(archive, effect.examples),
        hints=tuple(_hints(archive, criteria)),
    )


def rows_of(archive: Archive, parts: Sequence[PartId]) -> list[RecordingRow]:
    """The recordings of these names, in their order."""
    if not parts:
        return []
    wanted = or_(*(is_part(recordings, part) for part in parts))
    with archive.catalog.read() as connection:
        rows = [dict(row) for row in connection.execute(select(recordings).where(wanted)).mappings()]
    return sorted(to_rows(archive, rows), key=lambda row: parts.index(row.part_id))


def _read(given: Mapping[str, str]) -> HoldRequest:
    request = {
        "interactionIds": split_values(given.get("ids"), words=True),
        **{name: split_values(given.get(name)) for name in ("agents", "queues", "numbers")},
        **{name: given[name].strip() for name in ("from", "to") if given.get(name, "").strip()},
    }
    return HoldRequest.model_validate(request)


def _hints(archive: Archive, criteria: holds.Criteria) -> Iterator[Hint]:
    yield from (Hint("interaction", each) for each in unknown_ids(archive.catalog, criteria.interaction_ids))
    with archive.catalog.read() as connection:
        yield from _named(connection, "agent", criteria.agents, _c.agent_id, _c.agent_name)
        yield from _named(connection, "queue", criteria.queues, _c.queue_id, _c.queue_name)
        for number in criteria.numbers[:_MOST_HINTS]:
            form = number_form(number, criteria.region)
            if not _any(connection, [NUMBER], [form, *asked_keys(form)]):
                yield Hint("number", number)


def _named(
    connection: Connection, what: str, values: Sequence[str], id_column: Any, name_column: Any
) -> Iterator[Hint]:
    if not values:
        return
    ids = set(map(folded, distinct(connection, id_column)))
    names = {folded(name): name for name in distinct(connection, name_column)}
    for value in values[:_MOST_HINTS]:
        wanted = folded(value)
        if wanted in names or wanted in ids or _any(connection, (id_column.name, name_column.name), [wanted]):
            continue
        parts = [name for name in names if wanted in name][:_SIMILAR]
        near = parts or get_close_matches(wanted, names, _SIMILAR)
        yield Hint(what, value, tuple(names[name] for name in near))


def _any(connection: Connection, fields: Sequence[str], values: Sequence[str]) -> bool:
    """Tell if some recording has one of some values by its index of parties, certain or possible."""
    query = select(literal(1)).where(party_values.c.field.in_(fields), party_values.c.value.in_(values))
    return connection.execute(query.limit(1)).first() is not None
