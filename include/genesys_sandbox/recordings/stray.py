"""Three calls of the last day that belong to no conversation: the media of orphan recordings."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from genesys_sandbox.media import wav
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.settings.options import SandboxOptions

ORPHANS = 3


def stray_recordings(options: SandboxOptions, folder: Path) -> list[Recording]:
    """Write their files into ``folder``; the same seed and day give the same bytes."""
    day = (options.end or datetime.now(UTC).date()) - timedelta(days=1)
    return [
        _recording(f"orphan {options.seed} {day} {n}", n, datetime.combine(day, time(10 + n), UTC), folder)
        for n in range(ORPHANS)
    ]


def _recording(key: str, index: int, moment: datetime, folder: Path) -> Recording:
    content = b"".join(wav(key, 2000 + 100 * index))
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, key))
    path = folder / f"{name}.wav"
    path.write_bytes(content)
    return Recording(index, name, moment, path, len(content), hashlib.sha256(content).hexdigest(), {})
