"""The part of the archive that somebody may see, as a condition which every query for a page carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, literal, select

from recording_archive.catalog.rows import is_part
from recording_archive.catalog.search_driver import Group
from recording_archive.catalog.tables import recordings
from recording_archive.model import PartId


class Visible(Protocol):
    """A set of recordings."""

    @property
    def everything(self) -> bool:
        """Tell if it is all of them, those that come later too."""

    def group(self, connection: Connection) -> Group | None:
        """Return it as a filter of a search, always checked; None for all of them."""


@dataclass(frozen=True, slots=True)
class _Everything:
    """All recordings."""

    everything: bool = True

    def group(self, connection: Connection) -> None:
        """No filter."""


EVERYTHING: Visible = _Everything()


def only(connection: Connection, visible: Visible) -> list[ColumnElement[bool]]:
    """Return the conditions on `recordings` of a query that must not tell of anything else."""
    group = visible.group(connection)
    return [] if group is None else [group.check]


def covers(connection: Connection, visible: Visible, part: PartId) -> bool:
    """Tell if a part is among what is visible; one that is not there is not."""
    wanted = (is_part(recordings, part), *only(connection, visible))
    return connection.execute(select(literal(1)).select_from(recordings).where(*wanted)).first() is not None
