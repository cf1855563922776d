"""Checks before the stored object of a recording is sent, and its name as a file."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from sqlalchemy import Row

from recording_archive.archive import Archive
from recording_archive.catalog.rows import part_of
from recording_archive.model import PartId, State
from recording_archive.store import keys
from recording_archive.web import access
from recording_archive.web.deps import note_access
from recording_archive.web.media.damage import damaged, is_damaged
from recording_archive.web.problem import Problem
from recording_archive.web.read.recording_rows import purge_from


def file_name(row: Row[Any]) -> str:
    """The name under which a recording is saved; ids are safe in file names and headers by what they are made of."""
    return keys.file_name(part_of(row), row.key)


def require_stored(archive: Archive, request: Request, row: Row[Any]) -> None:
    """Raise Problem unless the recording may be fetched now, and say why not; what is refused is an event."""
    if row.state == State.ARCHIVED and not is_damaged(row):
        return
    if row.state == State.DISCOVERED:
        why = row.last_error or "A run may be at work on it."
        raise Problem(404, "Not archived yet", f"The source listed it, but it is not in the archive: {why}")
    part = PartId(*tuple(row)[:3])
    why = "damaged" if row.state == State.ARCHIVED else row.state
    note_access(archive, "refused", part, access.user_name(request), {"why": why})
    if row.state == State.ARCHIVED:
        raise damaged(archive, row)
    if row.state == State.QUARANTINED:
        raise _quarantined(archive, row)
    detail = "It was deleted lawfully; the certificate says when, why and by whom."
    raise Problem(410, "Deleted", detail, certificate=row.certificate)


def _quarantined(archive: Archive, row: Row[Any]) -> Problem:
    """Describe a recording in quarantine: it will be deleted, and from when on."""
    since, until = row.quarantined_at, purge_from(row._asdict(), archive)
    on = f" It may be deleted from {until:%Y-%m-%d %H:%M} UTC on." if until else ""
    detail = f"It is to be deleted, and may not be fetched.{on} Who may decide can restore it until then."
    moments = {"quarantinedAt": since, "purgeFrom": until}
    return Problem(409, "Quarantined", detail, **{name: at.isoformat() for name, at in moments.items() if at})
