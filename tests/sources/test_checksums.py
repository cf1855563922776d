"""Checksums: the spellings of a SHA-256, and what is none."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.sources.checksums import is_given, read_sha256


@given(st.binary(max_size=40))
def test_every_spelling_reads_as_the_same_digest(media: bytes) -> None:
    """Hex in either case and base64 in either alphabet, padded or not, with the labels of HTTP and of web pages."""
    digest = hashlib.sha256(media)
    encoded = base64.b64encode(digest.digest()).decode()
    url_safe = base64.urlsafe_b64encode(digest.digest()).decode()
    hexes = (digest.hexdigest(), digest.hexdigest().upper())
    bare = (*hexes, encoded, encoded.rstrip("="), url_safe)
    labelled = [f"{label}{text}" for label in ("sha256:", "SHA-256=", "sha256-") for text in (*hexes, encoded)]
    for text in (*bare, *labelled, f"sha-256=:{encoded}:"):
        assert read_sha256(text) == digest.hexdigest(), text


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "sha256:",
        "ab",
        "g" * 64,
        "a" * 63,
        "a" * 65,
        "a" * 64 + "\n",
        "A" * 42 + "=",
        "md5:" + "a" * 64,
        7,
        {},
    ],
    ids=repr,
)
def test_anything_else_is_none(value: object) -> None:
    """Half a digest, another algorithm and other types are not made to fit."""
    assert read_sha256(value) is None


@pytest.mark.parametrize(("value", "expected"), [(None, False), ("", False), (" ", False), ("x", True), (0, True)])
def test_an_empty_field_gives_no_checksum(value: object, expected: bool) -> None:
    """Null and blank are as absent; everything else claims to be one."""
    assert is_given(value) is expected
