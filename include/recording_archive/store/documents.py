"""Documents that must outlive the catalog: holds, tombstones, certificates, policies.

A document is written once, durable before anyone is told of it; then its event follows, with its hash under ``files``,
for the ledger to vouch for. A crash between the two leaves a document that `reindex` finds and names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any

from recording_archive.errors import PermanentError
from recording_archive.store.base import Store

_encode = json.JSONEncoder(ensure_ascii=False).encode


def compose(document: Mapping[str, Any]) -> bytes:
    """A document's bytes: what `json.dumps` makes with an indent of 1, and a line feed."""
    return (_written(document, "\n") + "\n").encode()


def _written(value: Any, line: str) -> str:
    """JSON of a value that is nested in a line of this indent; `json` itself indents three times as slowly."""
    deeper = f"{line} "
    match value:
        case str():
            return encode_basestring(value)
        case dict() if value:
            fields = [f"{encode_basestring(name)}: {_written(each, deeper)}" for name, each in value.items()]
            return f"{{{deeper}{f',{deeper}'.join(fields)}{line}}}"
        case list() | tuple() if value:
            items = [_written(each, deeper) for each in value]
            return f"[{deeper}{f',{deeper}'.join(items)}{line}]"
    return _encode(value)


def publish(store: Store, key: str, content: bytes) -> str:
    """Store ``content`` under ``key``, durable on return; return its SHA-256.

    Done before with the same bytes, it is done; raise PermanentError where other bytes have that key.
    """
    if not store.put(key, content) and store.read(key) != content:
        raise PermanentError(f"{key} in {store} holds another document: find out who wrote it; it stays as it is")
    return sha256(content).hexdigest()
