"""Seekable gzip: what goes in comes out, by anybody's gunzip, and no damage passes unseen."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import random
import shutil
import struct
import subprocess
import tracemalloc
import zlib
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
    DamagedError,
    compress,
    media_range,
    read_back,
    whole_members,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

RUN = 16 * MEMBER_BYTES


def speech(size: int) -> bytes:
    """Something like 16-bit telephone audio: it shrinks by an eighth."""
    noise = random.Random(size)  # noqa: S311  # test audio, not a secret
    count = min(size, 40_000) // 2 + 1
    tone = [int(3000 * math.sin(n / 7) * math.sin(n / 900) + noise.gauss(0, 90)) for n in range(count)]
    once = struct.pack(f"<{count}h", *tone)
    return (once * (size // len(once) + 1))[:size]


def incompressible(size: int) -> bytes:
    """What MP3 looks like to deflate."""
    return random.Random(size).randbytes(size)  # noqa: S311  # test audio, not a secret


def packed(media: bytes) -> bytes:
    """The media as this archive stores it."""
    sink = io.BytesIO()
    compress(io.BytesIO(media), sink)
    return sink.getvalue()


def foreign(media: bytes, *, size: int = 65_498, level: int = 6) -> bytes:
    """The media as another BGZF tool would store it, with members of its own size."""
    members = []
    for start in range(0, len(media), size):
        block = media[start : start + size]
        engine = zlib.compressobj(level, zlib.DEFLATED, -15)
        members.append(member(engine.compress(block) + engine.flush(), block))
    return b"".join(members) + END_MARKER


def member(deflated: bytes, media: bytes, *, size: int | None = None) -> bytes:
    """A BGZF member around a deflate stream, as true or false as the test wants it."""
    trailer = struct.pack("<II", zlib.crc32(media), len(media) if size is None else size)
    return END_MARKER[:16] + struct.pack("<H", 18 + len(deflated) + 8 - 1) + deflated + trailer


def deflated(media: bytes) -> bytes:
    """A raw deflate stream."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(media) + engine.flush()


def several_members() -> bytes:
    """A small file with a deflated, a stored and another deflated member."""
    parts = [packed(b"hello " * 20), packed(bytes(range(40))), packed(b"bye " * 20)]
    return b"".join(part.removesuffix(END_MARKER) for part in parts) + END_MARKER


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


def test_every_truncation_is_found() -> None:
    """A file cut anywhere, at the end of a member as well, does not pass."""
    stored = several_members()
    assert read_back(io.BytesIO(stored)).size_bytes == 240
    for length in range(len(stored)):
        with pytest.raises(PermanentError, match=r"object: damaged at byte \d+"):
            read_back(io.BytesIO(stored[:length]))


