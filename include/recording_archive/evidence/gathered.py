"""Recordings gathered for a pack, each once, in the order of their dates; on disk where there are many."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from recording_archive.model import PartId

_TABLE = (
    "create table gathered (at text, interaction text, recording text, part integer, bytes integer, "
    "primary key (interaction, recording, part)) without rowid"
)
_SORTED = "select * from gathered order by at is not null, at, interaction, recording, part"  # without a date: first


class Found(NamedTuple):
    """A recording that a request names: its date, its part, and the bytes that it takes in a pack."""

    at: datetime | None
    part: PartId
    size_bytes: int


class Gathered:
    """Recordings of one request; a file of SQLite's own, which nobody else sees, takes what memory should not."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute(_TABLE)

    def add(self, found: Iterable[Found]) -> None:
        """Add some; what is there already stays once."""
        rows = ((_text(each.at), *each.part, each.size_bytes) for each in found)
        self._database.executemany("insert or ignore into gathered values (?, ?, ?, ?, ?)", rows)

    def __len__(self) -> int:
        return self._database.total_changes

    def __iter__(self) -> Iterator[Found]:
        for at, interaction, recording, part, size in self._database.execute(_SORTED):
            yield Found(_moment(at), PartId(interaction, recording, part), size)

    def span(self) -> tuple[datetime | None, datetime | None]:
        """Return the first and the last date; None where there is none."""
        first, last = self._database.execute("select min(at), max(at) from gathered").fetchone()
        return _moment(first), _moment(last)


def _text(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
