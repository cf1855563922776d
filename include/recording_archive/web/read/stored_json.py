"""JSON documents of the archive, read for a page that is shown even when one of them is lost."""

from __future__ import annotations

import json
from typing import Any

from recording_archive.errors import ArchiveError
from recording_archive.store.base import Store


def read_json(store: Store, key: str) -> tuple[dict[str, Any] | None, str | None]:
    """Return the document stored under ``key``; or None, and why it cannot be read."""
    try:
        document = json.loads(store.read(key))
    except ArchiveError as error:
        return None, str(error)
    except ValueError as error:
        return None, f"{key} is damaged ({error}): restore it from a copy of the archive"
    return (document, None) if isinstance(document, dict) else (None, f"{key} is damaged: it is not a JSON object")
