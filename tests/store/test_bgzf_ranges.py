"""Ranges of media in BGZF: what slicing the media gives, without reading the rest."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording_archive.errors import PermanentError
from recording_archive.store.bgzf import (
    MEMBER_BYTES,
    media_range,
)

if TYPE_CHECKING:
    pass
from support.bgzf_media import (
    incompressible,
    packed,
    speech,
)


@settings(max_examples=60, deadline=None)
@given(start=st.integers(0, 450_000), length=st.integers(0, 200_000))
def test_range_is_the_slice(start: int, length: int) -> None:
    """Any range of the media is what slicing the media gives, beyond its end as well."""
    assert b"".join(media_range(io.BytesIO(LONG_STORED), start, start + length)) == LONG[start : start + length]


LONG = speech(200_000) + incompressible(200_001)


LONG_STORED = packed(LONG)


@pytest.mark.parametrize("edge", [0, 1, MEMBER_BYTES - 1, MEMBER_BYTES, MEMBER_BYTES + 1, len(LONG) - 1, len(LONG)])
def test_range_at_the_edges(edge: int) -> None:
    """One byte, or none, at each border."""
    for end in (edge - 1, edge, edge + 1):
        assert b"".join(media_range(io.BytesIO(LONG_STORED), edge, end)) == LONG[edge : max(end, 0)]
    assert b"".join(media_range(io.BytesIO(packed(b"")), edge, edge + 1)) == b""


class Counting(io.BytesIO):
    """Counts what is read."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.total += len(content)
        return content


def test_range_reads_little() -> None:
    """A few bytes of a long file cost the headers before them and a member or two, not the file."""
    media = incompressible(200 * MEMBER_BYTES)
    for start in (0, len(media) - 10):
        source = Counting(packed(media))
        assert b"".join(media_range(source, start, start + 10)) == media[start : start + 10]
        assert source.total < 200 * 26 + 3 * 2**16


def test_range_of_damaged_media_is_refused() -> None:
    """No byte of a damaged member is given out, and a cut file does not end in silence."""
    for broken in (LONG_STORED[:100] + b"\0\0" + LONG_STORED[102:], LONG_STORED[:-28], LONG_STORED[:-30], b""):
        with pytest.raises(PermanentError, match=r"a\.gz: damaged"):
            b"".join(media_range(io.BytesIO(broken), 0, len(LONG) + 1, name="a.gz"))
        with pytest.raises(PermanentError, match=r"a\.gz: damaged"):
            b"".join(media_range(io.BytesIO(broken[: len(broken) // 2]), len(LONG) - 1, len(LONG), name="a.gz"))
