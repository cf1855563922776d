"""SHA-256 checksums in the spellings that services use."""

from __future__ import annotations

import base64
import binascii
import re

__all__ = ["is_given", "read_sha256"]

_LABEL = re.compile(r"sha-?256[:=-]", re.IGNORECASE)  # sha256:…, SHA-256=… (RFC 3230), sha256-… (W3C integrity)
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64 = re.compile(r"(:?)([A-Za-z0-9+/_-]{43})=?\1")  # of 32 bytes, either alphabet; in colons as by RFC 9530


def is_given(value: object) -> bool:
    """Tell if a field holds a checksum at all: null and blank text are as an absent field."""
    return not (value is None or (isinstance(value, str) and not value.strip()))


def read_sha256(value: object) -> str | None:
    """Return the digest in lower-case hex; None when ``value`` is no SHA-256 in hex or base64, with or without label.

    Text of 64 hex digits is always hex: base64 of a SHA-256 has 43 or 44 characters.
    """
    if not isinstance(value, str):
        return None
    label = _LABEL.match(value)
    text = value[label.end() :] if label else value
    if _HEX.fullmatch(text):
        return text.lower()
    found = _BASE64.fullmatch(text)
    return _decoded(found[2]) if found else None


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "=", validate=True).hex()
    except binascii.Error:
        return None
