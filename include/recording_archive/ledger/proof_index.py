"""An index of the documents and objects that a ledger knows: constant memory, whatever the archive's size.

It lies in a temporary SQLite file.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from recording_archive.errors import StoreError
from recording_archive.ledger.chain import Head, segment_key
from recording_archive.ledger.documents import is_kept, part_name
from recording_archive.ledger.marks import Mark

_GONE = frozenset({"purged", "erased"})
_CHUNK = 1000
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE heads (segment INTEGER PRIMARY KEY, sha256 TEXT, sealed_at TEXT);
CREATE TABLE documents (key TEXT PRIMARY KEY, sha256 TEXT, segment INTEGER, line INTEGER) WITHOUT ROWID;
CREATE TABLE marks (key TEXT, segment INTEGER, kind TEXT, by TEXT);
CREATE TABLE gone (part TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE missing (key TEXT, sha256 TEXT, segment INTEGER, line INTEGER, part TEXT);
"""


class KnownDocument(NamedTuple):
    """A file's hash by the newest event that vouches for it, and the line of that event.

    The hash of what a repair rejected and could not read to its end is empty.
    """

    key: str
    sha256: str
    segment: int
    line: int

    @property
    def place(self) -> str:
        """Name the line of the ledger."""
        return f"{segment_key(self.segment)} line {self.line}"


@contextmanager
def opened_index() -> Iterator[ProofIndex]:
    """Open an empty index, which is gone afterwards; raise StoreError when there is no room for it."""
    with tempfile.TemporaryDirectory(prefix="verify-ledger-") as folder:
        try:
            with closing(sqlite3.connect(Path(folder) / "index.db", isolation_level=None)) as connection:
                connection.executescript(_TABLES)
                yield ProofIndex(connection)
        except sqlite3.Error as error:
            raise StoreError(f"{folder}: {error}: free space there, or set TMPDIR to another folder") from error


class ProofIndex:
    """Documents and objects by key, parts that were purged or erased, heads of all segments, and their marks."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._documents: list[KnownDocument] = []
        self._gone: list[tuple[str]] = []

    def add_event(self, event: Mapping[str, Any], segment: int, line: int) -> None:
        """Note the documents and objects that one event vouches for, and the part that it lets go."""
        detail = event["detail"]
        if "files" in detail or "key" in detail:  # most events vouch for none
            self._documents += (KnownDocument(key, digest, segment, line) for key, digest in _files(detail))
        if event["kind"] in _GONE:
            self.add_gone(f"{event['interactionId']}~{event['recordingId']}~{event['part']}")
        if len(self._documents) >= _CHUNK:
            self.flush()

    def add_gone(self, part: str) -> None:
        """Note that a part was purged or erased, by its name in keys."""
        self._gone.append((part.encode(errors="replace").decode(),))
        if len(self._gone) >= _CHUNK:
            self.flush()

    def add_head(self, head: Head, sealed_at: datetime | None) -> None:
        """Note where a segment ends, and when it says it was sealed."""
        at = sealed_at.isoformat() if sealed_at else None
        self._connection.execute("INSERT INTO heads VALUES (?, ?, ?)", (head.segment, head.sha256, at))

    def sealed_at(self, segment: int) -> datetime | None:
        """Return when a segment says it was sealed; None when it does not."""
        found = self._connection.execute("SELECT sealed_at FROM heads WHERE segment = ?", (segment,)).fetchone()
        return datetime.fromisoformat(found[0]) if found and found[0] else None

    def newest_head(self) -> Head | None:
        """Return where the newest segment ends; None when there is none."""
        row = self._connection.execute("SELECT segment, sha256 FROM heads ORDER BY segment DESC LIMIT 1").fetchone()
        return Head(*row) if row else None

    def add_mark(self, mark: Mark) -> None:
        """Note a mark."""
        self._connection.execute("INSERT INTO marks VALUES (?, ?, ?, ?)", mark)

    def marks(self, kind: str) -> Iterator[tuple[Mark, Head | None]]:
        """Yield the marks of a kind in the order of segments, each with its head; None where the segment is missing."""
        query = "SELECT marks.*, sha256 FROM marks LEFT JOIN heads USING (segment) WHERE kind = ? ORDER BY segment, key"
        for key, segment, found, by, digest in self._connection.execute(query, (kind,)):
            yield Mark(key, segment, found, by), Head(segment, digest) if digest else None

    def has_head(self, sha256: str, segment: int | None) -> bool:
        """Tell whether that segment, or any when it is None, ends with that hash."""
        if segment is None:
            found = self._connection.execute("SELECT 1 FROM heads WHERE sha256 = ?", (sha256,))
        else:
            found = self._connection.execute("SELECT 1 FROM heads WHERE segment = ? AND sha256 = ?", (segment, sha256))
        return found.fetchone() is not None

    def documents(self) -> Iterator[KnownDocument]:
        """Yield every document and object in the order of keys."""
        self.flush()
        return map(KnownDocument._make, self._connection.execute("SELECT * FROM documents ORDER BY key"))

    def count(self) -> int:
        """Count the documents and objects."""
        self.flush()
        return int(self._connection.execute("SELECT count(*) FROM documents").fetchone()[0])

    def add_missing(self, known: KnownDocument) -> None:
        """Note that a document or object is not there."""
        part = part_name(known.key) if known.key.startswith(("recordings/", "rejected/")) else None
        self._connection.execute("INSERT INTO missing VALUES (?, ?, ?, ?, ?)", (*known, part))

    def missing(self) -> Iterator[KnownDocument]:
        """Yield what is missing, except sidecars and objects of parts that were purged or erased."""
        self.flush()
        kept = "part IS NULL OR part NOT IN (SELECT part FROM gone)"
        rows = self._connection.execute(f"SELECT key, sha256, segment, line FROM missing WHERE {kept} ORDER BY key")  # noqa: S608 - a constant
        return map(KnownDocument._make, rows)

    def flush(self) -> None:
        """Write what was gathered to the file; the newest hash of a key stays."""
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)", self._documents)
        self._connection.executemany("INSERT OR IGNORE INTO gone VALUES (?)", self._gone)
        self._connection.execute("COMMIT")
        self._documents.clear()
        self._gone.clear()


def _files(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the files that an event vouches for, with their hashes; of a recording they are sidecar and object."""
    rejected, files = detail.get("rejected"), detail.get("files")
    found = dict.fromkeys(filter(_is_text, rejected), "") if isinstance(rejected, list) else {}
    found |= files if isinstance(files, dict) else {}
    if _is_text(key := detail.get("key")) and "sidecar_sha256" in detail:
        found[key.removesuffix(".gz").rpartition(".")[0] + ".json"] = detail["sidecar_sha256"]
        found[key] = detail.get("stored_sha256", "")
    return ((key, str(digest)) for key, digest in found.items() if key.isascii() and is_kept(key))


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str)
