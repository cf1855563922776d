"""Why a recording cannot be deleted yet: the lock that its bucket shows."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.store.base import Lock
from recording_archive.store.sidecar import beside


def why_locked(archive: Archive, key: str) -> str | None:
    """Say what keeps an object or its sidecar, which no hold of the archive holds; None when nothing does."""
    shown = [archive.store.lock_of(name) for name in (key, beside(key)) if archive.store.size(name) is not None]
    if any(lock.held for lock in shown):
        return "the bucket has a legal hold on it that no hold of this archive asks for"
    until = max((lock.until for lock in shown if lock.until), default=None)
    return f"its object lock ends on {until:%Y-%m-%d %H:%M} UTC" if until and until > archive.clock() else None


def together(locks: list[Lock]) -> Lock:
    """The lock that all of some objects have at least."""
    ends = [lock.until for lock in locks]
    until = None if None in ends else min(end for end in ends if end)
    return Lock(until, any(lock.held for lock in locks))
