"""Locks brought to what policy and holds ask: raised, held, released, and counted where that failed.

What a bucket was told, or showed, is an event (``locked``) of the recording, and the newest one is what is known: it
survives a lost catalog. A recording without one, or repaired since, is looked at in the bucket. A killed run leaves
locks without their events, which the next run finds as they are. A legal hold that nobody here set is never cleared.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select

from recording_archive import holds
from recording_archive.archive import Archive, require_root
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import among, pages, part_key, part_of
from recording_archive.catalog.tables import events, recordings
from recording_archive.errors import ArchiveError, RunError, TransientError
from recording_archive.locks.waiting import together
from recording_archive.locks.wanted import Wanted
from recording_archive.model import STORED, PartId
from recording_archive.store.base import Lock, Store
from recording_archive.store.sidecar import beside

log = logging.getLogger(__name__)

KIND = "locked"
_AT_ONCE = 16  # requests to the bucket
_MOST_NAMED = 20
_stored = (recordings.c.state.in_(STORED), recordings.c.key.is_not(None), recordings.c.deleting_at.is_(None))


@dataclass(slots=True)
class Followed:
    """The locks of recordings: how many there are, were changed, and are behind; the first that are behind, named.

    ``foreign`` have a legal hold in the bucket that nobody set here.
    """

    counts: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a report has them."""
        names = ("recordings", "raised", "held", "released", "foreign", "behind")
        return {**{name: self.counts[name] for name in names}, "problems": self.named[:_MOST_NAMED]}


class _Known(NamedTuple):
    """Knowledge of a recording's lock: ``current`` is false when it was repaired since; ``held`` is ours."""

    lock: Lock
    current: bool


_UNKNOWN = _Known(Lock(), current=False)


def tell(connection: Connection, archive: Archive, part: PartId, lock: Lock, *, run_id: str | None = None) -> None:
    """Write the event of a lock that a recording has now, by this archive."""
    detail = {"until": lock.until and lock.until.isoformat(), "held": lock.held}
    record(connection, KIND, part, at=archive.clock(), run_id=run_id, detail=detail)


def follow(
    archive: Archive,
    *,
    stop: threading.Event | None = None,
    run_id: str | None = None,
    hold: holds.Hold | None = None,
    most: int | None = None,
) -> Followed:
    """Bring the locks of all recordings to what policy and holds ask; of one ``hold`` those that it names, if given.

    At most ``most`` are looked at. Raises for what concerns all of them; an error of one is counted as behind.
    """
    found = Followed()
    if not archive.store.locks():
        return found
    require_root(archive)
    wanted, last = Wanted(archive, every=hold is None), stop or threading.Event()
    if wanted.problem:
        found.named.append(wanted.problem)
    with ThreadPoolExecutor(_AT_ONCE, "locks") as pool:
        for page in _pages(archive, hold, most):
            if last.is_set():
                break
            ended = _follow_page(archive, page, wanted, pool)
            with archive.catalog.write() as connection:
                for row, before, now in ended:
                    if isinstance(now, ArchiveError):
                        _note_behind(found, row, now)
                        continue
                    _count(found, before, now)
                    tell(connection, archive, part_of(row), now.ours, run_id=run_id)
            found.counts["recordings"] += len(page)
            _raise_fatal([now for _, _, now in ended])
    return found


def _pages(archive: Archive, hold: holds.Hold | None, most: int | None) -> Iterator[Sequence[Row[Any]]]:
    left, query = most, select(recordings).where(*_stored)
    if hold is not None:
        query = _of_hold(archive, query, hold)
    for page in pages(archive.catalog, query, *part_key(recordings)):
        yield page if left is None else page[:left]
        left = None if left is None else left - len(page)
        if left is not None and left <= 0:
            return


def _of_hold(archive: Archive, query: Select[Any], hold: holds.Hold) -> Select[Any]:
    with archive.catalog.read() as connection:
        whereclause = holds.members(connection, hold).whereclause
    return query if whereclause is None else query.where(whereclause)


