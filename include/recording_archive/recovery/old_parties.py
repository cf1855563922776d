"""Parties of recordings that an older version archived: read from their sidecars, once.

Until then a hold or a rule that asks for a person, a queue or a number may mean each of them, so that all are kept.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select, update

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index
from recording_archive.catalog.rows import is_part, pages, part_key, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.errors import PermanentError
from recording_archive.model import STORED, Attributes
from recording_archive.parties.documents import PARTY_COLUMNS, columns
from recording_archive.store import sidecar
from recording_archive.store.base import Store

log = logging.getLogger(__name__)

_UNREAD = recordings.c.parties.is_(None)
_PROGRESS_EVERY = 10_000


def read_old_parties(store: Store, catalog: Catalog, region: str) -> tuple[int, int]:
    """Enter the parties of every recording that lacks them; return how many were entered, and how many could not be.

    A sidecar that is damaged or missing is named in the log: its recording is possibly held until it is repaired.
    """
    read = failed = 0
    for page in pages(catalog, select(recordings).where(_UNREAD), *part_key(recordings)):
        found = [(row, values) for row in page if (values := _read(store, row, region)) is not None]
        _enter(catalog, found)
        if (read + failed) // _PROGRESS_EVERY != (read + failed + len(page)) // _PROGRESS_EVERY:
            log.info("read the parties of %d recordings so far, from their sidecars", read + len(found))
        read, failed = read + len(found), failed + len(page) - len(found)
    if read or failed:
        log.info("read the parties of %d recordings from their sidecars; %d could not be read", read, failed)
    return read, failed


def _read(store: Store, row: Row[Any], region: str) -> dict[str, Any] | None:
    """Read the columns of parties: of stored recordings from the sidecar, of others from their own columns."""
    if row.state not in STORED or row.deleting_at is not None or row.key is None:
        own = {name: getattr(row, name) for name in Attributes.__dataclass_fields__}
        return columns(own, (), region)
    key = sidecar.beside(row.key)
    try:
        recorded = sidecar.to_recording(store.read(key), key, region)
    except PermanentError as error:
        log.warning("%s: its parties cannot be read, so holds on anybody possibly keep it: %s", part_of(row), error)
        return None
    return {name: recorded[name] for name in PARTY_COLUMNS}


def _enter(catalog: Catalog, found: Sequence[tuple[Row[Any], Mapping[str, Any]]]) -> None:
    with catalog.write() as connection:
        for row, columns in found:
            still = update(recordings).where(is_part(recordings, part_of(row)), _UNREAD)
            if connection.execute(still.values(**columns)).rowcount:
                index(connection, [{**row._asdict(), **columns}])
