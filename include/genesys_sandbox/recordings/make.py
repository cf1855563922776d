"""Make the library of a sandbox: write or find the media of each planned recording, hash it, and give it metadata."""

from __future__ import annotations

import hashlib
import os
import random
import wave
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from genesys_sandbox.media import BYTES_PER_SECOND, WAV_HEADER_BYTES, wav
from genesys_sandbox.recordings.library import Library
from genesys_sandbox.recordings.people import AGENTS, QUEUES, agent_named, queue_named
from genesys_sandbox.recordings.plan import Plan, plan_calls, plan_folder
from genesys_sandbox.recordings.recording import MIME_TYPES, Recording
from genesys_sandbox.settings.options import SandboxOptions

Progress = Callable[[str], None]


def open_library(options: SandboxOptions, state_dir: Path, progress: Progress = lambda _: None) -> Library:
    """Make, or find again in ``state_dir``, the recordings that the options ask for; hash each of them.

    Raises ValueError when the media folder holds no audio.
    """
    planned = list(plan_folder(options) if options.media_dir else plan_calls(options, state_dir))
    if not planned and options.media_dir:
        raise ValueError(f"{options.media_dir}: no audio file; known are {', '.join(MIME_TYPES)}")
    planned.sort(key=attrgetter("date", "id"))
    recordings = []
    for index, plan in enumerate(planned):
        recordings.append(_recording(plan, index, options))
        if index % 500 == 499 or index + 1 == len(planned):
            progress(f"{index + 1} of {len(planned)} recordings ready")
    return Library(recordings)


def _recording(plan: Plan, index: int, options: SandboxOptions) -> Recording:
    sha256 = _sha256(plan.path) if _is_there(plan) else _synthesise(plan)
    checksum: str | None = sha256.upper() if index % 3 == 1 else sha256  # both cases occur
    if options.checksum_missing_every and (index + 1) % options.checksum_missing_every == 0:
        checksum = None
    fields = {"checksum": checksum, **_attributes(plan)}
    return Recording(index, plan.id, plan.date, plan.path, plan.path.stat().st_size, sha256, fields)


def _is_there(plan: Plan) -> bool:
    return plan.make_bytes is None or (plan.path.exists() and plan.path.stat().st_size == plan.make_bytes)


def _synthesise(plan: Plan) -> str:
    """Write the call beside its name and rename it, so that a stopped start leaves no half file for the next one."""
    digest = hashlib.sha256()
    partial = plan.path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        for piece in wav(plan.key, plan.make_bytes or 0):
            digest.update(piece)
            file.write(piece)
    partial.replace(plan.path)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _attributes(plan: Plan) -> dict[str, Any]:
    """Numbers are from 202-555-01xx, which the North American plan reserves for fiction."""
    chance = random.Random(f"{plan.key}:fields")  # noqa: S311  # repeatable, not secret
    agent_id, agent_name = agent_named(chance.randint(1, AGENTS))
    queue_id, queue = queue_named(chance.choice(QUEUES))
    return {
        "agentId": agent_id,
        "agentName": agent_name,
        "queueId": queue_id,
        "queueName": queue,
        "ani": f"tel:+120255501{chance.randrange(50):02}",
        "dnis": f"tel:+120255501{chance.randrange(50, 100):02}",
        "direction": chance.choice(("inbound", "outbound")),
        "mediaType": "call",
        "durationMs": _duration_ms(plan),
        "division": chance.choice(("Home", "North", "South")),
        "wrapUpCode": chance.choice(("Resolved", "Follow-up", "Transferred")),
        "language": chance.choice(("en-US", "en-GB", "de-DE", "es-ES")),
        "transfers": chance.choice((0, 0, 0, 1, 2)),
    }


def _duration_ms(plan: Plan) -> int | None:
    """Playing time of the call; None for given files other than PCM WAV, which are not parsed."""
    if plan.make_bytes:
        return (plan.make_bytes - WAV_HEADER_BYTES) * 1000 // BYTES_PER_SECOND
    try:
        with wave.open(str(plan.path), "rb") as file:
            return file.getnframes() * 1000 // file.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        return None
