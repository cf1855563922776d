"""BGZF that was cut, changed or forged: each is found, and named with its place."""

from __future__ import annotations

import gzip
import io
import struct
from typing import TYPE_CHECKING

import pytest

from recording_archive.errors import PermanentError
from recording_archive.store.bgzf import (
    END_MARKER,
    DamagedError,
    read_back,
    whole_members,
)

if TYPE_CHECKING:
    pass
from support.bgzf_media import (
    deflated,
    incompressible,
    member,
    packed,
    peak,
    several_members,
)


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
