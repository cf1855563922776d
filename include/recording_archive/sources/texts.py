"""Text and JSON of a service, made fit for databases, sidecars and logs."""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["harmless", "plain"]

# User and password, query and fragment of a URL. The scheme's length is bounded to keep the search linear.
_URL_SECRETS = re.compile(r"((?:\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}:|^)//)(?:[^\s/?#]*@)?([^\s?#]*)(?:[?#]\S*)?")
_PATH_SECRETS = re.compile(r"^(/[^\s?#]*)[?#]\S*$")


def harmless(value: Any) -> Any:
    """JSON that any JSON reader, database and log can hold, and without the query strings of URLs."""
    if isinstance(value, str):
        text = plain(value)
        if "/" not in text:  # most of what there is, and a third of a large run's listing was spent on it
            return text
        return _PATH_SECRETS.sub(r"\1", _URL_SECRETS.sub(r"\1\2", text))
    if isinstance(value, dict):
        return {harmless(key): harmless(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [harmless(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def plain(text: str) -> str:
    """Text without NUL, which PostgreSQL refuses, and lone surrogates, which UTF-8 refuses: both become visible."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
