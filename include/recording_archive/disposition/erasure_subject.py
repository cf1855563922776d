"""The subject of an erasure: a person's numbers and contacts, or ids; checked, and looked up in the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.rows import has_id, pages, part_key, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.disposition.recheck import held_by
from recording_archive.errors import ConfigurationError
from recording_archive.model import PartId, State
from recording_archive.phone_numbers import canonical, spellings
from recording_archive.spelling.ids import clean_id

_c = recordings.c
_PERSONAL = ("agent_id", "agent_name", "ani", "dnis", "contact_id")
_SEPARATORS = " ()./-"  # that people write into numbers


@dataclass(frozen=True, slots=True)
class Subject:
    """Criteria of an erasure, joined by or: numbers, contacts, ids of interactions or recordings."""

    numbers: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A part that an erasure is about; ``held`` names the holds that keep it."""

    part: PartId
    state: State
    interaction_date: datetime | None
    held: str | None


def find(archive: Archive, subject: Subject) -> Iterator[Found]:
    """Yield every part that ``subject`` names, in whatever state unless it is erased; change nothing."""
    for page in matching(archive, checked(subject)):
        with archive.catalog.read() as connection:
            held = holds.holding(connection, page)
        for row in page:
            why = None if row.state == State.PURGED else held_by(held.get(part_of(row)))
            yield Found(part_of(row), State(row.state), row.interaction_date, why)


def matching(archive: Archive, subject: Subject) -> Iterator[Sequence[Row[Any]]]:
    """Yield pages of the rows that a checked subject names, each row once.

    All parts seen are held in memory: no more than are to be erased.
    """
    personal = or_(*(_c[name].is_not(None) for name in _PERSONAL))
    left = or_(_c.state.not_in((State.PURGED, State.ERASED)), _c.deleting_at.is_not(None), personal)
    seen: set[PartId] = set()
    for condition in _conditions(archive, subject):
        for page in pages(archive.catalog, select(recordings).where(condition, left), *part_key(recordings)):
            yield [row for row in page if part_of(row) not in seen]
            seen.update(map(part_of, page))


def checked(subject: Subject) -> Subject:
    """Strip the values of a subject; raise ConfigurationError when it names nothing, or everything."""
    lists = [
        tuple(dict.fromkeys(each.strip() for each in given))
        for given in (subject.numbers, subject.contacts, subject.ids)
    ]
    if not any(lists):
        raise ConfigurationError("Nothing is named: give numbers, contacts or ids of interactions or recordings")
    if any(not clean_id(each) for given in lists for each in given):
        raise ConfigurationError("A number, contact or id is empty: leave it out")
    return Subject(*lists)


def checked_reason(reason: str, subject: Subject) -> str:
    """Strip the reason; raise ConfigurationError when it names the person, for it is kept for good."""
    if not reason.strip():
        raise ConfigurationError("The reason is empty: say why it is erased, such as the number of the request")
    digits = re.sub(r"\D", "", reason)
    named = [number for number in subject.numbers if canonical(number).isdigit() and canonical(number) in digits]
    if named or any(clean_id(contact).lower() in reason.lower() for contact in subject.contacts):
        raise ConfigurationError(
            "The reason names what is to be erased, and is kept for good: name the request instead"
        )
    return reason.strip()


def _conditions(archive: Archive, subject: Subject) -> Iterator[ColumnElement[bool]]:
    """Yield one condition for each index."""
    if subject.ids:
        yield has_id(_c.interaction_id, subject.ids)
        yield has_id(_c.recording_id, subject.ids)
    if subject.contacts:
        yield has_id(_c.contact_id, subject.contacts)
    for column in (_c.ani, _c.dnis) if subject.numbers else ():
        if written := _as_written(archive, column, subject.numbers):
            yield column.in_(written)


def _as_written(archive: Archive, column: Any, numbers: Sequence[str]) -> list[str]:
    """List the source's spellings of the numbers; blanks may be anywhere, so all of a column is compared."""
    bare: Any = column
    for separator in _SEPARATORS:
        bare = func.replace(bare, separator, "")
    wanted = {spelling for number in numbers for spelling in (*spellings(number), f"tel:{canonical(number)}")}
    query = select(column).distinct().where(or_(bare.in_(wanted), column.in_(wanted)))
    with archive.catalog.read() as connection:
        return list(connection.execute(query).scalars())
