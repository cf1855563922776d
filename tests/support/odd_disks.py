"""Disks that are not what a run needs: links that fail or lie, and names that fold."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from recording_archive.store.base import Draft
from recording_archive.store.local import LocalStore


def losing_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every link be made, and be told as one that was there already: NFS, when a reply got lost."""
    link = os.link

    def linked(*arguments: Any, **options: Any) -> None:
        link(*arguments, **options)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    monkeypatch.setattr(os, "link", linked)


def without_links(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let every link be refused with an error number, as file systems do that have none."""

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refused)


class FoldingStore(LocalStore):
    """A folder on a file system that takes names that differ in case only for one, and keeps the first spelling."""

    def begin(self, key: str) -> AbstractContextManager[Draft]:
        """Start an object."""
        return super().begin(self._there(key))

    def link(self, file: BinaryIO, key: str) -> bool | None:
        """Link an object."""
        return super().link(file, self._there(key))

    def open(self, key: str) -> BinaryIO:
        """Open an object."""
        return super().open(self._there(key))

    def size(self, key: str) -> int | None:
        """Return an object's size."""
        return super().size(self._there(key))

    def sync(self, keys: Iterable[str]) -> None:
        """Sync folders."""
        super().sync(map(self._there, keys))

    def _there(self, key: str) -> str:
        path = self.root / key
        names = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        same = next((name for name in names if name.lower() == path.name.lower()), path.name)
        return key.removesuffix(path.name) + same


def folding_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a name be there when one is that differs in case only."""

    def there(path: Path) -> bool:
        return path.name.lower() in {each.name.lower() for each in path.parent.iterdir()}

    monkeypatch.setattr(os.path, "lexists", there)
