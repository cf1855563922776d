"""An archive for holds whose catalog each example fills anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.store.local import LocalStore
from recording_archive.store.locate import staging_at
from support.runner import settings_below


@pytest.fixture(scope="module")
def refilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive whose catalog is filled anew by each example."""
    folder = tmp_path_factory.mktemp("matching")
    settings = settings_below(folder)
    opened = Archive("x", LocalStore(folder), Catalog("sqlite://"), settings, staging_at(settings))
    yield opened
    opened.catalog.close()
