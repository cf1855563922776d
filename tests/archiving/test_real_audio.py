"""Real audio files of every common kind, archived through the sandbox's ``--media-dir``, byte for byte."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.model import Window
from support.runner import Runner

MEDIA = Path(__file__).parents[1] / "media"


def test_every_kind_of_audio_keeps_its_bytes_and_its_name(archive: Archive) -> None:
    """`gunzip -c | sha256sum` of each object is the file's own hash, and its extension says what it is."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    window = Window(today - timedelta(days=10), today + timedelta(days=1))
    with Sandbox(SandboxOptions(media_dir=MEDIA, rate_per_minute=0)) as cloud:
        run: Callable[..., object] = Runner(cloud)
        run(archive, "real", Request(window=window))
        names = {recording.sha256: recording.path.name for recording in cloud.library}
    found = {}
    for key in archive.store.list("recordings/"):
        if key.endswith(".gz"):
            media = subprocess.run(
                ["gunzip", "-c", archive.settings.root / key], check=True, capture_output=True
            ).stdout
            found[names[hashlib.sha256(media).hexdigest()]] = key.removesuffix(".gz").rpartition(".")[2]
    assert found == {
        "call.flac": "flac",
        "call.m4a": "m4a",
        "call.mp3": "mp3",
        "call.opus": "opus",
        "call.wav": "wav",
        "call.webm": "webm",
        "screen.mp4": "mp4",
        "vorbis.ogg": "ogg",
    }
