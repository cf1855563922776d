"""``python -m bench.evidence``: how long evidence packs of some sizes take, and how much memory.

Each archive holds the same call under many names, sealed in the ledger as a run would. A process of its own makes each
pack; it counts and drops the bytes, and prints its wall time, its CPU time and the most memory it had.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bench.machine import described
from genesys_sandbox.media import wav
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import chunked
from recording_archive.catalog.search import Filters
from recording_archive.catalog.tables import recordings
from recording_archive.evidence.pack import plan_pack
from recording_archive.evidence.request import Asked
from recording_archive.ledger.sealing import seal
from recording_archive.model import Compressed, Fetched, MediaFormat, PartId
from recording_archive.settings import Settings
from recording_archive.store import bgzf, sidecar

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_CASES = ("1x10", "200x0.3", "2000x0.3")


def main() -> int:
    """Make the archives and the packs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=_CASES, help="CALLSxMEGABYTES, such as 120x25")
    parser.add_argument("--pack", type=Path, help="make one pack of the archive in this folder, and print its figures")
    parser.add_argument("--scratch", type=Path, help="folder for the archives (default: the system's)")
    chosen = parser.parse_args()
    if chosen.pack:
        print(json.dumps(make(chosen.pack)))
        return 0
    print(described())
    print("| calls | in the pack | wall | CPU | most memory |\n|---|---|---|---|---|")
    for case in chosen.cases:
        calls, _, megabytes = case.partition("x")
        with tempfile.TemporaryDirectory(dir=chosen.scratch) as scratch:
            fill(Path(scratch), int(calls), int(float(megabytes) * 1e6))
            command = [sys.executable, "-m", "bench.evidence", "--pack", scratch]
            figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        print(
            "| {calls:,} | {bytes:,.0f} MB | {wall:.1f} s | {cpu:.1f} s | {memory:.0f} MB |".format(**figures),
            flush=True,
        )
    return 0


def make(folder: Path) -> dict[str, float]:
    """Make a pack of everything, and measure it."""
    begun, size = time.perf_counter(), 0
    with _opened(folder) as archive:
        everything = Filters(start=FIRST - timedelta(days=1), end=FIRST + timedelta(days=400))
        pack = plan_pack(archive, Asked("measured", filters=everything), "bench")
        for piece in pack.stream():
            size += len(piece)
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {"wall": time.perf_counter() - begun, "cpu": used.ru_utime + used.ru_stime}
    return {"calls": pack.included, "bytes": size / 1e6, **figures, "memory": used.ru_maxrss / 1e3}


def fill(folder: Path, calls: int, size: int) -> None:
    """Archive one call under many names, and seal its events."""
    packed = io.BytesIO()
    bgzf.compress(io.BytesIO(b"".join(wav("evidence", size))), packed)
    packed.seek(0)
    found, content = bgzf.read_back(packed), packed.getvalue()
    with _opened(folder) as archive:
        for chunk in chunked(range(calls), 500):
            rows = [_archive(archive, number, content, found) for number in chunk]
            with archive.catalog.write() as connection:
                connection.execute(insert(recordings), rows)
                for row in rows:
                    part = PartId(row["interaction_id"], row["recording_id"], 0)
                    files = {sidecar.beside(row["key"]): row["sidecar_sha256"]}
                    detail = {"key": row["key"], "sidecar_sha256": row["sidecar_sha256"], "files": files}
                    record(connection, "archived", part, at=FIRST, run_id="bench", detail=detail)
        seal(archive)


def _archive(archive: Archive, number: int, content: bytes, found: Compressed) -> dict[str, Any]:
    part, at = PartId(f"call-{number:06d}", f"call-{number:06d}", 0), FIRST + timedelta(minutes=number)
    key = sidecar.object_key("default", part, at, "wav")
    archive.store.put(key, content)
    media = MediaFormat("wav", "audio/wav")
    fetched = Fetched(found.sha256, found.size_bytes, found.size_bytes, 1, media, "host", at, at)
    document = sidecar.compose(
        archive_id=archive.id,
        source="interactions:default",
        part=part,
        interaction_date=at,
        listing={},
        fetched=fetched,
        compressed=found,
        key=key,
        expected_sha256=None,
        run_id="bench",
        archived_at=at,
    )
    archive.store.put(sidecar.beside(key), document)
    return dict(sidecar.to_recording(document, key, ""))


@contextmanager
def _opened(folder: Path) -> Iterator[Archive]:
    url = f"sqlite:///{folder / 'catalog.db'}"
    archive = open_archive(Settings(url=str(folder / "archive"), catalog_url=url, staging_url=str(folder)))
    try:
        yield archive
    finally:
        archive.catalog.close()


if __name__ == "__main__":
    raise SystemExit(main())
