"""Recordings put into the catalog without an archive run, for tests that count them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index, unindex
from recording_archive.catalog.rows import is_part, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.model import State
from recording_archive.parties.documents import NAMES, columns, from_json

AS_OF = datetime(2026, 11, 23, 9, 30, 0, 500_000, tzinfo=UTC)


def archived_row(number: int, date: datetime | None, **more: Any) -> dict[str, Any]:
    """An archived recording of that date; ``number`` makes its id, and its size; ``parties`` are as in documents."""
    name = f"call-{number}"
    values = {"interaction_id": name, "recording_id": name, "part": 0, "state": State.ARCHIVED, "verified_ok": True}
    plain = dict.fromkeys((*NAMES, "direction", "media_type", "quarantined_at"))
    plain |= {"interaction_date": date, "stored_bytes": number + 1, **more}
    told = plain.get("parties", [])
    return {**values, **plain, **(columns(plain, from_json(told), "") if told is not None else UNREAD)}


UNREAD = {"parties": None, "numbers": None}
"""The columns of a recording that was not yet read for parties."""


def fill(archive: Archive, *rows: dict[str, Any]) -> Archive:
    """The archive with these recordings in its catalog, its clock standing at `AS_OF`."""
    with archive.catalog.write() as connection:
        connection.execute(insert(recordings), list(rows))
        index(connection, rows)
    return replace(archive, clock=lambda: AS_OF)


def change(catalog: Catalog, *where: ColumnElement[bool], **values: Any) -> None:
    """Give recordings other values, their numbers among them, and let them be found by these."""
    with catalog.write() as connection:
        for row in connection.execute(select(recordings).where(*where)).all():
            mine = is_part(recordings, part_of(row))
            unindex(connection, [row])
            new = {**row._mapping, **values}
            told = UNREAD if new["parties"] is None else columns(new, from_json(new["parties"]), "")
            connection.execute(update(recordings).where(mine).values(**values | told))
            index(connection, [new | told])
