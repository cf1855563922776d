"""Dependencies of routes: the archive, opened once per process, and the access log, which is part of its events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Connection, select

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import is_named
from recording_archive.catalog.tables import events, recordings
from recording_archive.errors import ArchiveError
from recording_archive.model import PartId, is_safe_id
from recording_archive.settings import Settings, read_settings
from recording_archive.spelling.ids import clean_id
from recording_archive.store.locate import store_at

log = logging.getLogger(__name__)

SAME_ACCESS = timedelta(minutes=10)
"""Within this time the many requests of a player for one recording are one event."""

_opened: dict[str, Archive] = {}
_opening = threading.Lock()


def get_archive() -> Archive:
    """The archive of this process; opened at the first request, and at the next one when that failed.

    The API server must start without the archive's volume: Airflow is more than this. Raises ArchiveError; also where
    no archive was founded yet, because only runs do that: an API server without the volume would found an empty one.
    """
    with _opening:
        if "archive" not in _opened:
            _opened["archive"] = _open(read_settings())
        return _opened["archive"]


ArchiveDep = Annotated[Archive, Depends(get_archive)]


def note_access(
    archive: Archive,
    kind: str,
    part: PartId | None,
    user: str,
    detail: Mapping[str, Any] | None = None,
    *,
    once: bool | None = None,
) -> None:
    """Write that ``user`` played, downloaded or exported something, or was refused it; durable on return.

    ``once`` writes one event per user, part and 10 minutes; by default what was played or refused. ``detail`` holds
    ids, hashes and counts, never search text. Raises ArchiveError when it cannot be written: then nothing is heard.
    """
    at = archive.clock()
    once = kind in {"played", "refused"} if once is None else once
    if once:  # a player asks again and again: most of its requests end here, without a write lock
        with archive.catalog.read() as connection:
            if _is_noted(connection, kind, part, user, at=at):
                return
    with archive.catalog.write() as connection:
        if not once or not _is_noted(connection, kind, part, user, at=at):
            record(connection, kind, part, at=at, actor=user, detail=dict(detail or {}))


def note_refusal(request: Request, user: str, why: str) -> None:
    """Write that a known user was refused; the refusal stands even where the archive cannot be written."""
    try:
        archive = get_archive()
        note_access(archive, "refused", _named_part(archive, request), user, {"why": why})
    except ArchiveError:
        log.exception("The refusal of %s could not be written", user)


def _open(settings: Settings) -> Archive:
    store_at(settings).required_identity(
        "does this API server have the volume and the RECORDING_ARCHIVE_* settings of the workers? "
        "A new archive is founded by the first run of archive_recordings"
    )
    return open_archive(settings)


def _is_noted(connection: Connection, kind: str, part: PartId | None, user: str, *, at: datetime) -> bool:
    who = part._asdict() if part else dict.fromkeys(PartId._fields)
    same = (events.c[name] == value for name, value in {**who, "kind": kind, "actor": user}.items())
    recent = events.c.at.between(at - SAME_ACCESS, at)  # none of the future, which a wrong clock may have written
    return connection.execute(select(events.c.id).where(*same, recent).limit(1)).first() is not None


def _named_part(archive: Archive, request: Request) -> PartId | None:
    """The part that a request names, when the catalog knows its interaction: junk must not fill the access log."""
    named = {**request.query_params, **request.path_params}
    interaction = named.get("interaction_id", named.get("interactionId"))
    recording = named.get("recording_id", named.get("recordingId", ""))
    if not isinstance(interaction, str) or not is_safe_id(clean_id(interaction)):
        return None
    columns = (recordings.c.interaction_id, recordings.c.recording_id)
    with archive.catalog.read() as connection:
        rows = connection.execute(select(*columns).where(is_named(recordings, interaction))).all()
    same = [row for row in rows if clean_id(row.recording_id) == clean_id(recording)]
    return PartId(rows[0].interaction_id, same[0].recording_id if same else "", 0) if rows else None
