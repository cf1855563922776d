"""Redaction of what is shown to others: ids become hashes, URLs lose what opens them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from recording_archive.transfer.trial import host_in

__all__ = ["hashed", "shape_of"]

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+|v[0-9]")


def hashed(text: str, ids: Iterable[str], salt: str) -> str:
    """Replace ids, and whatever looks like one, by hashes that are the same within this text alone."""
    for name in sorted(ids, key=len, reverse=True):
        text = text.replace(name, _hash(name, salt))
    return _GUID.sub(lambda found: _hash(found[0], salt), text)


def shape_of(url: str) -> str:
    """A URL without its secrets: words of the path stay, other parts of it are ``*``, parameters have no values."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    path = "/".join(
        part if not part or _WORD.fullmatch(part) else f"*{_suffix(part)}" for part in parts.path.split("/")
    )
    names = sorted(dict(parse_qsl(parts.query, keep_blank_values=True)))
    return f"{parts.scheme}://{host_in(url)}{path}" + (f"?{'&'.join(names)}" if names else "")


def _suffix(part: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,5}$", part)
    return found[0] if found else ""


def _hash(name: str, salt: str) -> str:
    return f"id-{hashlib.sha256((salt + name.casefold()).encode()).hexdigest()[:12]}"
