"""A sidecar once more: composed again from the books of the run that wrote it, or amended after a repair."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.catalog.tables import runs, work
from recording_archive.errors import ArchiveError
from recording_archive.model import Compressed, Fetched, MediaFormat
from recording_archive.store import sidecar

_VERSION = re.compile(rb'"softwareVersion": "([^"\\]{1,100})"')


def rebuilt(archive: Archive, row: Row[Any], members: int) -> bytes | None:
    """The bytes that the sidecar of a catalog row had; None unless they have the SHA-256 that the catalog remembers.

    ``members`` is how many the object has, which no catalog knows.
    """
    part = part_of(row)
    same = (work.c[name] == value for name, value in part._asdict().items())
    query = select(work, runs.c.source).join(runs, runs.c.run_id == work.c.run_id)
    with archive.catalog.read() as connection:
        job = connection.execute(query.where(work.c.run_id == row.archived_by, *same)).one_or_none()
    if job is None or job.fetched_at is None:  # a rebuilt catalog has no work rows
        return None
    content = _composed(archive.id, row, job, members)
    for version in _versions(archive, row):
        candidate = _VERSION.sub(b'"softwareVersion": "' + version + b'"', content) if version else content
        if sha256(candidate).hexdigest() == row.sidecar_sha256:
            return candidate
    return None


def amended(content: bytes, compressed: Compressed, *, run_id: str, at: datetime) -> bytes:
    """The sidecar ``content`` for an object with the same media and other stored bytes; it tells what it was before."""
    told = json.loads(content)
    before = {"at": at.isoformat(), "runId": run_id, "object": told["object"], "sidecar": sha256(content).hexdigest()}
    facts = {
        "sha256": compressed.stored_sha256,
        "bytes": compressed.stored_bytes,
        "members": compressed.members,
    }
    document = {**told, "object": {**told["object"], **facts}, "repairs": [*told.get("repairs", []), before]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


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
    """Software versions that may have written it: this one, and that which can still be read in what is left of it."""
    yield b""
    try:
        left = _VERSION.search(archive.store.read(sidecar.beside(row.key)))
    except ArchiveError:
        return
    if left:
        yield left[1]
