"""``python -m bench.stages MANIFEST OUT``: the real stages of a run, all guarantees on, without Airflow around them.

MANIFEST is a JSON list of ``{id, mediaUrl, checksum, size}``. The archive is founded in ``OUT/.archive``; hard links to
its objects, ``OUT/ID.ext.gz``, let any program be compared file by file. Exit status 0 when all are archived.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recording_archive import fetching, packing
from recording_archive.archive import Archive, discover, open_archive
from recording_archive.hosts import MediaHosts
from recording_archive.media_client import Limits, MediaClient
from recording_archive.model import Listing, PartId, Window
from recording_archive.report import Summary, report
from recording_archive.request import Request
from recording_archive.settings import Settings
from recording_archive.sources import Probe

RUN = "bench"
EVER = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class Manifest:
    """A source that lists what a manifest names; its URLs never expire."""

    name, organization = "interactions:bench", "bench"

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        self._listings = {PartId(entry["id"], entry["id"]): _listing(entry) for entry in entries}

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List everything."""
        del ids, window
        return iter(self._listings.values())

    def resolve(self, parts: Sequence[PartId]) -> Iterator[Listing]:
        """List these parts."""
        return (self._listings[part] for part in parts)

    def renew(self, part: PartId) -> str:
        """Return the one URL there is."""
        return self._listings[part].media_url or ""

    def probe(self) -> Probe:
        """Nothing to try."""
        return Probe("bench", None, len(self._listings), 0)


def main() -> int:
    """Archive the manifest; print the totals; return the exit status."""
    manifest, out = Path(sys.argv[1]), Path(sys.argv[2])
    entries = json.loads(manifest.read_text())
    settings = Settings(url=str(out / ".archive" / "root"))
    hosts = MediaHosts(sorted({urlsplit(entry["mediaUrl"]).netloc for entry in entries}), allow_private=True)
    archive = open_archive(settings)
    summary = run(archive, Manifest(entries), hosts)
    for item in archive.store.list("recordings/"):
        if item.endswith(".gz"):
            path = settings.root / item
            identifier = path.name.partition("~")[0]
            os.link(path, out / f"{identifier}.{path.name.partition('~0.')[2]}")
    print(dict(summary.counts))
    return int(summary.failed)


def run(archive: Archive, source: Manifest, hosts: MediaHosts) -> Summary:
    """Discover, download, compress, report, as `hooks` does for the DAG."""
    stop = threading.Event()
    media = MediaClient(hosts, Limits.of(archive.settings), stop=stop)
    for batch in discover(archive, source, Request(window=EVER), RUN):
        fetching.download(archive, source, media, RUN, batch.number, stop=stop)
        packing.compress(archive, source, RUN, batch.number, stop=stop)
    media.close()
    return report(archive, RUN)


def _listing(entry: dict[str, Any]) -> Listing:
    part = PartId(entry["id"], entry["id"])
    return Listing(part, None, entry["mediaUrl"], entry["checksum"])


if __name__ == "__main__":
    sys.exit(main())
