"""What a ledger tells of documents, noted in a temporary SQLite file: memory does not grow with the archive."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from recording_archive.errors import StoreError
from recording_archive.ledger.chain import Head, key_of

FOLDERS = ("certificates/", "holds/", "manifests/", "policies/", "recordings/", "reports/", "tombstones/")  # sorted

_GONE = frozenset({"purged", "erased"})
_CHUNK = 1000
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE heads (segment INTEGER PRIMARY KEY, sha256 TEXT);
CREATE TABLE told (key TEXT PRIMARY KEY, sha256 TEXT, segment INTEGER, line INTEGER) WITHOUT ROWID;
CREATE TABLE gone (part TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE missing (key TEXT, sha256 TEXT, segment INTEGER, line INTEGER, part TEXT);
"""


class Told(NamedTuple):
    """A document's hash by the newest event that tells of it, and where that stands."""

    key: str
    sha256: str
    segment: int
    line: int

    @property
    def place(self) -> str:
        """The line of the ledger."""
        return f"{key_of(self.segment)} line {self.line}"


def is_document(key: str) -> bool:
    """Whether an event must vouch for the file at ``key``: sidecars, and everything below the other folders."""
    return key.startswith(FOLDERS) and (not key.startswith("recordings/") or key.endswith(".json"))


def part_of(key: str) -> str:
    """The part that a sidecar or a tombstone tells of, as keys name it."""
    return key.rpartition("/")[2].removesuffix(".json")


@contextmanager
def opened_notes() -> Iterator[Notes]:
    """Empty notes, which are gone afterwards; raise StoreError when there is no room for them."""
    with tempfile.TemporaryDirectory(prefix="verify-ledger-") as folder:
        try:
            with closing(sqlite3.connect(Path(folder) / "notes.db", isolation_level=None)) as connection:
                connection.executescript(_TABLES)
                yield Notes(connection)
        except sqlite3.Error as error:
            raise StoreError(f"{folder}: {error}: free space there, or set TMPDIR to another folder") from error


class Notes:
    """Documents by key, parts that were let go, and the heads of all segments."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._told: list[Told] = []
        self._gone: list[tuple[str]] = []

    def add_event(self, event: Mapping[str, Any], segment: int, line: int) -> None:
        """Note what one event tells."""
        detail = event["detail"]
        if "files" in detail or "key" in detail:  # most events tell of none
            self._told += (Told(key, digest, segment, line) for key, digest in _files(detail))
        if event["kind"] in _GONE:
            self.add_gone(f"{event['interactionId']}~{event['recordingId']}~{event['part']}")
        if len(self._told) >= _CHUNK:
            self.flush()

    def add_gone(self, part: str) -> None:
        """Note that a part was let go, by its name in keys."""
        self._gone.append((part.encode(errors="replace").decode(),))
        if len(self._gone) >= _CHUNK:
            self.flush()

    def add_head(self, head: Head) -> None:
        """Note where a segment ends."""
        self._connection.execute("INSERT INTO heads VALUES (?, ?)", (head.segment, head.sha256))

    def has_head(self, sha256: str, segment: int | None) -> bool:
        """Whether that segment, or any when it is None, ends with that hash."""
        if segment is None:
            found = self._connection.execute("SELECT 1 FROM heads WHERE sha256 = ?", (sha256,))
        else:
            found = self._connection.execute("SELECT 1 FROM heads WHERE segment = ? AND sha256 = ?", (segment, sha256))
        return found.fetchone() is not None

    def told(self) -> Iterator[Told]:
        """Every document in the order of keys."""
        self.flush()
        return map(Told._make, self._connection.execute("SELECT * FROM told ORDER BY key"))

    def add_missing(self, told: Told) -> None:
        """Note that a document is not there."""
        part = part_of(told.key) if told.key.startswith("recordings/") else None
        self._connection.execute("INSERT INTO missing VALUES (?, ?, ?, ?, ?)", (*told, part))

    def missing(self) -> Iterator[Told]:
        """What is not there, but for the sidecars of parts that were let go."""
        self.flush()
        kept = "part IS NULL OR part NOT IN (SELECT part FROM gone)"
        rows = self._connection.execute(f"SELECT key, sha256, segment, line FROM missing WHERE {kept} ORDER BY key")  # noqa: S608 - a constant
        return map(Told._make, rows)

    def flush(self) -> None:
        """Write down what was gathered; the newest word on a key stays."""
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", self._told)
        self._connection.executemany("INSERT OR IGNORE INTO gone VALUES (?)", self._gone)
        self._connection.execute("COMMIT")
        self._told.clear()
        self._gone.clear()


def _files(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Documents that an event vouches for, with their hashes; of a recording it is the sidecar."""
    files = detail.get("files")
    told = dict(files) if isinstance(files, dict) else {}
    if isinstance(key := detail.get("key"), str) and "sidecar_sha256" in detail:
        told[key.removesuffix(".gz").rpartition(".")[0] + ".json"] = detail["sidecar_sha256"]
    return ((key, str(digest)) for key, digest in told.items() if key.isascii() and is_document(key))
