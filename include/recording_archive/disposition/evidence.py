"""Evidence of a recording, asked before it is deleted: its sidecar, and the event that vouches for the sidecar.

The catalog is an index, and an index can be altered or wrong. A deletion needs more than its word: the sidecar beside
the object is read, its hash is compared with the row and with the sealed ledger, and its content with the row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import is_part, part_of
from recording_archive.catalog.tables import events
from recording_archive.errors import PermanentError, RunError
from recording_archive.ledger import chain
from recording_archive.model import STORED
from recording_archive.store import sidecar

_VOUCHING = ("archived", "repaired")  # kinds of events that have the hash of a sidecar
_SEGMENTS = 8  # whose hashes are kept in memory: recordings that expire together were archived together


@dataclass(frozen=True, slots=True)
class Evidence:
    """The documents of an archive that must agree with a row before it is deleted."""

    archive: Archive
    _sealed: dict[int, dict[str, str | None]] = field(default_factory=dict)

    def contradiction(self, connection: Connection, row: Row[Any]) -> str | None:
        """Say what contradicts the row; None when all of it agrees, or when it has no stored object."""
        if row.key is None or row.state not in STORED:
            return None
        key = sidecar.beside(row.key)
        try:
            content = self.archive.store.read(key)
            recorded = sidecar.to_recording(content, key, self.archive.settings.phone_region)
        except RunError:
            raise
        except PermanentError as error:
            return f"{error}; or let verify_archive repair it"
        digest = sha256(content).hexdigest()
        if digest != row.sidecar_sha256:
            return f"its sidecar {key} has SHA-256 {digest}, the catalog has {row.sidecar_sha256}: verify it"
        if names := sidecar.differing(row._asdict(), recorded):
            return f"the catalog differs from its sidecar {key} in {', '.join(names)}: find out who changed the catalog"
        return self._ledger_contradicts(connection, row, digest)

    def _ledger_contradicts(self, connection: Connection, row: Row[Any], digest: str) -> str | None:
        """Compare a sidecar's hash with the newest event that has one, as the sealed ledger tells it."""
        mine = select(events).where(is_part(events, part_of(row)), events.c.kind.in_(_VOUCHING))
        event = connection.execute(mine.order_by(events.c.id.desc()).limit(1)).one_or_none()
        if event is None:
            return "no event vouches for its sidecar: run `recording-archive reindex`"
        vouched = event.detail.get("sidecar_sha256")
        if event.segment is not None:
            sealed = self._sealed_hashes(event.segment)
            if event.uid not in sealed:
                return f"the ledger's segment {event.segment} lacks its event: run `recording-archive verify-ledger`"
            vouched = sealed[event.uid]
        return None if vouched == digest else f"its sidecar has SHA-256 {digest}, the ledger has {vouched}: verify it"

    def _sealed_hashes(self, number: int) -> dict[str, str | None]:
        """Read the hashes of sidecars in a sealed segment, by the id of their event."""
        if number not in self._sealed:
            if len(self._sealed) == _SEGMENTS:
                self._sealed.pop(next(iter(self._sealed)))
            lines = chain.read_segment(self.archive.store, number, archive_id=self.archive.id)
            self._sealed[number] = {
                line.document["uid"]: line.document["detail"].get("sidecar_sha256")
                for line in lines
                if line.document.get("kind") in _VOUCHING
            }
        return self._sealed[number]
