"""The signed-in person and the recordings they may see, hear, fetch and decide about, asked for once in a request.

A route that takes `ViewerDep` shows nothing but what it allows. Any other route is taken to tell of all recordings, and
`access.narrow` keeps it from whoever may see some alone: so a new route leaks nothing while nobody thinks of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from sqlalchemy import select

from recording_archive.access.condition import permitted
from recording_archive.access.in_force import Watch
from recording_archive.access.openings import Desk, Opening, open_to
from recording_archive.access.rules import Right
from recording_archive.access.rules import Viewer as Named
from recording_archive.archive import Archive
from recording_archive.catalog.rows import among, is_named, part_key
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import Visible, covers, only
from recording_archive.model import PartId
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.problem import Problem

_watch, desk = Watch(), Desk()


@dataclass(frozen=True, slots=True)
class Viewer:
    """The recordings with which somebody may do something, by what it is; ``opened`` to them now, for a while."""

    sees: Visible
    hears: Visible
    fetches: Visible
    decides: Visible
    opened: tuple[Opening, ...] = ()
    may_open: bool = False

    def open_until(self, interaction_id: str) -> datetime | None:
        """Say until when an interaction is opened to this person; None for one that is not."""
        return max((each.until for each in self.opened if each.interaction_id == interaction_id), default=None)


def viewer(request: Request, archive: ArchiveDep) -> Viewer:
    """The dependency; raises ArchiveError where the document in force cannot be read: then nobody sees anything."""
    if not hasattr(request.state, "archive_viewer"):
        request.state.archive_viewer = _viewer(archive, request.state.archive_user)
    found: Viewer = request.state.archive_viewer
    return found


ViewerDep = Annotated[Viewer, Depends(viewer)]


def asks_for_viewer(dependant: Dependant) -> bool:
    """Tell if a route takes `viewer` itself; what it takes by way of another dependency says nothing of the route."""
    return any(each.call is viewer for each in dependant.dependencies)


def may(archive: Archive, allowed: Visible, part: PartId) -> bool:
    """Tell if a part is among what is ``allowed``."""
    if allowed.everything:
        return True
    with archive.catalog.read() as connection:
        return covers(connection, allowed, part)


def those(archive: Archive, allowed: Visible, parts: Collection[PartId]) -> frozenset[PartId]:
    """Return which of some parts, at most a page of them, are among what is ``allowed``."""
    if allowed.everything or not parts:
        return frozenset(parts)
    with archive.catalog.read() as connection:
        wanted = (among(recordings, parts), *only(connection, allowed))
        return frozenset(PartId(*row) for row in connection.execute(select(*part_key(recordings)).where(*wanted)))


def require(archive: Archive, allowed: Visible, part: PartId, what: str) -> None:
    """Raise Problem (403) unless a part, which is seen, is among what is ``allowed``."""
    if not may(archive, allowed, part):
        raise Problem(403, f"You may not {what} this recording", "The access document of the archive does not let you.")


def decidable(archive: Archive, seen: Viewer, *named: Any) -> list[tuple[Any, ...]]:
    """Return what to decide about when somebody names an interaction, a recording or a part of one.

    Who may decide about some names the parts that are seen, one by one; raise Problem (403) for one that is only seen.
    """
    if seen.sees.everything and seen.decides.everything:
        return [named]
    with archive.catalog.read() as connection:
        wanted = (is_named(recordings, *named), *only(connection, seen.sees))
        parts = [PartId(*row) for row in connection.execute(select(*part_key(recordings)).where(*wanted))]
    for part in parts:
        require(archive, seen.decides, part, "decide about")
    return [tuple(part) for part in parts]


def _viewer(archive: Archive, user: Any) -> Viewer:
    document, named, now = _watch.in_force(archive), _named(user), archive.clock()

    may_open = document is not None and bool(document.opening(named))
    known = desk.openings(archive) if may_open else []
    opened = [each for each in known if each.user == named.name and each.is_open(now)]

    def may(right: Right) -> Visible:
        return permitted(document, named, right, now=now, opened=[each.interaction_id for each in opened])

    rights = (may(Right.METADATA), may(Right.LISTEN), may(Right.DOWNLOAD), may(Right.DECIDE))
    return Viewer(*rights, tuple(opened), may_open)


def break_glass(archive: Archive, user: Any, interaction_id: str, *, reason: str, hours: int | None) -> Opening:
    """Open an interaction to the signed-in person, as `open_to` says."""
    named = _named(user)
    document = _watch.in_force(archive)
    return open_to(archive, document, named, interaction_id, reason=reason, hours=hours, actor=named.name)


def open_now(archive: Archive) -> list[Opening]:
    """List what is open to anybody now; no opening outlives a document that lets people open something."""
    document = _watch.in_force(archive)
    known = desk.openings(archive) if document and document.break_glass else []
    return [each for each in known if each.is_open(archive.clock())]


def _named(user: Any) -> Named:
    """Read the name and the roles of a user of Airflow's, whichever auth manager it has."""
    name, roles = str(user.get_name()), getattr(user, "roles", None)
    if roles is None and isinstance(role := getattr(user, "role", None), str):
        roles = [role]
    if not isinstance(roles, list | tuple | set | frozenset):
        return Named(name)
    return Named(name, frozenset(str(getattr(each, "name", each)) for each in roles))
