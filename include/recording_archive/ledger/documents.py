"""Files that the ledger vouches for: documents, and the objects of recordings.

Documents are sidecars, and every file below the other folders that outlive the catalog.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from recording_archive.errors import ArchiveError, RunError
from recording_archive.ledger.chain import Head
from recording_archive.store.base import Store

_FOLDERS = (
    "access/",
    "certificates/",
    "holds/",
    "keys/",
    "manifests/",
    "policies/",
    "recordings/",
    "reports/",
    "tombstones/",
)
_KEPT = tuple(sorted((*_FOLDERS, "rejected/")))
_NAMED = re.compile(rb'"ledgerHead": ?"(\d{1,12}):([0-9a-f]{64})"')
_GENERATED = re.compile(rb'"generatedAt": ?"([^"]+)"')
_MANIFEST = re.compile(r"manifests/([^/]+)/(.+)\.(\d+)/[^/]+")
_PIECE = 2**20


def document_keys(store: Store) -> Iterator[str]:
    """List the keys of all documents in the archive, in order."""
    return (key for folder in _FOLDERS for key in store.list(folder) if is_document(key))


def kept_keys(store: Store) -> Iterator[str]:
    """List the keys of all documents and objects in the archive, in order."""
    return (key for folder in _KEPT for key in store.list(folder) if is_kept(key))


def is_document(key: str) -> bool:
    """Tell whether an event must vouch for the file at ``key``."""
    return key.startswith(_FOLDERS) and (not key.startswith("recordings/") or key.endswith(".json"))


def is_object(key: str) -> bool:
    """Tell whether the file at ``key`` is an object: compressed media, or what a repair rejected."""
    return key.startswith("rejected/") or (key.startswith("recordings/") and key.endswith(".gz"))


def is_kept(key: str) -> bool:
    """Tell whether the file at ``key`` is a document or an object."""
    return is_document(key) or is_object(key)


def part_name(key: str) -> str:
    """Read the part of a sidecar, object or tombstone from its key, spelled as keys spell it."""
    name = key.rpartition("/")[2]
    return name.removesuffix(".gz").rpartition(".")[0] if name.endswith(".gz") else name.removesuffix(".json")


def hash_object(store: Store, key: str) -> tuple[str, int]:
    """Read an object through; return its SHA-256 and its size."""
    digest, size = sha256(), 0
    with store.open(key) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def read_document(store: Store, key: str) -> tuple[str, Head | None]:
    """Read a document's SHA-256, and the ledger head that a report names."""
    with store.open(key) as file:
        piece = file.read(_PIECE)
        digest = sha256(piece)
        match = _NAMED.search(piece) if key.startswith("reports/") and key.endswith(".json") else None
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest(), Head(int(match[1]), match[2].decode()) if match else None


def written_at(store: Store, key: str) -> datetime | None:
    """Read the time at which a document says it was written; a report's CSV and manifest go by the report's JSON.

    None when nothing says it.
    """
    try:
        if match := _MANIFEST.fullmatch(key):
            key = f"reports/{match[1]}/{match[2]}/{match[3]}/compliance_report.json"
        if key.startswith("reports/"):
            with store.open(key.rpartition(".")[0] + ".json") as file:
                found = _GENERATED.search(file.read(_PIECE))
            return _aware(found[1].decode()) if found else None
        document = json.loads(store.read(key))
    except RunError:
        raise
    except (ArchiveError, ValueError, RecursionError):
        return None
    named = document.items() if isinstance(document, dict) else ()
    moments = (_aware(value) for name, value in named if name in {"at", "created"} or name.endswith("At"))
    return max((moment for moment in moments if moment), default=None)


def _aware(text: Any) -> datetime | None:
    with suppress(ValueError, TypeError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
