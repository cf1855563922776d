"""Holds by what events, documents and catalog tell of them: what one of the three alone tells is for a person.

An event is the word of a person, by name and with the document's hash. A document without one is *foreign*: a crash
left it before anybody was told, or someone put it there. A foreign hold holds, a foreign release releases nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, holds
from recording_archive.errors import PermanentError
from recording_archive.holds.documents import FOLDER, key_of, read_key, release_key_of


@dataclass(frozen=True, slots=True)
class RecordedHold:
    """The event of a hold: who made it, and when."""

    owner: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """Facts that the catalog's events say of holds: those made and those released, by id.

    ``hashes`` are of their documents, by key; None where an event names none.
    """

    held: Mapping[str, RecordedHold]
    released: frozenset[str]
    hashes: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Survey:
    """Holds that need a person, by id, and foreign documents, by key.

    ``lost`` are in force by their events, and their documents are gone; ``unknown`` have a document and no row in the
    catalog, and are not released; ``untold`` are released in the catalog, and no event records it.
    """

    lost: tuple[str, ...]
    unknown: tuple[str, ...]
    unrecorded: tuple[str, ...]
    foreign: tuple[str, ...]


def read_recorded(connection: Connection) -> Recorded:
    """Read what events say of holds; the newest event of a document has the hash that counts."""
    wanted = (events.c.interaction_id.is_(None), events.c.kind.in_(("held", "released")))  # the first has an index
    order = (events.c.segment.nulls_last(), events.c.id)
    columns = (events.c.kind, events.c.at, events.c.actor, events.c.detail)
    held, released, hashes = dict[str, RecordedHold](), set[str](), dict[str, str | None]()
    for kind, at, actor, detail in connection.execute(select(*columns).where(*wanted).order_by(*order)):
        hold_id = str(detail["hold"])
        if kind == "held":
            held.setdefault(hold_id, RecordedHold(actor, at))
        else:
            released.add(hold_id)
        key = key_of(hold_id) if kind == "held" else release_key_of(hold_id)
        hashes[key] = detail.get("files", {}).get(key, hashes.get(key))
    return Recorded(held, frozenset(released), hashes)


def survey(archive: Archive) -> Survey:
    """Compare events, rows and documents of all holds, the documents by their names alone."""
    with archive.catalog.read() as connection:  # before the folder: a document is there before its event
        recorded = read_recorded(connection)
        rows = {row.id: row.released_at for row in connection.execute(select(holds.c.id, holds.c.released_at))}
    lying = set(archive.store.list(FOLDER))
    made = {hold_id for hold_id, ends in map(_named, lying) if hold_id and not ends}
    return Survey(
        lost=_sorted(hold_id for hold_id in recorded.held if hold_id not in recorded.released and hold_id not in made),
        unknown=_sorted(made.difference(rows, recorded.released)),
        unrecorded=_sorted(
            hold_id for hold_id, at in rows.items() if at is not None and hold_id not in recorded.released
        ),
        foreign=_sorted(lying.difference(recorded.hashes)),
    )


def _named(key: str) -> tuple[str | None, bool]:
    """Read the id of a hold from a key, and if it is a release; no id for any other file."""
    try:
        return read_key(key)
    except PermanentError:
        return None, False


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
