"""Ledgers for tests: events told and sealed, lines read back, and their proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events, segments
from recording_archive.ledger import chain
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.sealing import seal
from recording_archive.model import PartId
from recording_archive.store.local import LocalStore

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


def tell(archive: Archive, *actors: str, **detail: Any) -> None:
    """Write one event for each of the actors."""
    with archive.catalog.write() as connection:
        for actor in actors:
            record(connection, "played", PartId("call", "call"), at=archive.clock(), actor=actor, detail=detail)


def actors_in(archive: Archive) -> list[str]:
    """The actors of all sealed events, in the order of the ledger."""
    every = (line for number in chain.segment_numbers(archive.store) for line in lines_of(archive, number))
    return [line["actor"] for line in every if "uid" in line]


def lines_of(archive: Archive, number: int) -> list[dict[str, Any]]:
    """The lines of a segment, read."""
    return [json.loads(line) for line in archive.store.read(chain.segment_key(number)).splitlines()]


def in_catalog(archive: Archive) -> dict[int, str]:
    """The segments that the catalog knows, with their heads."""
    with archive.catalog.read() as connection:
        return {row.number: row.sha256 for row in connection.execute(select(segments))}


def path_of(archive: Archive, number: int) -> Path:
    """The file of a segment."""
    return archive.settings.root / chain.segment_key(number)


def prove(root: Path, head: str | None = None, now: datetime | None = None) -> list[Flaw]:
    """Everything that is wrong with an archive's ledger."""
    return list(Proof(LocalStore(root), now=now or datetime.now(UTC), expected=head).flaws())


def tampered(root: Path, head: str | None = None) -> list[str]:
    """The places that were tampered with."""
    return [flaw.place for flaw in prove(root, head) if flaw.tampered]


def documents(archive: Archive, prefix: str, ending: str = "") -> list[Path]:
    """The files below a folder with that ending."""
    return [archive.settings.root / key for key in archive.store.list(prefix) if key.endswith(ending)]


def unsealed(archive: Archive) -> list[str]:
    """The actors of all events that are not sealed."""
    with archive.catalog.read() as connection:
        return list(connection.execute(select(events.c.actor).where(events.c.segment.is_(None))).scalars())


class Interposed(LocalStore):
    """A store that does something else just before, or just after, it puts a document."""

    def __init__(self, root: Path, *, before: Callable[[], object] = int, after: Callable[[], object] = int) -> None:
        super().__init__(root)
        self._before, self._after = [before], [after]

    def put(self, key: str, content: bytes) -> bool:
        """Put a document, with what comes between."""
        while self._before:
            self._before.pop()()
        published = super().put(key, content)
        while self._after:
            self._after.pop()()
        return published


class Crash(BaseException):
    """The end of a process: no code catches it."""


def crash() -> None:
    """End the process."""
    raise Crash


def crash_after_put(archive: Archive) -> None:
    """Seal, and die between the archive and the catalog."""
    with pytest.raises(Crash):
        seal(replace(archive, store=Interposed(archive.settings.root, after=crash)))
