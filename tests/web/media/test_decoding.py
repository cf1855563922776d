"""Sound that must be decoded: waveforms and plain samples of every format, and what is said where there is none."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.store import sidecar
from recording_archive.web.media import decoding
from support import sounds
from support.contents import events_of


def address(name: str, what: str) -> str:
    return f"api/recordings/{name}/{name}/{what}"


@pytest.mark.parametrize("name", sounds.MADE)
def test_a_waveform_has_both_sides_and_the_length(app_client: TestClient, archived: Archive, name: str) -> None:
    """Each second another side speaks; the second look reads what the first one kept."""
    *made, mime_type = sounds.MADE[name]
    row = sounds.add(archived, name, sounds.encoded(*made), mime_type)
    told = app_client.get(address(name, "peaks"))
    assert told.status_code == 200, told.text
    document = told.json()
    assert abs(document["durationMs"] - 1000 * sounds.SECONDS) < 150
    middles = [
        [channel[int((second + 0.5) / 4.05 * len(channel))] for second in range(4)] for channel in document["peaks"]
    ]
    assert [[level > 40 for level in channel] for channel in middles] == [[False, True] * 2, [True, False] * 2]
    assert archived.store.read(sidecar.peaks_beside(row.key)) == told.content


def test_adpcm_comes_as_plain_samples_in_ranges(app_client: TestClient, archived: Archive) -> None:
    """A WAV file that every browser plays, at any place; whole or in ranges it is the same, and one event."""
    *made, mime_type = sounds.MADE["adpcm"]
    sounds.add(archived, "adpcm", sounds.encoded(*made), mime_type)
    whole = app_client.get(address("adpcm", "media?decoded=true"))
    with wave.open(io.BytesIO(whole.content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        assert abs(file.getnframes() / 8000 - sounds.SECONDS) < 0.1
    part = app_client.get(address("adpcm", "media?decoded=true"), headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, whole.content[1000:2000])
    assert len(events_of(archived, "played", "adpcm")) == 1


def test_a_screen_without_sound_has_its_length_alone(app_client: TestClient, archived: Archive) -> None:
    """No waveform, and nothing is wrong; asked for its sound, it says that there is none."""
    sounds.add(archived, "screen", sounds.screen(), "video/webm")
    told = app_client.get(address("screen", "peaks")).json()
    assert (told["peaks"], told["durationMs"]) == ([], 1000 * sounds.SECONDS)
    assert "no sound" in app_client.get(address("screen", "media?decoded=true")).json()["detail"]


def test_what_cannot_be_decoded_says_why(
    app_client: TestClient, archived: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken file, a list that names other files, an unknown format, too much, and a missing library."""
    sounds.add(archived, "broken", b"OggS" + bytes(500), "audio/ogg")
    sounds.add(archived, "list", f"ffconcat version 1.0\nfile {tmp_path}/x.wav\n".encode(), "audio/mp4")
    sounds.add(archived, "other", b"x", "application/zip")
    sounds.add(archived, "much", sounds.encoded(*sounds.MADE["mp3"][:4]), "audio/mpeg")
    for name, why in (("broken", "cannot be decoded"), ("list", "cannot be decoded"), ("other", "not a format")):
        reply = app_client.get(address(name, "peaks"))
        assert reply.status_code == 404
        assert why in reply.json()["detail"], name
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "MOST_MEDIA", 100)
        assert "too much to decode" in app_client.get(address("much", "peaks")).json()["detail"]
    (tmp_path / "av.py").write_text("raise ImportError('No module named av')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "pip install av" in app_client.get(address("much", "peaks")).json()["detail"]


def test_bytes_that_are_not_what_was_archived_are_not_decoded(app_client: TestClient, archived: Archive) -> None:
    """They are condemned, as when they are played."""
    one, other = (sounds.encoded(*sounds.MADE[name][:4]) for name in ("mp3", "flac"))
    row = sounds.add(archived, "one", one, "audio/mpeg", sha256=sounds.hashlib.sha256(other).hexdigest())
    assert app_client.get(address("one", "media?decoded=true")).status_code == 503
    assert row.key in events_of(archived, "verified", "one")[-1].detail["problem"]
