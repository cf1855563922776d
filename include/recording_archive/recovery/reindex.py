"""Rebuild the catalog from what must outlive it: ledger for events, sidecars for recordings, reports for runs.

It may be run on a filled catalog too, and again after it was stopped: it adds what is missing, and names what differs
without changing it. The catalog is bound to the archive last, so no run works with one that is half rebuilt. A report
that a crash left without its event gets one; a hold, a release or a policy without one is named, and left to a person.

Not rebuilt, because only the catalog had it: the work of each archiving run part by part (reports still tell), plans
that were not carried out, events that were not sealed, and the attributes of recordings that never were archived.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.day_totals import recount
from recording_archive.errors import StoreError
from recording_archive.recovery.event_history import restore_acknowledgements
from recording_archive.recovery.from_certificates import reindex_certificates
from recording_archive.recovery.from_deletions import reindex_deletions
from recording_archive.recovery.from_events import restore_events
from recording_archive.recovery.from_holds import reindex_holds
from recording_archive.recovery.from_policies import reindex_access, reindex_policies
from recording_archive.recovery.from_reports import index_reports
from recording_archive.recovery.from_sidecars import index_recordings
from recording_archive.recovery.from_tombstones import reindex_tombstones
from recording_archive.recovery.old_parties import read_old_parties
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.settings import Settings
from recording_archive.store.base import IDENTITY_KEY, Store
from recording_archive.store.locate import store_at


def reindex(settings: Settings) -> Iterator[Indexed]:
    """Rebuild the catalog from the archive, one thing at a time; it is done when the iterator ends.

    Raises StoreError when the root is no archive or the catalog indexes another one.
    """
    store, catalog = store_at(settings), Catalog(settings.catalog)
    archive_id, in_catalog = store.required_identity(), catalog.archive_id()
    if in_catalog not in (None, archive_id):
        raise StoreError(
            f"The root {store} holds archive {archive_id}, the catalog indexes {in_catalog}: set "
            "RECORDING_ARCHIVE_CATALOG_URL to this archive's catalog, or to a new one to rebuild it there"
        )
    read_old_parties(store, catalog, settings.phone_region)
    yield from restore_events(store, catalog, archive_id)
    yield from index_recordings(store, catalog, archive_id, settings.phone_region)
    yield from reindex_tombstones(store, catalog)
    yield from reindex_certificates(store, catalog)
    yield from reindex_deletions(store, catalog)
    yield from index_reports(store, catalog)
    yield from (Indexed("acknowledged", str(part), IndexResult.ADDED) for part in restore_acknowledgements(catalog))
    yield from reindex_holds(store, catalog)
    yield from reindex_policies(store, catalog)
    yield from reindex_access(store, catalog)
    with catalog.write() as connection:
        recount(connection)
    catalog.bind(archive_id, _created(store))
    catalog.close()


def _created(store: Store) -> datetime:
    return datetime.fromisoformat(json.loads(store.read(IDENTITY_KEY))["created"])
