"""A store and a catalog that crash before or after their n-th change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from recording_archive.catalog.database import Catalog
from recording_archive.store.local import LocalStore


class Crash(BaseException):
    """The process ends here."""


class Fuse:
    """Blows before or after the n-th effect since it was lit."""

    def __init__(self) -> None:
        self.left, self.after = 0, False

    @contextmanager
    def around(self) -> Iterator[None]:
        """An effect."""
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Crash
        yield
        if self.left == 0 and self.after:
            raise Crash


class FusedStore(LocalStore):
    """A store whose changes are effects."""

    def __init__(self, root: Path, fuse: Fuse) -> None:
        super().__init__(root)
        self._fuse = fuse

    def put(self, key: str, content: bytes) -> bool:
        """Store a document."""
        with self._fuse.around():
            return super().put(key, content)

    def remove(self, key: str) -> None:
        """Delete an object."""
        with self._fuse.around():
            super().remove(key)


class FusedCatalog(Catalog):
    """A catalog whose commits are effects."""

    def __init__(self, url: str, fuse: Fuse) -> None:
        self._fuse = fuse
        super().__init__(url)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: with a fuse that blows before the effect it is rolled back."""
        with self._after(), super().write() as connection:
            yield connection
            if not self._fuse.after:
                with self._fuse.around():
                    pass

    @contextmanager
    def _after(self) -> Iterator[None]:
        yield
        if self._fuse.after:
            with self._fuse.around():
                pass