def test_every_flipped_bit_is_found() -> None:
    """A flip is refused, or lies in a bit without meaning: then the media is whole and the stored hash shows it."""
    stored = several_members()
    intact = read_back(io.BytesIO(stored))
    unseen = set()
    for position in range(len(stored) * 8):
        damaged = bytearray(stored)
        damaged[position // 8] ^= 1 << position % 8
        try:
            found = read_back(io.BytesIO(damaged))
        except PermanentError:
            continue
        assert (found.sha256, found.size_bytes) == (intact.sha256, intact.size_bytes)
        assert found.stored_sha256 != intact.stored_sha256
        unseen.add(position // 8)
    starts = [0]
    while starts[-1] < len(stored) - 28:
        starts.append(starts[-1] + struct.unpack_from("<H", stored, starts[-1] + 16)[0] + 1)
    time_and_system = {start + field for start in starts[:-1] for field in range(4, 10)}
    padding_of_deflate = {start - 9 for start in starts[1:]} | {start + 18 for start in starts[:-1]}
    assert unseen <= time_and_system | padding_of_deflate


def test_every_cut_leaves_the_whole_members_before_it() -> None:
    """Wherever a file is cut off, what is given is the media up to the last whole member, and where that ends."""
    stored, media = several_members(), b"hello " * 20 + bytes(range(40)) + b"bye " * 20
    places = {0: b""} | {end: media[:size] for end, size in zip(ends_of(stored), (120, 160, 240), strict=True)}
    for cut in range(len(stored) + 1):
        found = [(0, b""), *((end, bytes(block)) for end, block in whole_members(io.BytesIO(stored[:cut])))]
        end = max(place for place in places if place <= cut)
        assert (found[-1][0], b"".join(block for _, block in found)) == (end, places[end])


def ends_of(stored: bytes) -> list[int]:
    """Offsets behind each member but the marker, by the headers alone."""
    places, place = [], 0
    while place < len(stored) - len(END_MARKER):
        place += struct.unpack_from("<H", stored, place + 16)[0] + 1
        places.append(place)
    return places


def test_what_was_cut_off_and_does_not_add_up_is_refused() -> None:
    """A flipped bit in a member that is whole is no cut."""
    stored = several_members().removesuffix(END_MARKER)
    for place in (0, 12, 20, len(stored) - 1):
        spoiled = bytearray(stored)
        spoiled[place] ^= 1
        with pytest.raises(DamagedError, match="damaged at byte"):
            list(whole_members(io.BytesIO(spoiled)))


@pytest.mark.parametrize("rest", [b"\0", END_MARKER, b"x" * 100, packed(b"more")])
def test_nothing_may_follow_the_marker(rest: bytes) -> None:
    """Bytes behind the end are named with their place, whatever they are."""
    stored = packed(b"media")
    with pytest.raises(PermanentError, match=rf"damaged at byte {len(stored)}: bytes follow"):
        read_back(io.BytesIO(stored + rest))


def test_marker_may_end_a_read() -> None:
    """Bytes that come with the next read after the marker are found too."""
    media = incompressible(2**20 - 31 * 17 - 28)
    stored = packed(media)
    assert len(stored) == 2**20
    assert read_back(io.BytesIO(stored)).size_bytes == len(media)
    with pytest.raises(PermanentError, match=f"damaged at byte {2**20}: bytes follow"):
        read_back(io.BytesIO(stored + b"x"))


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        (member(deflated(b"media"), b"other"), "CRC32"),
        (member(deflated(b"media"), b"media", size=4), "does not hold the 4 bytes"),
        (member(deflated(b"media") + b"x", b"media"), "does not hold"),
        (member(deflated(b"media" * 100)[:-3], b"media" * 100), "inflate|does not hold"),
        (member(deflated(bytes(65_537)), bytes(65_537)), "does not hold"),
        (member(deflated(bytes(60_000_000)), bytes(60_000_000)), "does not hold"),
        (member(struct.pack("<BHH", 1, 5, 0xFFFA) + b"mediax", b"mediax"), "does not hold"),
        (member(struct.pack("<BHH", 0, 5, 0xFFFA) + b"media", b"media"), "inflate|does not hold"),
        (member(b"\x07\x00", b""), "inflate"),
        (member(b"", b""), "no BGZF member"),
        (gzip.compress(b"media", mtime=0), "no BGZF member"),
        (b"RIFF" + bytes(60), "no BGZF member"),
    ],
)
def test_forged_members_are_refused(forged: bytes, reason: str) -> None:
    """A member that is not what it declares is named with the object, its offset and the reason."""
    start = packed(b"first").removesuffix(END_MARKER)
    with pytest.raises(PermanentError, match=rf"^a\.gz: damaged at byte {len(start)}: .*({reason})"):
        read_back(io.BytesIO(start + forged + END_MARKER), "a.gz")


def test_bomb_does_not_fill_memory() -> None:
    """A member that would inflate to 60 MB is given up at 64 KiB."""
    bomb = member(deflated(bytes(60_000_000)), bytes(60_000_000)) + END_MARKER

    def refuse() -> None:
        with pytest.raises(PermanentError, match="does not hold"):
            read_back(io.BytesIO(bomb))

    assert peak(refuse) < 2 * 2**20


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


class Stream(io.RawIOBase):
    """A long source that is never in memory."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.block = speech(40_000) * 30

    def read(self, size: int = -1, /) -> bytes:
        taken = min(size, self.left, len(self.block))
        self.left -= taken
        return self.block[:taken]


def peak(action: Callable[[], object]) -> int:
    """The most bytes Python held at once during ``action``, beyond those before it."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


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
        read_back(io.BytesIO(LONG_STORED[:-40]), pool=pool)
    assert pool.submit(int, "7").result(10) == 7
