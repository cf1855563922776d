"""Recordings of the sandbox: made from a seed, kept in a folder, or taken from one."""

from __future__ import annotations

import hashlib
import wave
from datetime import date, timedelta
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from support.sandbox_client import fetch, media_url

END = date(2026, 11, 21)  # as in the fixture


def test_recordings_are_wav_of_the_stated_duration(sandbox: Sandbox) -> None:
    """Every recording is 8 kHz, 16 bit, mono, as long as durationMs says, and not silent."""
    for recording in sandbox.library:
        with wave.open(str(recording.path), "rb") as file:
            assert file.getparams()[:3] == (1, 2, 8000)
            assert abs(file.getnframes() / 8 - recording.fields["durationMs"]) <= 1
            assert len(set(file.readframes(2000))) > 16


def test_sizes_and_dates_keep_to_the_options(sandbox: Sandbox) -> None:
    """Recordings lie on the days before ``end``, between the smallest and the largest size."""
    days = [recording.date.date() for recording in sandbox.library]
    assert days == sorted(END - timedelta(days=back) for back in (1, 2, 3) for _ in range(8))
    assert all(19_990 <= recording.size_bytes <= 60_000 for recording in sandbox.library)


def truth(options: SandboxOptions) -> dict[str, str]:
    with Sandbox(options) as sandbox:
        return {recording.id: recording.sha256 for recording in sandbox.library}


def test_same_seed_same_recordings(sandbox: Sandbox) -> None:
    """The seed alone decides ids and bytes; another seed shares none."""
    assert truth(sandbox.options) == {recording.id: recording.sha256 for recording in sandbox.library}
    other = truth(SandboxOptions(seed=2, days=3, per_day=8, min_bytes=20_000, max_bytes=60_000, end=END))
    assert not truth(sandbox.options).items() & other.items()


def test_next_day_keeps_the_days_in_common() -> None:
    """Started a day later, the sandbox offers the same calls for the days that both starts cover."""
    today, tomorrow = (
        truth(SandboxOptions(days=2, per_day=2, min_bytes=900, max_bytes=999, end=day))
        for day in (END, END + timedelta(days=1))
    )
    assert len(today.items() & tomorrow.items()) == 2


def test_state_dir_is_taken_up_again(tmp_path: Path) -> None:
    """A second start with the same folder writes nothing, and repairs a file that is cut short."""
    options = SandboxOptions(days=1, per_day=3, min_bytes=500, max_bytes=900, state_dir=tmp_path, end=END)
    first = truth(options)
    kept, cut, _ = sorted(tmp_path.iterdir())
    before = kept.stat().st_mtime_ns
    cut.write_bytes(b"RIFF")
    assert truth(options) == first
    assert kept.stat().st_mtime_ns == before
    assert cut.stat().st_size > 4


def test_media_dir_is_served(tmp_path: Path) -> None:
    """Each audio file of a folder is one recording with a safe, unique id; other files are left out."""
    for name in ("call one.mp3", "call-one.ogg", "..hidden.m4a", "notes.txt", "ünï.WAV"):
        (tmp_path / name).write_bytes(name.encode())
    with Sandbox(SandboxOptions(media_dir=tmp_path)) as sandbox:
        assert {r.id: r.extension for r in sandbox.library} == {
            "call-one": "mp3",
            "call-one-2": "ogg",
            "hidden": "m4a",
            "n-": "wav",
        }
        found = sandbox.library.get("call-one")
        assert found is not None
        reply = fetch(media_url(sandbox, found))
        assert (reply.content, reply.headers["Content-Type"]) == (b"call one.mp3", "audio/mpeg")
        assert hashlib.sha256(reply.content).hexdigest() == found.sha256


def test_media_dir_without_audio_is_an_error(tmp_path: Path) -> None:
    """An empty folder is a mistake to report, not a cloud without calls."""
    with pytest.raises(ValueError, match="no audio file"):
        Sandbox(SandboxOptions(media_dir=tmp_path))
