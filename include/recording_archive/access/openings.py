"""Recordings opened to somebody for a while, by breaking the glass: an event that says who, which, why and until when.

The access document says who may (`breakGlass`). An opening ends by itself, earlier by `end_opening`, and at once when a
document is adopted that no longer lets this person open anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Connection, Row, func, not_, select

from recording_archive.access.condition import fitting
from recording_archive.access.rules import Document, Rule, Viewer
from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import has_id, part_key, part_of
from recording_archive.catalog.tables import events, recordings
from recording_archive.errors import PermanentError
from recording_archive.ledger import sealing
from recording_archive.model import PartId

OPENED, ENDED = "glass_broken", "opening_ended"
SHOWN = timedelta(days=30)
"""Openings that ended are shown for as long."""

_AGAIN = 1000  # events


@dataclass(frozen=True, slots=True)
class Opening:
    """An interaction that ``user`` may see and hear from ``at`` until ``until``, and why; ``by`` entered it.

    ``ended_by`` ended it early, at ``until``, for ``end_reason``.
    """

    interaction_id: str
    user: str
    by: str
    reason: str
    rule: str
    at: datetime
    until: datetime
    ended_by: str | None = None
    end_reason: str | None = None

    @property
    def key(self) -> tuple[str, str, datetime]:
        """The interaction, to whom, and when: the same for each of its recordings."""
        return self.interaction_id, self.user, self.at

    def is_open(self, now: datetime) -> bool:
        """Tell if it has not ended."""
        return self.at <= now < self.until


def open_to(
    archive: Archive,
    document: Document | None,
    viewer: Viewer,
    interaction_id: str,
    *,
    reason: str,
    hours: int | None = None,
    actor: str,
) -> Opening:
    """Open all recordings of an interaction to somebody; an event in the ledger on return.

    ``hours`` are at most those of the rule that lets them. Raise PermanentError, in the same words, where there is no
    such interaction and where the document does not let them open it.
    """
    rules = document.opening(viewer) if document else []
    now = archive.clock()
    with archive.catalog.write() as connection:
        found = _openable(connection, document, viewer, interaction_id, now) if document and rules else None
        if found is None:
            raise PermanentError(
                f"{interaction_id}: there is no such interaction, or none that {viewer.name} may open: the access "
                "document says who may break the glass, and for which recordings"
            )
        rule, parts = found
        longest = rule.hours or 0
        until = now + timedelta(hours=min(hours or longest, longest))
        detail = {"user": viewer.name, "reason": reason, "until": until.isoformat(), "rule": rule.name}
        for part in parts:
            record(connection, OPENED, part, at=now, actor=actor, detail=detail)
    sealing.seal(archive)
    return Opening(parts[0].interaction_id, viewer.name, actor, reason, rule.name, now, until)


@dataclass(frozen=True, slots=True)
class _End:
    """An early end, by ``by``, of what an opening has opened that was to last ``until``."""

    opening: tuple[str, str, datetime]
    at: datetime
    by: str
    reason: str
    until: datetime


def end_opening(archive: Archive, interaction_id: str, *, user: str, reason: str, actor: str) -> list[Opening]:
    """End at once what is open of an interaction to ``user``; an event in the ledger on return.

    Raise PermanentError where nothing is.
    """
    now, named = archive.clock(), has_id(events.c.interaction_id, [interaction_id])
    with archive.catalog.write() as connection:
        known = _openings(dict(_read(connection, named)))
        open_now = {each.key: each for each in known if each.user == user and each.is_open(now)}
        for row in connection.execute(select(events).where(named, events.c.kind == OPENED)):
            opening = open_now.get(_read_opening(row).key)
            if opening:
                detail = {"user": user, "reason": reason, "opened": opening.at.isoformat()}
                detail["until"] = opening.until.isoformat()
                record(connection, ENDED, part_of(row), at=now, actor=actor, detail=detail)
    if not open_now:
        raise PermanentError(f"{interaction_id}: nothing of it is opened to {user} now")
    sealing.seal(archive)
    return [replace(each, until=now, ended_by=actor, end_reason=reason) for each in open_now.values()]


class Desk:
    """Openings of the last days, as a server asks at each request: newest events are looked at, others remembered."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: WeakKeyDictionary[Catalog, tuple[int, dict[int, Opening | _End]]] = WeakKeyDictionary()
        self._lock = Lock()

    def forget(self) -> None:
        """Know nothing again, over whatever catalog."""
        with self._lock:
            self._known.clear()

    def openings(self, archive: Archive) -> list[Opening]:
        """List the openings that are open, or ended lately, the newest first; each interaction once."""
        since = archive.clock() - SHOWN
        with self._lock:
            last, known = self._known.get(archive.catalog, (0, {}))
            with archive.catalog.read() as connection:
                newest = connection.execute(select(func.max(events.c.id))).scalar() or 0
                if last > newest:  # over another catalog than before
                    last, known = 0, {}
                # transactions that were faster may have later events: the last few are looked at each time
                found = dict(_read(connection, events.c.id > last - _AGAIN))
            known = {number: each for number, each in {**known, **found}.items() if each.until >= since}
            self._known[archive.catalog] = newest, known
        return _openings(known)


def _openable(
    connection: Connection, document: Document, viewer: Viewer, interaction_id: str, now: datetime
) -> tuple[Rule, list[PartId]] | None:
    """Return the rule by which somebody may open all of an interaction for longest, and its parts."""
    named, own = has_id(recordings.c.interaction_id, [interaction_id]), document.names_of(viewer)
    parts = [part_of(row) for row in connection.execute(select(*part_key(recordings)).where(named))]
    for rule in sorted(document.opening(viewer), key=lambda rule: -(rule.hours or 0)):
        outside = not_(fitting(connection, rule, own, now, sure=True).check)
        if parts and connection.execute(select(recordings.c.part).where(named, outside).limit(1)).first() is None:
            return rule, parts
    return None


def _openings(found: Mapping[int, Opening | _End]) -> list[Opening]:
    """List openings by the numbers of their events, the newest first; each once, and ended where it was."""
    ends = {each.opening: each for each in found.values() if isinstance(each, _End)}
    newest_first = (each for _, each in sorted(found.items(), key=itemgetter(0), reverse=True))
    each_once = {each.key: each for each in newest_first if isinstance(each, Opening)}
    return [_ended(each, ends.get(key)) for key, each in each_once.items()]


def _ended(opening: Opening, end: _End | None) -> Opening:
    if end is None:
        return opening
    return replace(opening, until=max(end.at, opening.at), ended_by=end.by, end_reason=end.reason)


def _read(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[tuple[int, Opening | _End]]:
    query = select(events).where(*conditions, events.c.kind.in_([OPENED, ENDED])).order_by(events.c.id)
    for row in connection.execute(query):
        yield row.id, _read_opening(row) if row.kind == OPENED else _read_end(row)


def _read_opening(row: Row[Any]) -> Opening:
    written = row.detail
    until = datetime.fromisoformat(written["until"])
    return Opening(row.interaction_id, written["user"], row.actor, written["reason"], written["rule"], row.at, until)


def _read_end(row: Row[Any]) -> _End:
    written = row.detail
    opened, until = (datetime.fromisoformat(written[name]) for name in ("opened", "until"))
    return _End((row.interaction_id, written["user"], opened), row.at, row.actor, written["reason"], until)
