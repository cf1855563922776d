"""A folder that locks its objects, as a bucket with object lock does: for what an archive does with locks."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from recording_archive.errors import PermanentError
from recording_archive.store.base import Lock
from recording_archive.store.local import LocalStore


class LockingFolder(LocalStore):
    """Keeps the lock of each key in memory; ``refused`` are the keys whose lock it lets nobody change."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.shown: dict[str, Lock] = {}
        self.refused: set[str] = set()
        self.asked: list[str] = []

    def locks(self) -> bool:
        return True

    def lock_of(self, key: str) -> Lock:
        return self.shown.get(key, Lock())

    def lock(self, key: str, wanted: Lock) -> Lock:
        self.asked.append(key)
        if key in self.refused:
            raise PermanentError(f"{key}: the bucket does not let its lock be changed")
        before = self.lock_of(key)
        self.shown[key] = Lock(before.until if before.reaches(wanted.until) else wanted.until, wanted.held)
        return self.shown[key]

    def ends(self) -> set[datetime | None]:
        """The ends of all locks there are."""
        return {lock.until for lock in self.shown.values()}
