"""The archive, opened: its root and the catalog that indexes it, checked to belong together.

Root and catalog carry the same id. Every program opens both here, so an unmounted volume or a mistyped URL stops it
before anything is written.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from recording_archive.catalog.database import Catalog
from recording_archive.errors import StoreError
from recording_archive.settings import Settings
from recording_archive.store.base import IDENTITY_KEY, Store
from recording_archive.store.locate import staging_at, store_at
from recording_archive.store.staging import Staging


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Archive:
    """An open archive: root, catalog and staging area, with the settings and the clock its work goes by."""

    id: str
    store: Store
    catalog: Catalog
    settings: Settings
    staging: Staging
    clock: Callable[[], datetime] = _now


def open_archive(settings: Settings, *, clock: Callable[[], datetime] = _now) -> Archive:
    """Open root and catalog, and compare their ids before anything is written.

    A new archive is founded when both are empty. An unmounted volume or a mistyped root raises StoreError with both
    ids instead of starting an empty archive.
    """
    store, catalog = store_at(settings), Catalog(settings.catalog)
    in_catalog = catalog.archive_id()  # first: a run that founds the archive at this moment binds the catalog last
    in_store = store.identity()
    if in_catalog is None and set(islice(store.list(""), 2)) <= {IDENTITY_KEY}:  # new, or its founding was cut short
        in_store = _found(store, in_store or uuid.uuid4().hex, clock())
        catalog.bind(in_store, clock())
        in_catalog = catalog.archive_id()
    if in_store is None and in_catalog is None:
        raise StoreError(f"{store} holds files but no archive.json: choose an empty folder for a new archive")
    if in_store is None or in_store != in_catalog:
        raise StoreError(_stranger(store, in_store, in_catalog))
    return Archive(in_store, store, catalog, settings, staging_at(settings), clock)


def _found(store: Store, archive_id: str, created: datetime) -> str:
    """Make an empty folder an archive; of two runs that come first at once, one does, and both go on with its id."""
    try:
        store.found(archive_id, created)
    except StoreError:
        faster = store.identity()
        if faster in {None, archive_id}:
            raise
        return _found(store, faster, created)  # which returns when it is durable, whoever wrote it
    return archive_id


def _stranger(store: Store, in_store: str | None, in_catalog: str | None) -> str:
    both = f"The root {store} holds archive {in_store or 'none'}, the catalog indexes {in_catalog or 'none'}"
    if in_catalog is None:
        return f"{both}: run `recording-archive reindex` to rebuild the catalog from the archive"
    return f"{both}: is the volume mounted, and is RECORDING_ARCHIVE_URL right?"


def require_root(archive: Archive) -> None:
    """Raise StoreError when the root no longer is the archive, so that nothing read there counts."""
    if archive.store.identity() != archive.id:
        raise StoreError(f"{archive.store} no longer holds archive {archive.id}: is its volume still mounted?")
