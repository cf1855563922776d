"""Documents that must outlive the catalog: holds, tombstones, certificates, policies.

A document is written once, durable before anyone is told of it; then its event follows, with its hash under ``files``,
for the ledger to vouch for. A crash between the two leaves a document that `reindex` finds and names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from recording_archive.errors import PermanentError
from recording_archive.store.base import Store


def compose(document: Mapping[str, Any]) -> bytes:
    """A document's bytes."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def publish(store: Store, key: str, content: bytes) -> str:
    """Store ``content`` under ``key``, durable on return; return its SHA-256.

    Done before with the same bytes, it is done; raise PermanentError where other bytes have that key.
    """
    if not store.put(key, content) and store.read(key) != content:
        raise PermanentError(f"{key} in {store} holds another document: find out who wrote it; it stays as it is")
    return sha256(content).hexdigest()
