"""Replacing: a mended object or sidecar gets its key; the bad one that had it is kept as ``rejected/{date}/{key}``.

All of it happens in one transaction on the recording's row, so that no disposition comes between: a recording purged or
erased at this moment does not come back. A crash in the middle leaves files that the next run takes up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any

from sqlalchemy import Connection, Row, select, update

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import is_part, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.errors import ArchiveError
from recording_archive.fixity import readings_table
from recording_archive.fixity.examine import Flaws
from recording_archive.fixity.readings_table import Finding
from recording_archive.locks.wanted import Wanted
from recording_archive.model import Compressed, PartId
from recording_archive.reports.reading import hash_of
from recording_archive.store import sidecar
from recording_archive.store.base import Draft, Lock, Store

log = logging.getLogger(__name__)

_HASHES = ("sha256", "stored_sha256", "sidecar_sha256")


class BeyondRepairError(ArchiveError):
    """A recording cannot be made whole here and now; the message says why."""


@dataclass(frozen=True)
class Job:
    """One bad recording: its row of the catalog, with the id of its ``reading``, and what is wrong with it."""

    archive: Archive
    run_id: str
    row: Row[Any]
    flaws: Flaws
    stop: threading.Event

    @property
    def part(self) -> PartId:
        """Name the recording."""
        return part_of(self.row)

    @property
    def sidecar_key(self) -> str:
        """Name the key of its sidecar."""
        return sidecar.beside(self.row.key)


def put_in_place(
    job: Job, drafts: Mapping[str, Draft], found: Compressed, content: bytes | None, *, media_from: str
) -> None:
    """Give sealed drafts their keys, and update the catalog to the object ``found`` and the sidecar's ``content``.

    Without ``content`` the sidecar stays damaged, and the recording bad. Raises BeyondRepairError, before anything is
    touched, when the row changed since it was examined.
    """
    archive, row, at = job.archive, job.row, job.archive.clock()
    lost = {key: _digest(archive.store, key) for key in drafts}
    facts = {"stored_sha256": found.stored_sha256, "stored_bytes": found.stored_bytes}
    facts["sidecar_sha256"] = sha256(content).hexdigest() if content else row.sidecar_sha256
    verdict = {"verified_at": at, "verified_ok": True} if content else {}
    require_root(archive)
    with archive.catalog.write() as connection:
        _require_as_it_was(connection, job)
        lock = Wanted(archive).of(connection, [row])[0] if archive.store.locks() else None
        kept = {_put(archive.store, draft, key, str(at.date()), lock): lost[key] for key, draft in drafts.items()}
        rejected = {key: digest for key, digest in kept.items() if key}
        connection.execute(update(recordings).where(is_part(recordings, job.part)).values(**facts, **verdict))
        detail = {**_detail(job, facts, drafts, rejected), "mediaFrom": media_from}
        record(connection, "repaired", job.part, at=at, run_id=job.run_id, detail=detail)
        if content:
            verified = {"ok": True, "stored_sha256": found.stored_sha256}  # it was read back before it got its key
            record(connection, "verified", job.part, at=at, run_id=job.run_id, detail=verified)
            readings_table.mark(connection, row.reading, outcome=Finding.REPAIRED)
    log.warning("%s: repaired %s; what was there is kept as %s", job.part, ", ".join(drafts), ", ".join(rejected))


def _require_as_it_was(connection: Connection, job: Job) -> None:
    """Raise BeyondRepairError when the row changed: it is on its way out, or another attempt repaired it."""
    now = connection.execute(select(recordings).where(is_part(recordings, job.part)).with_for_update()).one()
    same = all(getattr(now, name) == getattr(job.row, name) for name in ("state", "deleting_at", *_HASHES))
    if not same or now.verified_ok:
        raise BeyondRepairError("its row changed while it was repaired; the next run reads it again")


def _put(store: Store, draft: Draft, key: str, day: str, lock: Lock | None) -> str | None:
    """Give a draft its key, durably; return the key under which the old file is kept, None when there was none."""
    if store.size(key) is None and draft.publish(lock):
        store.sync([key])
        return None
    folders = (f"rejected/{day}{f'.{number}' if number > 1 else ''}" for number in count(1))
    return next(kept for folder in folders if draft.replace(kept := f"{folder}/{key}", lock))


def _detail(
    job: Job, facts: Mapping[str, Any], made: Collection[str], rejected: Mapping[str, str | None]
) -> dict[str, Any]:
    """Make the event's detail: hashes of the new files, and of the rejected ones as far as they could be read."""
    files = {job.row.key: facts["stored_sha256"], job.sidecar_key: facts["sidecar_sha256"], **rejected}
    return {
        "key": job.row.key,
        "sha256": job.row.sha256,
        "stored_sha256": facts["stored_sha256"],
        "sidecar_sha256": facts["sidecar_sha256"],
        "before": {name: getattr(job.row, name) for name in _HASHES},
        "rejected": list(rejected),
        "files": {key: digest for key, digest in files.items() if digest and key in {*made, *rejected}},
    }


def _digest(store: Store, key: str) -> str | None:
    """Hash a file that is about to be rejected; None when it cannot be read to its end."""
    try:
        return hash_of(store, key)
    except ArchiveError:
        return None
