"""Redaction: what may be shown to others."""

from __future__ import annotations

import pytest

from recording_archive.cli.redaction import hashed, shape_of

GUID = "0F0E3C21-1111-4222-8333-0123456789ab"


def test_ids_become_hashes_that_mean_nothing_elsewhere() -> None:
    """One id has one hash in a text, whatever its spelling; another salt gives another."""
    text = f"{GUID} is {GUID.lower()}, call-7 is not {GUID[:-1]}c"
    told = hashed(text, ["call-7"], "salt")
    first, same, call, other = (word for word in told.replace(",", "").split() if word.startswith("id-"))
    assert first == same
    assert len({first, call, other}) == 3
    assert "call-7" not in told
    assert GUID.casefold() not in told.casefold()
    assert hashed(text, ["call-7"], "pepper") != told


@pytest.mark.parametrize(
    ("url", "shape"),
    [
        (
            f"https://api-downloads.mypurecloud.ie/MediaCache/{GUID}/{GUID}/a1.opus?Signature=SECRET&Expires=1&Key=",
            "https://api-downloads.mypurecloud.ie/MediaCache/*/*/*.opus?Expires&Key&Signature",
        ),
        ("https://h.example:8443/api/v2/downloads/49e17", "https://h.example:8443/api/v2/downloads/*"),
        ("https://me:SECRET@h.example/Jane Doe/+4912345", "https://h.example/*/*"),
        ("https://[broken", ""),
    ],
)
def test_a_url_keeps_its_shape_alone(url: str, shape: str) -> None:
    """Words of the path and names of parameters stay; ids, numbers, names of files and values go."""
    assert shape_of(url) == shape