def _follow_page(
    archive: Archive, page: Sequence[Row[Any]], wanted: Wanted, pool: ThreadPoolExecutor
) -> list[tuple[Row[Any], _Known, _Now | ArchiveError]]:
    """Bring the locks of a page to what is wanted: what was known of each that was not, and what came of it."""
    with archive.catalog.read() as connection:
        locks, known = wanted.of(connection, page), _known(connection, page)
        every = [(row, lock, known.get(part_of(row), _UNKNOWN)) for row, lock in zip(page, locks, strict=True)]
        todo = [each for each in _still(connection, every) if not _is_done(*each)]
    ended = pool.map(lambda each: _bring(archive.store, *each), todo)
    return [(row, before, now) for (row, _, before), now in zip(todo, ended, strict=True)]


def _still(
    connection: Connection, every: Sequence[tuple[Row[Any], Lock, _Known]]
) -> list[tuple[Row[Any], Lock, _Known]]:
    """Ask once more before a flag is cleared: a hold may have come since all of them were read."""
    released = [row for row, lock, known in every if known.lock.held and not lock.held]
    holding = holds.holding(connection, released) if released else {}
    return [
        (row, lock._replace(held=lock.held or bool(holding.get(part_of(row)))), known) for row, lock, known in every
    ]


def _raise_fatal(ended: Sequence[_Now | ArchiveError]) -> None:
    """Raise the error that concerns all recordings: of the place itself, or of a bucket that is away."""
    errors = [each for each in ended if isinstance(each, ArchiveError)]
    away = len(errors) == len(ended) >= _AT_ONCE and all(isinstance(each, TransientError) for each in errors)
    if fatal := next((each for each in errors if away or isinstance(each, RunError)), None):
        raise fatal


def _is_done(row: Row[Any], wanted: Lock, known: _Known) -> bool:  # noqa: ARG001 - what `_bring` takes
    return known.current and known.lock.reaches(wanted.until) and known.lock.held == wanted.held


class _Now(NamedTuple):
    """The lock that object and sidecar have now; a ``foreign`` hold was not set here."""

    lock: Lock
    foreign: bool
    raised: bool

    @property
    def ours(self) -> Lock:
        """The lock as far as it was set here."""
        return Lock(self.lock.until, self.lock.held and not self.foreign)


def _bring(store: Store, row: Row[Any], wanted: Lock, known: _Known) -> _Now | ArchiveError:
    """Bring the locks of an object and its sidecar to what is wanted; return the error that kept them behind."""
    try:
        before = [store.lock_of(key) for key in (row.key, beside(row.key))]
        foreign = any(lock.held for lock in before) and not known.lock.held and not wanted.held
        asked = Lock(wanted.until, wanted.held or foreign)
        now = [store.lock(key, asked) for key in (row.key, beside(row.key))]
        return _Now(together(now), foreign, raised=not together(before).reaches(wanted.until))
    except ArchiveError as error:
        return error


def _count(found: Followed, before: _Known, now: _Now) -> None:
    found.counts["raised"] += now.raised
    found.counts["held"] += now.ours.held and not before.lock.held
    found.counts["released"] += before.lock.held and not now.lock.held
    found.counts["foreign"] += now.foreign


def _note_behind(found: Followed, row: Row[Any], error: ArchiveError) -> None:
    found.counts["behind"] += 1
    log.warning("%s: its object lock is behind: %s", part_of(row), error)
    if len(found.named) < _MOST_NAMED:
        found.named.append(f"{part_of(row)}: {error}")


def _known(connection: Connection, page: Sequence[Row[Any]]) -> dict[PartId, _Known]:
    """Read what the newest events say of the locks of a page."""
    columns = [*part_key(events), events.c.kind, events.c.detail]
    noted = select(*columns).where(among(events, [part_of(row) for row in page]), events.c.kind.in_((KIND, "repaired")))
    known: dict[PartId, _Known] = {}
    for row in connection.execute(noted.order_by(events.c.segment.nulls_last(), events.c.id)):
        before = known.get(part_of(row), _UNKNOWN)
        known[part_of(row)] = _read(row.detail) if row.kind == KIND else _Known(before.lock, current=False)
    return known


def _read(detail: Mapping[str, Any]) -> _Known:
    until = detail.get("until")
    return _Known(Lock(until and datetime.fromisoformat(until), bool(detail.get("held"))), current=True)
