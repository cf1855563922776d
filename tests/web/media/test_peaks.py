"""Waveforms: the loudest sample of each stretch, of every encoding a call recorder writes."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.errors import StoreError
from recording_archive.fixity.strays import find_strays
from recording_archive.fixity.verify import verify
from recording_archive.store import sidecar
from recording_archive.store.base import Draft
from recording_archive.store.local import LocalStore
from recording_archive.web.deps import get_archive
from recording_archive.web.media.peaks import MOST_BYTES, POINTS, draw
from recording_archive.web.media.wav_file import LOUDEST


def wav(samples: bytes, *, encoding: int = 1, channels: int = 1, width: int = 2, rate: int = 8000) -> bytes:
    layout = struct.pack("<HHIIHH", encoding, channels, rate, rate * channels * width, channels * width, width * 8)
    chunks = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", 16) + layout
    return b"RIFF" + struct.pack("<I", 0) + b"WAVE" + chunks + b"data" + struct.pack("<I", len(samples)) + samples


def cut(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def drawn(content: bytes, size: int = 65_280) -> list[list[int]]:
    document = draw(cut(content, size), len(content))
    assert document is not None
    return list(document["peaks"])


@given(
    samples=st.lists(st.integers(-32768, 32767), max_size=3000),
    channels=st.integers(1, 3),
    size=st.sampled_from([1, 7, 1000, 65_280]),
)
@settings(max_examples=60, deadline=None)
def test_levels_are_those_of_a_plain_loop(samples: list[int], channels: int, size: int) -> None:
    """However the file is cut into pieces: each point is the loudest sample of its stretch and channel."""
    samples = samples[: len(samples) // channels * channels]
    frames = len(samples) // channels
    step = max(1, math.ceil(frames / POINTS))
    shown = channels if channels <= 2 else 1
    want = [[0] * math.ceil(frames / step) for _ in range(shown)]
    for number, sample in enumerate(samples):
        level = sample >> 8 if sample >= 0 else ~sample >> 8
        point, channel = number // channels // step, number % channels % shown
        want[channel][point] = max(want[channel][point], level)
    assert drawn(wav(struct.pack(f"<{len(samples)}h", *samples), channels=channels), size) == want


@pytest.mark.parametrize(
    ("encoding", "width", "silence", "loud"),
    [
        *((1, 1, b"\x80", b"\x00"), (1, 1, b"\x80", b"\xff"), (1, 3, b"\0\0\0", b"\xff\xff\x7f")),
        *((7, 1, b"\xff", b"\x80"), (7, 1, b"\x7f", b"\x00"), (6, 1, b"\xd5", b"\xaa"), (6, 1, b"\x55", b"\x2a")),
    ],
)
def test_silence_is_nothing_and_the_loudest_code_nearly_all(
    encoding: int, width: int, silence: bytes, loud: bytes
) -> None:
    """8-bit, A-law, µ-law and 24-bit: one loud sample among silence stands out, at its place."""
    content = wav(silence * 700 + loud + silence * 299, encoding=encoding, width=width)
    (levels,) = drawn(content)
    assert levels[700] >= 124
    assert levels[700] <= LOUDEST
    assert set(levels[:700] + levels[701:]) == {0}


def test_a_long_recording_keeps_every_click_and_stays_small() -> None:
    """A thousand points whatever the length; one sample in two million still shows."""
    frames = 2_000_000
    samples = bytearray(frames * 4)
    samples[4 * 1_234_567 + 2 : 4 * 1_234_567 + 4] = struct.pack("<h", -32768)
    document = draw(cut(wav(bytes(samples), channels=2), 65_280), len(samples) + 60)
    assert document is not None
    left, right = document["peaks"]
    assert max(left) == 0
    assert [number for number, level in enumerate(right) if level] == [1_234_567 // 2000]
    assert len(left) == len(right) == POINTS
    assert document["durationMs"] == 250_000
    loudest = {**document, "peaks": [[LOUDEST] * POINTS] * 2}
    assert len(json.dumps(loudest, separators=(",", ":"))) <= MOST_BYTES


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"RIFF", b"ID3" + bytes(5000), b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd"),
        *(wav(bytes(8), encoding=3, width=4), wav(bytes(8), encoding=0x31, width=1)),
        *(wav(bytes(8), rate=0), wav(b"", channels=0, width=1)),
    ],
)
def test_what_is_no_plain_wav_has_none(content: bytes) -> None:
    """Other formats, float and compressed samples, broken headers: no waveform, no error."""
    assert draw(cut(content, 1000), len(content)) is None


def test_a_length_that_lies_is_cut_at_the_end() -> None:
    """A recorder that never came back to write the length leaves 0 or the largest number there."""
    honest = wav(struct.pack("<4h", 0, 256, 512, 768))
    for told in (0, 0xFFFFFFFF, 10**6):
        content = honest[:-12] + struct.pack("<I", told) + honest[-8:]
        assert drawn(content) == [[0, 1, 2, 3]]


def first_key(archive: Archive) -> tuple[str, str]:
    with archive.catalog.read() as connection:
        row = connection.execute(select(recordings).order_by(recordings.c.key).limit(1)).one()
    return f"api/recordings/{row.interaction_id}/{row.recording_id}/peaks", row.key


def test_it_is_kept_beside_the_object_and_no_stray(app_client: TestClient, archived: Archive) -> None:
    """The first look writes it, the second reads it; verify takes it for what it is."""
    address, key = first_key(archived)
    kept = archived.settings.root / sidecar.peaks_beside(key)
    assert not kept.exists()
    first = app_client.get(address)
    assert first.status_code == 200
    assert kept.read_bytes() == first.content
    assert len(first.content) <= MOST_BYTES
    assert first.json()["peaks"][0]
    assert app_client.get(address).content == first.content
    assert list(find_strays(archived)) == []
    assert not [each for each in verify(archived) if each.problem]


def test_a_waveform_of_nothing_is_a_stray(archived: Archive) -> None:
    """One whose recording the catalog does not have is named."""
    archived.store.put("recordings/org=default/undated/a~b~0.peaks", b"{}")
    assert [each.key for each in find_strays(archived)] == ["recordings/org=default/undated/a~b~0.peaks"]


class ReadOnly(LocalStore):
    """An archive mounted for reading alone; a test that runs as root cannot have that by permissions."""

    @contextmanager
    def begin(self, key: str) -> Iterator[Draft]:
        raise StoreError(f"{key}: Read-only file system: mount the volume writable")


def test_it_shows_where_it_cannot_be_kept(app_client: TestClient, archived: Archive) -> None:
    """An archive that may only be read: the waveform comes all the same."""
    address, key = first_key(archived)
    mounted = replace(archived, store=ReadOnly(archived.settings.root))
    app_client.app.dependency_overrides[get_archive] = lambda: mounted  # type: ignore[attr-defined]  # a FastAPI app
    reply = app_client.get(address)
    assert reply.status_code == 200
    assert reply.json()["peaks"]
    assert archived.store.size(sidecar.peaks_beside(key)) is None


class Deleting(LocalStore):
    """Loses every object whose waveform is begun: somebody else deletes it at that moment."""

    @contextmanager
    def begin(self, key: str) -> Iterator[Draft]:
        with super().begin(key) as draft:
            self.remove(f"{key.removesuffix('.peaks')}.wav.gz")
            yield draft


def test_none_is_left_of_a_recording_that_is_deleted_meanwhile(app_client: TestClient, archived: Archive) -> None:
    """What is erased leaves no picture of itself behind."""
    address, key = first_key(archived)
    deleting = replace(archived, store=Deleting(archived.settings.root))
    app_client.app.dependency_overrides[get_archive] = lambda: deleting  # type: ignore[attr-defined]  # a FastAPI app
    assert app_client.get(address).status_code == 200
    assert archived.store.size(key) is None
    assert archived.store.size(sidecar.peaks_beside(key)) is None


def test_media_without_waveform_says_so(app_client: TestClient, archived: Archive) -> None:
    """An MP3 answers 404 with the reason."""
    address, key = first_key(archived)
    with archived.catalog.write() as connection:
        connection.execute(update(recordings).where(recordings.c.key == key).values(mime_type="audio/mpeg"))
    reply = app_client.get(address)
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert "audio/mpeg" in reply.json()["detail"]
