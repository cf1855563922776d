"""``python -m bench.ledger``: how long a million events take to seal, and to prove.

Makes an archive whose catalog has the events of recordings that were seen, archived, verified and played, with their
sidecars and (empty) objects; seals them as a run does; then runs `recording-archive verify-ledger` over it as a process
of its own. Exit status 1 when that takes more than ``--most-s``, or finds anything.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.rows import chunked
from recording_archive.catalog.tables import events
from recording_archive.ledger.chain import newest
from recording_archive.ledger.sealing import seal
from recording_archive.settings import Settings

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_CHUNK = 10_000
_VERIFY = "from recording_archive.cli import main; main(['verify-ledger', {root!r}, '--head', {head!r}])"


def main() -> int:
    """Make, seal, prove, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--recordings", type=int, default=100_000, help="how many of them have a sidecar")
    parser.add_argument("--most-s", type=float, default=60)
    parser.add_argument("--keep", type=Path, help="folder that keeps the archive for the next time")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        name = f"ledger-{chosen.events}-{chosen.recordings}"
        folder = (chosen.keep or Path(scratch)).absolute() / name
        archive = open_archive(Settings(url=str(folder / "archive"), catalog_url=f"sqlite:///{folder / 'catalog.db'}"))
        if newest(archive.store) is None:
            fill(archive, chosen.events, chosen.recordings)
            start = time.perf_counter()
            seal(archive)
            print(f"seal: {chosen.events:,} events in {time.perf_counter() - start:.1f} s")
        archive.catalog.close()
        return prove(archive, chosen.most_s)


def fill(archive: Archive, count: int, recordings: int) -> None:
    """Write the events, and a sidecar for each recording."""
    for chunk in chunked(generate(archive, count, recordings), _CHUNK):
        with archive.catalog.write() as connection:
            connection.execute(insert(events), chunk)


def generate(archive: Archive, count: int, recordings: int) -> Iterator[dict[str, Any]]:
    """A recording is seen and archived; then the others of its share are plays and verifications."""
    dice = random.Random(1)  # noqa: S311 - the same archive each time
    share = max(count // recordings, 2)
    for number in range(count):
        recording, nth = divmod(number, share)
        at = FIRST + timedelta(seconds=number * 60)
        call = str(uuid.UUID(int=recording * 0x9E3779B97F4A7C15 % 2**64 << 64 | recording))
        part = {"interaction_id": call, "recording_id": call, "part": 0}
        stored = f"{dice.getrandbits(256):064x}"
        detail: dict[str, Any]
        match nth:
            case 0:
                kind, detail = "seen", {}
            case 1 if recording < recordings:
                kind, detail = "archived", sidecar(archive, call, at, stored)
            case _ if nth % 2:
                kind, detail = "verified", {"ok": True, "stored_sha256": stored}
            case _:
                kind, detail = "played", {}
        run_id = f"scheduled__{at:%Y-%m-%d}" if kind in ("seen", "archived") else None
        actor = f"user{dice.randrange(50)}" if kind == "played" else None
        yield {**part, "at": at, "kind": kind, "run_id": run_id, "actor": actor, "detail": detail}


def sidecar(archive: Archive, call: str, at: datetime, stored: str) -> dict[str, Any]:
    """Write a document of a sidecar's size, and an object; return the detail of its event."""
    key = f"recordings/org=default/{at:year=%Y/month=%m/day=%d}/{call}~{call}~0"
    content = (json.dumps({"archivedAt": at.isoformat(), "filled": "x" * 1200}, indent=1) + "\n").encode()
    path = archive.settings.root / f"{key}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_suffix(".wav.gz").touch()
    return {
        "key": f"{key}.wav.gz",
        "sha256": stored,
        "stored_sha256": stored,
        "sidecar_sha256": sha256(content).hexdigest(),
    }


def prove(archive: Archive, most_s: float) -> int:
    """Time the command; return the exit status."""
    code = _VERIFY.format(root=str(archive.settings.root), head=str(newest(archive.store)))
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code])
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - start
    print(f"verify-ledger: {took:.1f} s, peak {used.ru_maxrss / 1024:.0f} MiB")
    return 1 if status or took > most_s else 0


if __name__ == "__main__":
    sys.exit(main())
