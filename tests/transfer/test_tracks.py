"""Tracks: sound alone or a picture too, wherever in the file its headers lie."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.transfer.formats import HEAD_BYTES
from recording_archive.transfer.tracks import Peek, Tracks, asf_tracks, matroska_tracks, mp4_tracks

MEDIA = Path(__file__).parents[1] / "media"
AUDIO, VIDEO, UNKNOWN = Tracks.AUDIO, Tracks.VIDEO, Tracks.UNKNOWN


def peek_of(body: bytes) -> Peek:
    """Read a file that lies in memory."""
    return lambda offset: body[offset : offset + HEAD_BYTES]


def box(kind: bytes, *inner: bytes) -> bytes:
    """One box of an ISO base media file."""
    body = b"".join(inner)
    return (8 + len(body)).to_bytes(4) + kind + body


def track(handler: bytes) -> bytes:
    """One track of an ISO base media file."""
    return box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(13))))


def element(name: str, body: bytes, *, endless: bool = False) -> bytes:
    """One EBML element, with a size of eight bytes."""
    size = b"\x01" + (b"\xff" * 7 if endless else len(body).to_bytes(7))
    return bytes.fromhex(name) + size + body


def webm(*types: int, endless: bool = False) -> bytes:
    """A WebM file with tracks of these types, behind an index and before a cluster."""
    entries = b"".join(element("AE", element("D7", b"\x01") + element("83", bytes([kind]))) for kind in types)
    inner = element("EC", bytes(9000)) + element("1654AE6B", entries) + element("1F43B675", bytes(50), endless=endless)
    return element("1A45DFA3", b"\x42\x82\x84webm") + element("18538067", inner, endless=endless)


@pytest.mark.parametrize(
    ("read", "name", "tracks"),
    [
        (mp4_tracks, "call.m4a", AUDIO),
        (mp4_tracks, "screen.mp4", VIDEO),
        (matroska_tracks, "call.webm", AUDIO),
    ],
)
def test_real_files(read: Callable[[Peek], Tracks], name: str, tracks: Tracks) -> None:
    """Files that common programs wrote."""
    assert read(peek_of((MEDIA / name).read_bytes())) is tracks


@pytest.mark.parametrize(
    ("handlers", "tracks"),
    [((b"soun",), AUDIO), ((b"soun", b"text"), AUDIO), ((b"soun", b"vide"), VIDEO), ((b"vide",), VIDEO), ((), UNKNOWN)],
)
@pytest.mark.parametrize("large", [False, True])
def test_mp4_headers_behind_the_media_are_found(handlers: tuple[bytes, ...], tracks: Tracks, large: bool) -> None:
    """A recorder writes its headers last, and lengths over 4 GiB in eight bytes."""
    media = bytes(100_000)
    mdat = b"\0\0\0\1mdat" + (16 + len(media)).to_bytes(8) + media if large else box(b"mdat", media)
    file = box(b"ftyp", b"isom") + mdat + box(b"moov", box(b"mvhd", bytes(100)), *map(track, handlers))
    assert mp4_tracks(peek_of(file)) is tracks


@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize(("types", "tracks"), [((2,), AUDIO), ((2, 17), AUDIO), ((1, 2), VIDEO), ((17,), UNKNOWN)])
def test_matroska_tracks_are_found(types: tuple[int, ...], tracks: Tracks, endless: bool) -> None:
    """A live recorder does not know how long a segment becomes."""
    assert matroska_tracks(peek_of(webm(*types, endless=endless))) is tracks


@pytest.mark.parametrize(
    ("streams", "tracks"),
    [
        (("409e69f84d5bcf11a8fd00805f5c442b",), AUDIO),
        (("409e69f84d5bcf11a8fd00805f5c442b", "c0ef19bc4d5bcf11a8fd00805f5c442b"), VIDEO),
        ((), UNKNOWN),
    ],
)
def test_asf_streams_are_found(streams: tuple[str, ...], tracks: Tracks) -> None:
    """The stream types lie in the header, which may be longer than one look."""
    body = bytes(HEAD_BYTES) + b"".join(map(bytes.fromhex, streams))
    assert asf_tracks(peek_of(bytes(16) + (24 + len(body)).to_bytes(8, "little") + body)) is tracks


@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_any_bytes_end(junk: bytes, seed: int) -> None:
    """Headers that lie, loop or point behind the end cost a bounded number of looks."""
    real = bytearray((MEDIA / random.Random(seed).choice(["call.m4a", "call.webm"])).read_bytes()[:3000])  # noqa: S311 - a choice of samples
    real[seed % 200 : seed % 200 + len(junk)] = junk
    for body in (junk, bytes(real)):
        looks = 0

        def peek(offset: int, body: bytes = body) -> bytes:
            nonlocal looks
            looks += 1
            return body[offset : offset + HEAD_BYTES]

        for read in (mp4_tracks, matroska_tracks, asf_tracks):
            read(peek)
        assert looks < 15_000
