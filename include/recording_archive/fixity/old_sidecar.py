"""Sidecars made again: from the work rows of the run that wrote one, or amended after a repair."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import is_part, part_of
from recording_archive.catalog.tables import runs, work
from recording_archive.errors import ArchiveError
from recording_archive.model import Compressed, Fetched, MediaFormat
from recording_archive.store import documents, sidecar

_VERSION = re.compile(rb'"softwareVersion": "([^"\\]{1,100})"')


def rebuilt(archive: Archive, row: Row[Any], members: int) -> bytes | None:
    """Make the sidecar of a catalog row again; None unless it has the SHA-256 that the catalog remembers.

    ``members`` is the number of the object's BGZF members, which no catalog knows.
    """
    mine = (work.c.run_id == row.archived_by, is_part(work, part_of(row)))
    query = select(work, runs.c.source).join(runs, runs.c.run_id == work.c.run_id)
    with archive.catalog.read() as connection:
        job = connection.execute(query.where(*mine)).one_or_none()
    if job is None or job.fetched_at is None:  # a rebuilt catalog has no work rows
        return None
    content = _composed(archive.id, row, job, members)
    for version in _versions(archive, row):
        candidate = _VERSION.sub(b'"softwareVersion": "' + version + b'"', content) if version else content
        if sha256(candidate).hexdigest() == row.sidecar_sha256:
            return candidate
    return None


def amended(content: bytes, compressed: Compressed, *, run_id: str, at: datetime) -> bytes:
    """Amend a sidecar for an object with the same media and other stored bytes; it keeps what it said before."""
    old = json.loads(content)
    before = {"at": at.isoformat(), "runId": run_id, "object": old["object"], "sidecar": sha256(content).hexdigest()}
    new = {"sha256": compressed.stored_sha256, "bytes": compressed.stored_bytes, "members": compressed.members}
    return documents.compose({**old, "object": old["object"] | new, "repairs": [*old.get("repairs", []), before]})


def _composed(archive_id: str, row: Row[Any], job: Row[Any], members: int) -> bytes:
    names = ("sha256", "size_bytes", "wire_bytes", "requests", "source_host", "source_date", "fetched_at")
    media = MediaFormat(job.extension, job.mime_type)
    return sidecar.compose(
        archive_id=archive_id,
        source=job.source,
        part=part_of(row),
        interaction_date=job.interaction_date,
        listing=job.listing or {},
        fetched=Fetched(format=media, **{name: getattr(job, name) for name in names}),
        compressed=Compressed(row.sha256, row.size_bytes, row.stored_sha256, row.stored_bytes, members),
        key=row.key,
        expected_sha256=job.expected_sha256,
        run_id=row.archived_by,
        archived_at=row.archived_at,
    )


def _versions(archive: Archive, row: Row[Any]) -> Iterator[bytes]:
    """Yield software versions that may have written it: this one, and one that the damaged sidecar still names."""
    yield b""
    try:
        left = _VERSION.search(archive.store.read(sidecar.beside(row.key)))
    except ArchiveError:
        return
    if left:
        yield left[1]
