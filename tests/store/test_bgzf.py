"""Seekable gzip: what goes in comes out, by anybody's gunzip, and no damage passes unseen."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording_archive.errors import PermanentError
from recording_archive.model import Compressed
from recording_archive.store.bgzf import (
    END_MARKER,
    MEMBER_BYTES,
    compress,
    media_range,
    read_back,
)
from support.bgzf_media import (
    RUN,
    Stream,
    foreign,
    incompressible,
    member,
    packed,
    peak,
    speech,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that share the work on one file."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


SIZES = st.one_of(
    st.integers(0, 300),
    st.sampled_from([MEMBER_BYTES, RUN]).flatmap(lambda edge: st.integers(edge - 2, edge + 2)),
    st.integers(0, 3 * RUN),
)


KINDS: list[Callable[[int], bytes]] = [speech, incompressible, bytes]


MEDIA = st.lists(st.tuples(st.sampled_from(KINDS), SIZES), max_size=3).map(
    lambda parts: b"".join(make(size) for make, size in parts)
)


@settings(max_examples=40, deadline=None)
@given(media=MEDIA, pooled=st.booleans())
def test_any_media_survives_the_round_trip(media: bytes, pooled: bool) -> None:
    """Any gzip gives the media back byte by byte, and the reading back declares what really is in the file."""
    sink = io.BytesIO()
    with ThreadPoolExecutor(2) as threads:
        chosen = threads if pooled else None
        members = compress(io.BytesIO(media), sink, pool=chosen)
        stored = sink.getvalue()
        found = read_back(io.BytesIO(stored), pool=chosen)
    assert gzip.decompress(stored) == media
    assert found == Compressed(
        sha256=hashlib.sha256(media).hexdigest(),
        size_bytes=len(media),
        stored_sha256=hashlib.sha256(stored).hexdigest(),
        stored_bytes=len(stored),
        members=members,
    )
    assert members == math.ceil(len(media) / MEMBER_BYTES)


@pytest.mark.skipif(not shutil.which("gunzip"), reason="gunzip is not installed")
def test_gunzip_reads_it(tmp_path: Path) -> None:
    """The plain tools give back the media: no software of ours is needed to read the archive."""
    media = speech(3 * RUN) + incompressible(RUN) + bytes(RUN)
    path = tmp_path / "a.wav.gz"
    path.write_bytes(packed(media))
    command = f"gunzip -c '{path}' | sha256sum"
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.split()[0]
    assert found == hashlib.sha256(media).hexdigest()


def test_empty_media_is_the_end_marker_alone() -> None:
    """An empty file has no member, and reads back as the empty file."""
    assert packed(b"") == END_MARKER
    found = read_back(io.BytesIO(END_MARKER))
    assert (found.size_bytes, found.members, found.sha256) == (0, 0, hashlib.sha256(b"").hexdigest())


def test_marker_is_that_of_the_specification() -> None:
    """The end-of-file marker is the one SAM tools look for, and an empty gzip file in itself."""
    assert len(END_MARKER) == 28
    assert gzip.decompress(END_MARKER) == b""
    assert member(b"\x03\x00", b"") == END_MARKER


def test_members_are_bgzf() -> None:
    """Each member declares its length in the BC field, holds 65280 bytes but for the last, and has no clock in it."""
    stored, sizes = packed(speech(RUN + 1000)), []
    while stored:
        assert stored[:16] == bytes.fromhex("1f8b0804 00000000 00ff 0600 4243 0200")
        length = struct.unpack_from("<H", stored, 16)[0] + 1
        sizes.append(struct.unpack_from("<I", stored, length - 4)[0])
        stored = stored[length:]
    assert sizes == [MEMBER_BYTES] * 16 + [1000, 0]


def test_speech_shrinks() -> None:
    """Telephone audio is deflated."""
    assert len(packed(speech(2 * RUN))) < 2 * RUN * 0.9


def test_incompressible_media_hardly_grows() -> None:
    """Media that does not shrink is stored as it is, at less than 0.1 per cent on top."""
    media = incompressible(2 * RUN)
    stored = packed(media)
    assert len(stored) < len(media) * 1.001
    assert media[:MEMBER_BYTES] in stored


def test_media_that_shrinks_by_a_hair_is_stored() -> None:
    """A gain below 3 per cent, as with MP3, is not worth inflating at every reading."""
    block = incompressible(MEMBER_BYTES - 1000) + bytes(1000)
    assert block in packed(block)


def test_compressible_media_after_incompressible_is_deflated() -> None:
    """A start that does not shrink costs the rest no more than one run."""
    tail = 8 * RUN
    assert len(packed(incompressible(MEMBER_BYTES) + bytes(tail))) < 1.1 * RUN


def test_compressible_start_does_not_deceive() -> None:
    """A picture or padding before incompressible media does not make all of it grow."""
    media = bytes(MEMBER_BYTES) + incompressible(2 * RUN)
    assert len(packed(media)) < 2 * RUN * 1.001


class Trickle(io.BytesIO):
    """A source that gives less than it is asked for, as pipes and sockets do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 10_007))


