"""Recordings that an erasure may be about: they are not erased, and a person is to look at them.

Nobody knows if the person is heard in them, or if a number without a country is the person's. They are kept with the
plan, so that who approves it sees them, and in its report; why is said without naming the person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.party_index import among_parties
from recording_archive.catalog.rows import pages, part_key, part_of
from recording_archive.catalog.tables import dispositions, recordings
from recording_archive.disposition import plan_table
from recording_archive.disposition.erasure_subject import Subject, Wanted, unread, wanted
from recording_archive.model import PartId
from recording_archive.parties.values import NUMBER

MAYBE_HEARD = "its interaction has this party, who may not be heard in it"
MAYBE_THE_SAME = "its number has the same last digits, and the country of one of the two is not known"

_KEY = part_key(recordings)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A part that may be meant, and why it is not known."""

    part: PartId
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return the form of commands, REST and reports."""
        names = ("interactionId", "recordingId", "part")
        return {**dict(zip(names, self.part, strict=True)), "why": self.why}


def find_doubts(archive: Archive, subject: Subject) -> list[Doubt]:
    """List what a checked or unchecked subject may mean beside what it means for certain; change nothing."""
    return [Doubt(part_of(row), why) for row, why in _found(archive, wanted(archive, subject))]


def note_doubts(archive: Archive, run_id: str, subject: Subject) -> None:
    """Write down with a plan what its subject may mean as well."""
    found = _found(archive, wanted(archive, subject))
    rows = [{**plan_table.planned_row(row, plan_table.LOOK, None, None), **_kept(why)} for row, why in found]
    with archive.catalog.write() as connection:
        plan_table.add_rows(connection, run_id, rows)


def noted_doubts(archive: Archive, run_id: str) -> list[Doubt]:
    """List what was written down with a plan."""
    mine = plan_table.rows_of(archive, run_id, dispositions.c.action == plan_table.LOOK)
    return [Doubt(part_of(row), row.why or "") for page in mine for row in page]


def _kept(why: str) -> dict[str, str]:
    return {"outcome": plan_table.KEPT, "why": why}


def _found(archive: Archive, asked: Wanted) -> Iterator[tuple[Row[Any], str]]:
    seen = set[PartId]()
    for page in _candidates(archive, asked):
        for row in page:
            if part_of(row) not in seen and not asked.is_meant(row) and asked.is_left(row):
                seen.add(part_of(row))
                if why := _why(row, asked):
                    yield row, why


def _candidates(archive: Archive, asked: Wanted) -> Iterable[Sequence[Row[Any]]]:
    for condition in _conditions(asked):
        yield from pages(archive.catalog, select(recordings).where(condition), *_KEY)
    if asked.numbers:
        yield from unread(archive)


def _conditions(asked: Wanted) -> Iterator[ColumnElement[bool]]:
    if asked.contacts:
        yield among_parties("contact_id", sorted(asked.contacts), certain=False)
    if asked.numbers:
        yield among_parties(NUMBER, sorted(asked.numbers | asked.keys), certain=False)


def _why(row: Row[Any], asked: Wanted) -> str | None:
    if asked.contacts & asked.contacts_of(row).possible or asked.numbers & asked.numbers_of(row).possible:
        return MAYBE_HEARD
    return MAYBE_THE_SAME if asked.keys & asked.numbers_of(row).possible else None
