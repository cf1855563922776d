"""A chat, an e-mail and a message a day: a ZIP, an EML and a JSON file, as the platform API hands them out."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path

from genesys_sandbox.recordings.people import AGENTS, agent_named, queue_named
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.settings.options import SandboxOptions

_EPOCH = (2026, 1, 1, 0, 0, 0)


def digital_recordings(options: SandboxOptions, folder: Path, kinds: Sequence[str]) -> list[Recording]:
    """Write a file of each of ``kinds`` (by extension) and day into ``folder``; seed and day make the same bytes."""
    end = options.end or datetime.now(UTC).date()
    days = [end - timedelta(days=back) for back in range(options.days, 0, -1)]
    made = ((day, extension) for day in days for extension in kinds)
    return [_recording(options.seed, day, extension, n, folder) for n, (day, extension) in enumerate(made)]


def _recording(seed: int, day: date, extension: str, index: int, folder: Path) -> Recording:
    key = f"digital {seed} {day} {extension}"
    content = _CONTENT[extension](key)
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, key))
    path = folder / f"{name}.{extension}"
    path.write_bytes(content)
    moment = datetime.combine(day, time(_HOURS[extension]), UTC)
    (agent_id, agent_name), (queue_id, queue) = agent_named(1 + index % AGENTS), queue_named("Support")
    fields = {
        "agentId": agent_id,
        "agentName": agent_name,
        "queueId": queue_id,
        "queueName": queue,
        "ani": "tel:+12025550133" if extension == "json" else "someone@example.com",
        "dnis": "tel:+12025550199" if extension == "json" else "support@example.com",
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


def _message(key: str) -> bytes:
    said = [{"from": "+12025550133", "textBody": f"Hello from {key}"}, {"from": "Support", "textBody": "Good day."}]
    return json.dumps({"conversation": key, "messages": said}).encode()


_CONTENT: Mapping[str, Callable[[str], bytes]] = {"zip": _chat, "eml": _mail, "json": _message}
_HOURS = {"zip": 20, "eml": 21, "json": 22}
