"""A chat and an e-mail a day: a ZIP file and an EML file, as the platform API hands them out."""

from __future__ import annotations

import hashlib
import io
import uuid
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path

from genesys_sandbox.recordings.people import AGENTS, agent_named, queue_named
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.settings.options import SandboxOptions

_EPOCH = (2026, 1, 1, 0, 0, 0)


def digital_recordings(options: SandboxOptions, folder: Path) -> list[Recording]:
    """Write the files of each day into ``folder``; the same seed and day give the same bytes."""
    end = options.end or datetime.now(UTC).date()
    days = [end - timedelta(days=back) for back in range(options.days, 0, -1)]
    made = ((day, extension) for day in days for extension in ("zip", "eml"))
    return [_recording(options.seed, day, extension, n, folder) for n, (day, extension) in enumerate(made)]


def _recording(seed: int, day: date, extension: str, index: int, folder: Path) -> Recording:
    key = f"digital {seed} {day} {extension}"
    content = _chat(key) if extension == "zip" else _mail(key)
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, key))
    path = folder / f"{name}.{extension}"
    path.write_bytes(content)
    moment = datetime.combine(day, time(20 if extension == "zip" else 21), UTC)
    (agent_id, agent_name), (queue_id, queue) = agent_named(1 + index % AGENTS), queue_named("Support")
    fields = {
        "agentId": agent_id,
        "agentName": agent_name,
        "queueId": queue_id,
        "queueName": queue,
        "ani": "someone@example.com",
        "dnis": "support@example.com",
        "direction": "inbound",
        "durationMs": 60_000,
        "division": "Home",
        "wrapUpCode": "Resolved",
    }
    return Recording(index, name, moment, path, len(content), hashlib.sha256(content).hexdigest(), fields)


def _chat(key: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(zipfile.ZipInfo("transcript.json", _EPOCH), f'[{{"body": "Hello from {key}"}}]')
    return packed.getvalue()


def _mail(key: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "someone@example.com", "support@example.com", key
    mail.set_content(f"Good day,\n\nthis is {key}.\n")
    return mail.as_bytes()
