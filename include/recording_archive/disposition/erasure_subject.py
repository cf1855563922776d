"""The subject of an erasure: a person's numbers and contacts, or ids; checked, and looked up in the catalog."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.party_index import among_parties
from recording_archive.catalog.rows import has_id, pages, part_key, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.disposition.personal import has_personal_data
from recording_archive.disposition.recheck import held_by
from recording_archive.errors import ConfigurationError
from recording_archive.model import PartId, State
from recording_archive.parties.documents import columns
from recording_archive.parties.values import NUMBER, Values, numbers_of, values_of
from recording_archive.phone_numbers import asked_keys, number_form, recorded_keys
from recording_archive.spelling.ids import all_forms, clean_id

_c = recordings.c
_NONE = Values(frozenset(), frozenset(), lacks=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """Criteria of an erasure, joined by or: numbers, contacts, ids of interactions or recordings.

    Numbers and contacts are those of any party, in any spelling.
    """

    numbers: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subject in the spellings of the catalog; ``keys`` are those of numbers that may be meant (`phone_numbers`)."""

    ids: frozenset[str]
    contacts: frozenset[str]
    numbers: frozenset[str]
    keys: frozenset[str]
    region: str

    def is_meant(self, row: Row[Any]) -> bool:
        """Tell if a row is meant for certain: by an id, or by a number or contact of a party that is certain."""
        return bool(
            {row.interaction_id, row.recording_id} & self.ids
            or self.contacts & self.contacts_of(row).certain
            or self.numbers & self.numbers_of(row).certain
        )

    def is_left(self, row: Row[Any]) -> bool:
        """Tell if there is something to erase: bytes, a place among what is to be archived, or personal data."""
        gone = row.state in (State.PURGED, State.ERASED) and row.deleting_at is None
        return not gone or has_personal_data(row)

    def contacts_of(self, row: Row[Any]) -> Values:
        """Return the contacts of a row."""
        return values_of(row, ["contact_id"]) if self.contacts else _NONE

    def numbers_of(self, row: Row[Any]) -> Values:
        """Return the numbers of a row; of one that is not read yet, those of its main parties."""
        if not self.numbers:
            return _NONE
        if row.numbers is None:
            return numbers_of(SimpleNamespace(**row._asdict() | columns(row._asdict(), (), self.region)))
        return numbers_of(row)


@dataclass(frozen=True, slots=True)
class Found:
    """A part that an erasure is about; ``held`` names the holds that keep it."""

    part: PartId
    state: State
    interaction_date: datetime | None
    held: str | None


def find(archive: Archive, subject: Subject) -> Iterator[Found]:
    """Yield every part that ``subject`` means for certain, in whatever state unless it is erased; change nothing."""
    for page in matching(archive, checked(subject)):
        with archive.catalog.read() as connection:
            held = holds.holding(connection, page)
        for row in page:
            why = None if row.state == State.PURGED else held_by(held.get(part_of(row)))
            yield Found(part_of(row), State(row.state), row.interaction_date, why)


def matching(archive: Archive, subject: Subject) -> Iterator[Sequence[Row[Any]]]:
    """Yield pages of the rows that a checked subject means for certain, each row once.

    All parts seen are held in memory: no more than are to be erased.
    """
    asked, seen = wanted(archive, subject), set[PartId]()
    for page in _candidates(archive, asked):
        rows = [row for row in page if part_of(row) not in seen and asked.is_meant(row) and asked.is_left(row)]
        seen.update(map(part_of, rows))
        yield rows


def wanted(archive: Archive, subject: Subject) -> Wanted:
    """Spell what a subject names as the catalog has it."""
    region = archive.settings.phone_region
    numbers = frozenset(number_form(number, region) for number in subject.numbers)
    keys = frozenset(key for number in numbers for key in asked_keys(number))
    return Wanted(frozenset(all_forms(subject.ids)), frozenset(map(clean_id, subject.contacts)), numbers, keys, region)


def unread(archive: Archive) -> Iterator[Sequence[Row[Any]]]:
    """Yield pages of the rows whose parties an older version did not read: by them they cannot be found."""
    return pages(archive.catalog, select(recordings).where(_c.parties.is_(None)), *part_key(recordings))


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


def checked_reason(reason: str, subject: Subject, region: str) -> str:
    """Strip the reason; raise ConfigurationError when it names the person, for it is kept for good."""
    if not reason.strip():
        raise ConfigurationError("The reason is empty: say why it is erased, such as the number of the request")
    said = unicodedata.normalize("NFKC", reason).casefold()
    names = [clean_id(contact).casefold() for contact in subject.contacts]
    names += [number_form(number, region) for number in subject.numbers]
    digits = re.sub(r"\D", "", said)
    tails = [key.partition(":")[2] for name in names[len(subject.contacts) :] for key in recorded_keys(name)]
    if any(name in said for name in names) or any(tail in digits for tail in tails):
        raise ConfigurationError(
            "The reason names what is to be erased, and is kept for good: name the request instead"
        )
    return reason.strip()


def _candidates(archive: Archive, asked: Wanted) -> Iterator[Sequence[Row[Any]]]:
    for condition in _conditions(asked):
        yield from pages(archive.catalog, select(recordings).where(condition), *part_key(recordings))
    if asked.numbers:
        yield from unread(archive)


def _conditions(asked: Wanted) -> Iterator[ColumnElement[bool]]:
    """Yield one condition for each index."""
    if asked.ids:
        yield _c.interaction_id.in_(asked.ids)
        yield _c.recording_id.in_(asked.ids)
    if asked.contacts:
        yield has_id(_c.contact_id, asked.contacts)
        yield among_parties("contact_id", sorted(asked.contacts), certain=True)
    if asked.numbers:
        yield among_parties(NUMBER, sorted(asked.numbers), certain=True)