def test_short_reads_do_not_move_the_cuts() -> None:
    """Members are full however the bytes arrive, and a file that trickles in reads back the same."""
    media = incompressible(RUN + 5000)
    sink = io.BytesIO()
    compress(Trickle(media), sink)
    assert sink.getvalue() == packed(media)
    assert read_back(Trickle(sink.getvalue())) == read_back(io.BytesIO(sink.getvalue()))


@pytest.mark.parametrize("size", [100, 65_280, 65_498, 65_536])
@pytest.mark.parametrize("level", [0, 6])
def test_members_of_other_tools_are_read(size: int, level: int) -> None:
    """Files of bgzip or htsjdk, with members of other sizes and several deflate blocks in one, read the same."""
    if size == 65_536 and level == 0:
        size = 65_500  # a member of 64 KiB cannot hold 64 KiB stored
    media = speech(200_000)
    stored = foreign(media, size=size, level=level)
    found = read_back(io.BytesIO(stored))
    assert (found.sha256, found.members) == (hashlib.sha256(media).hexdigest(), math.ceil(len(media) / size))
    assert b"".join(media_range(io.BytesIO(stored), 70_000, 150_001)) == media[70_000:150_001]


@pytest.mark.parametrize("pooled", [False, True])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, pool: ThreadPoolExecutor, pooled: bool) -> None:
    """A file of 50 MB takes as little memory as one of 20, with a pool as well."""
    chosen, peaks = pool if pooled else None, []
    for megabytes in (20, 50):
        path = tmp_path / f"{megabytes}.gz"

        def round_trip(size: int = megabytes * 10**6, path: Path = path) -> None:
            with path.open("wb") as sink:
                compress(Stream(size), sink, pool=chosen)  # type: ignore[arg-type]  # only read() is used
            with path.open("rb") as source:
                assert read_back(source, pool=chosen).size_bytes == size

        peaks.append(peak(round_trip))
    assert peaks[1] < peaks[0] + 2 * 2**20
    assert peaks[1] < (40 if pooled else 8) * 2**20


def test_silence_takes_no_more_memory_than_speech() -> None:
    """A MiB of stored silence is hundreds of MiB of media: they are never held together."""
    stored = packed(bytes(MEMBER_BYTES)).removesuffix(END_MARKER) * 600 + END_MARKER
    assert peak(lambda: read_back(io.BytesIO(stored))) < 8 * 2**20


class BrokenSink(io.BytesIO):
    """Fails at the second write, as a full disk does."""

    writes = 0

    def write(self, content: ReadableBuffer, /) -> int:
        self.writes += 1
        if self.writes == 2:
            raise OSError(28, "No space left on device")
        return super().write(content)


def test_failure_stops_the_pool(pool: ThreadPoolExecutor) -> None:
    """An error of the sink, or damage, comes out at once and leaves the pool usable."""
    with pytest.raises(OSError, match="No space"):
        compress(io.BytesIO(bytes(40 * RUN)), BrokenSink(), pool=pool)
    with pytest.raises(PermanentError, match="damaged"):
        read_back(io.BytesIO(packed(speech(400_000))[:-40]), pool=pool)
    assert pool.submit(int, "7").result(10) == 7
