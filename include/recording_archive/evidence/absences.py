"""Reasons why a recording that was asked for is not in a pack, and the documents that bear them out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.rows import part_of
from recording_archive.disposition.certificate import certificate_key
from recording_archive.errors import ArchiveError, RunError, TransientError
from recording_archive.fixity.examine import examine
from recording_archive.fixity.verdict import note_verdict
from recording_archive.model import State
from recording_archive.store import documents

_WHY = {
    State.QUARANTINED: "In quarantine: its days are over, and it may not be handed out.",
    State.PURGED: "Deleted lawfully: the certificate says when, why and by whom.",
    State.ERASED: "Erased at a person's request: the certificate says when and by whom.",
}


def why_absent(archive: Archive, row: Row[Any]) -> str | None:
    """Say why a recording may not be in a pack; None for a sound one, whose object was read to its end just now."""
    if row.state in _WHY:
        return _WHY[row.state]
    if row.state != State.ARCHIVED:
        return f"Listed by the source, and not archived: {row.last_error or 'a run may be at work on it.'}"
    if row.deleting_at is not None:
        return "It is being deleted."
    if row.verified_ok is False:
        return "Damaged: its last reading found other bytes than were archived."
    flaws = examine(archive, row)
    if flaws is None:
        return None
    require_root(archive)
    with archive.catalog.write() as connection:
        note_verdict(connection, row, flaws, at=archive.clock())
    return "Damaged: it was read for this pack, and its bytes are not what was archived."


def deletion_documents(archive: Archive, row: Row[Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the certificate of a deleted part, without the other parts it lists, and its tombstone as it lies there."""
    if row.certificate is None:
        return
    part = part_of(row)
    mine, tombstone = _certificate(archive, row)
    yield f"{part}.certificate.json", documents.compose(mine)
    if tombstone:
        try:
            yield f"{part}.tombstone.json", archive.store.read(tombstone)
        except (RunError, TransientError):
            raise
        except ArchiveError:  # the certificate tells its hash
            return


def _certificate(archive: Archive, row: Row[Any]) -> tuple[dict[str, Any], str | None]:
    same = {"interactionId": row.interaction_id, "recordingId": row.recording_id, "part": row.part}
    try:
        document = json.loads(archive.store.read(certificate_key(row.certificate)))
        mine = [each for each in document["parts"] if same.items() <= each.items()]
        return {**document, "parts": mine}, mine[0]["tombstone"]["key"] if mine else None
    except (RunError, TransientError):
        raise
    except (ArchiveError, ValueError, KeyError, TypeError) as error:
        return {"certificate": row.certificate, **same, "problem": f"It cannot be read: {error}"}, None
