"""A catalog older than its archive, from a backup perhaps: what was deleted since is learnt before a run archives.

Else a run would fetch again what was lawfully purged, as a recording that it sees for the first time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.ledger.segments import unknown_segments
from recording_archive.recovery.from_certificates import reindex_certificates
from recording_archive.recovery.from_tombstones import reindex_tombstones
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.store.base import Store

log = logging.getLogger(__name__)

_READERS: tuple[Callable[[Store, Catalog], Iterator[Indexed]], ...] = (reindex_tombstones, reindex_certificates)


def learn_deletions(archive: Archive) -> str | None:
    """Enter what tombstones and certificates tell, if the ledger has segments that the catalog lacks.

    Return the problem of the run then: a reindex is due, for which archiving does not wait.
    """
    unknown = unknown_segments(archive)
    if not unknown:
        return None
    for read in _READERS:
        for found in read(archive.store, archive.catalog):
            if found.result is IndexResult.BAD:
                log.warning("%s: %s", found.key, found.problem)
    return (
        f"{archive.store} has {len(unknown)} ledger segments that the catalog lacks (the first is {unknown[0]}): the "
        "catalog is older than the archive; run `recording-archive reindex`. What was deleted since stays deleted"
    )
