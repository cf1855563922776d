"""Packs that runs have made, to be fetched until their days are over."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, not_, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import among, chunked
from recording_archive.catalog.tables import recordings
from recording_archive.errors import ArchiveError, RunError
from recording_archive.evidence.in_parts import PREFIX, key_of
from recording_archive.model import PartId, State

log = logging.getLogger(__name__)

_CONTENTS = re.compile(rf"{PREFIX}(E-[0-9a-f]{{12}})/contents\.json")
_ID = re.compile(r"E-[0-9a-f]{12}")
_UNFINISHED = timedelta(days=7)  # a run that makes a pack may be cleared, and go on, for so long


def ready_packs(archive: Archive) -> list[dict[str, Any]]:
    """List the packs that can be fetched now, the newest first."""
    found = (match[1] for key in archive.store.list(PREFIX) if (match := _CONTENTS.fullmatch(key)))
    packs = [document for pack in found if (document := find_pack(archive, pack))]
    return sorted(packs, key=lambda document: str(document["readyAt"]), reverse=True)


def find_pack(archive: Archive, pack: str) -> dict[str, Any] | None:
    """Return what is known of a pack; None when there is none, or its days are over."""
    if not _ID.fullmatch(pack) or archive.store.size(key_of(pack, "contents.json")) is None:
        return None
    document: dict[str, Any] = json.loads(archive.store.read(key_of(pack, "contents.json")))
    return document if datetime.fromisoformat(document["expiresAt"]) > archive.clock() else None


def why_withdrawn(archive: Archive, pack: str, part: Mapping[str, Any]) -> str | None:
    """Say why a part must not be handed out any more: something in it was deleted or put into quarantine since."""
    document = json.loads(archive.store.read(key_of(pack, f"{part['number']:04d}.todo.json")))
    absent = {PartId(*each) for each in part["absent"]}
    held = [each for each in (PartId(*each) for each in document["recordings"]) if each not in absent]
    here = and_(recordings.c.state == State.ARCHIVED, recordings.c.deleting_at.is_(None))
    gone = select(recordings.c.interaction_id).where(not_(here))
    with archive.catalog.read() as connection:
        for page in chunked(held):
            if name := connection.execute(gone.where(among(recordings, page)).limit(1)).scalar():
                return f"{name} was deleted, or put into quarantine, since the pack was made: have another one made."
    return None


def remove_expired(archive: Archive) -> int:
    """Remove packs whose days are over, or of which a part must not be handed out; return how many there were.

    A pack that no run finished is given some days to go on.
    """
    removed = 0
    for pack in sorted({key.split("/")[1] for key in archive.store.list(PREFIX)}):
        if not _is_kept(archive, pack):
            removed += 1
            _remove(archive, pack)
    return removed


def _is_kept(archive: Archive, pack: str) -> bool:
    try:
        if document := find_pack(archive, pack):
            return not any(why_withdrawn(archive, pack, part) for part in document["parts"])
        if archive.store.size(key_of(pack, "contents.json")) is not None:
            return False
        if archive.store.size(key_of(pack, "request.json")) is None:
            return True  # its parts are being chosen; another attempt of the run begins anew
        document = json.loads(archive.store.read(key_of(pack, "request.json")))
        return datetime.fromisoformat(document["createdAt"]) > archive.clock() - _UNFINISHED
    except RunError:
        raise
    except (ArchiveError, ValueError, KeyError, TypeError):
        log.exception("The pack %s cannot be read: look at it, and remove it by hand", pack)
        return True


def _remove(archive: Archive, pack: str) -> None:
    """Remove a pack: first what offers it, last what says who asked for it."""
    archive.store.remove(key_of(pack, "contents.json"))
    request = key_of(pack, "request.json")
    for key in [each for each in archive.store.list(key_of(pack, "")) if each != request]:
        if until := archive.store.remove(key):
            log.warning("%s is locked by the store until %s, and stays so long", key, until)
    archive.store.remove(request)
