"""The files of one call in a pack: the sound as people play it, the object as stored, its sidecar and its time line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import among, part_of
from recording_archive.catalog.tables import events
from recording_archive.evidence.bag import Bag
from recording_archive.evidence.ledger_proof import read_pieces
from recording_archive.evidence.tables import Table
from recording_archive.model import PartId
from recording_archive.parties.words import in_words
from recording_archive.store import bgzf, sidecar

CALLS = (
    *("number", "interactionId", "recordingId", "part", "interactionDate", "durationMs", "direction", "mediaType"),
    *("agentId", "agentName", "queueId", "queueName", "ani", "dnis", "division", "contactId", "otherParties"),
    *("mimeType", "audioFile", "audioSha256", "audioBytes", "storedFile", "storedSha256", "storedBytes"),
    *("sidecarFile", "sidecarSha256", "timelineFile", "sourceChecksum", "archivedAt", "archivedBy", "verifiedAt"),
    *("heldBy", "possiblyHeldBy", "keyInArchive"),
)
"""Columns of ``calls.csv``."""

TIMELINE = ("at", "kind", "actor", "runId", "detail", "uid", "segment")
LISTENERS = ("number", "interactionId", "recordingId", "part", "at", "kind", "actor", "segment")
_HEARD = frozenset({"played", "downloaded", "exported", "refused"})
_COLUMNS = {
    "interactionDate": "interaction_date",
    **{"durationMs": "duration_ms", "direction": "direction", "mediaType": "media_type", "agentId": "agent_id"},
    **{"agentName": "agent_name", "queueId": "queue_id", "queueName": "queue_name", "ani": "ani", "dnis": "dnis"},
    **{"division": "division", "contactId": "contact_id", "mimeType": "mime_type", "audioSha256": "sha256"},
    **{"audioBytes": "size_bytes", "storedSha256": "stored_sha256", "storedBytes": "stored_bytes"},
    **{"sidecarSha256": "sidecar_sha256", "sourceChecksum": "source_checksum", "archivedAt": "archived_at"},
    **{"archivedBy": "archived_by", "verifiedAt": "verified_at", "keyInArchive": "key"},
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a pack: its number there, its row of the catalog, and what happened to it, in order."""

    number: int
    row: Row[Any]
    events: Sequence[Row[Any]]

    @property
    def stem(self) -> str:
        """The path of its files without ending: a folder with its number, and its ids."""
        ids = [self.row.interaction_id]
        ids += [self.row.recording_id] if self.row.recording_id != self.row.interaction_id else []
        ids += [str(self.row.part)] if self.row.part else []
        return f"calls/{self.number:05d}/{'.'.join(ids)}"

    @property
    def paths(self) -> dict[str, str]:
        """The paths of its files below ``data/``, by their columns."""
        audio = f"{self.stem}.{self.row.key.removesuffix('.gz').rpartition('.')[2]}"
        named = {"audioFile": audio, "storedFile": f"{audio}.gz", "sidecarFile": f"{self.stem}.json"}
        return {**named, "timelineFile": f"{self.stem}.timeline.csv"}

    def write(self, archive: Archive, bag: Bag) -> Iterator[bytes]:
        """Write its files; raise FixityError when bytes are not, any more, what the catalog has."""
        row, paths = self.row, self.paths
        stored = read_pieces(lambda: archive.store.open(row.key))
        content = archive.store.read(sidecar.beside(row.key))
        yield from bag.payload(paths["audioFile"], _media(archive, row), size=row.size_bytes, sha256=row.sha256)
        yield from bag.payload(paths["storedFile"], stored, size=row.stored_bytes, sha256=row.stored_sha256)
        yield from bag.payload(paths["sidecarFile"], [content], sha256=row.sidecar_sha256)
        timeline = Table(TIMELINE)
        for event in self.events:
            timeline.row(_happening(event))
        yield from bag.payload(paths["timelineFile"], timeline.pieces())

    def to_row(self, held: Sequence[str], possibly: Sequence[str]) -> dict[str, Any]:
        """Its row of ``calls.csv``."""
        values = {name: getattr(self.row, column) for name, column in _COLUMNS.items()}
        holding = {"heldBy": " ".join(held), "possiblyHeldBy": " ".join(possibly)}
        others = {"otherParties": in_words(self.row.parties)}
        return {"number": self.number, **_named(part_of(self.row)), **values, **self.paths, **holding, **others}

    def listeners(self) -> Iterator[dict[str, Any]]:
        """Rows of ``listeners.csv``: who heard, fetched or exported it, and who was refused it."""
        named = {"number": self.number, **_named(part_of(self.row))}
        yield from ({**named, **_happening(event)} for event in self.events if event.kind in _HEARD)


def events_of(connection: Connection, parts: Sequence[PartId]) -> dict[PartId, list[Row[Any]]]:
    """Read what happened to some parts, each in order."""
    found: dict[PartId, list[Row[Any]]] = {part: [] for part in parts}
    if parts:
        query = select(events).where(among(events, parts)).order_by(events.c.at, events.c.id)
        for row in connection.execute(query):
            found[part_of(row)].append(row)
    return found


def _media(archive: Archive, row: Row[Any]) -> Iterator[bytes]:
    with archive.store.open(row.key) as file:
        yield from bgzf.media_range(file, 0, row.size_bytes, name=row.key)


def _named(part: PartId) -> dict[str, Any]:
    return {"interactionId": part.interaction_id, "recordingId": part.recording_id, "part": part.part}


def _happening(event: Row[Any]) -> Mapping[str, Any]:
    detail = json.dumps(event.detail or {}, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    values = {name: getattr(event, name) for name in ("at", "kind", "actor", "uid", "segment")}
    return {**values, "runId": event.run_id, "detail": detail}
