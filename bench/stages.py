"""``python -m bench.stages MANIFEST OUT``: the real stages of a run, all guarantees on, without Airflow around them.

``python -m bench.stages`` alone, or with options, is `bench.compare`: it prints the tables.

MANIFEST is a JSON list of ``{id, mediaUrl, checksum, size}``. The archive is founded in ``OUT/.archive``; hard links to
its objects, ``OUT/ID.ext.gz``, let any program be compared file by file. Exit status 0 when all are archived.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recording_archive.archive import open_archive
from recording_archive.archiving import compress, download
from recording_archive.archiving.discover import discover
from recording_archive.archiving.report import Summary, report
from recording_archive.archiving.request import Request
from recording_archive.model import Listing, PartId, Window
from recording_archive.settings import Settings
from recording_archive.sources import NOTHING_KNOWN, Probe
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits

RUN = "bench"
EVER = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class Manifest:
    """A source that lists what a manifest names; its URLs never expire."""

    name, organization, chunk, requests = "interactions:bench", "bench", 50, 0

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        self._listings = {PartId(entry["id"], entry["id"]): _listing(entry) for entry in entries}
        self._hosts = sorted({urlsplit(entry["mediaUrl"]).netloc for entry in entries})

    @property
    def hosts(self) -> MediaHosts:
        """The hosts its media come from."""
        return MediaHosts(self._hosts, allow_private=True)

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:
        """List everything."""
        del ids, window
        return iter(self._listings.values())

    def resolve(
        self,
        parts: Sequence[PartId],
        *,
        thrifty: bool = False,
        known: Collection[PartId] = (),  # noqa: ARG002 - nothing is asked again
        began: Mapping[str, datetime] = NOTHING_KNOWN,  # noqa: ARG002 - nor missing
    ) -> Iterator[Listing]:
        """List these parts."""
        del thrifty
        return (self._listings[part] for part in parts)

    def renew(self, part: PartId) -> str:
        """Return the one URL there is."""
        return self._listings[part].media_url or ""

    def probe(self) -> Probe:
        """Nothing to try."""
        return Probe("bench", None, len(self._listings), 0)


def main() -> int:
    """Archive the manifest; print the totals; return the exit status."""
    gc.freeze()  # the collector need not look at modules again and again, nor touch pages that workers share
    manifest, out = Path(sys.argv[1]), Path(sys.argv[2])
    entries = json.loads(manifest.read_text())
    workers = min(2 * (os.cpu_count() or 1), len(entries))  # one waits for the disk while another computes
    settings = Settings(
        url=str(out / ".archive" / "root"),
        batch_parts=-(-len(entries) // (2 * workers)),
        compressors=-(-(os.cpu_count() or 1) // workers),
    )
    summary = run(settings, Manifest(entries), workers)
    for file in settings.root.glob("recordings/**/*.gz"):
        identifier, _, rest = file.name.partition("~")
        os.link(file, out / f"{identifier}.{rest.rpartition('~0.')[2]}")
    print(dict(summary.counts))
    return int(summary.failed)


def run(settings: Settings, source: Manifest, workers: int) -> Summary:
    """Discover, archive the batches in processes side by side as Airflow's workers do, report."""
    archive = open_archive(settings)
    batches = discover(archive, source, Request(window=EVER), RUN)
    archive.catalog.close()
    with get_context("fork").Pool(workers) as pool:
        numbers = [batch.number for batch in batches]
        pool.starmap(archive_batches, [(settings, source, numbers[first::workers]) for first in range(workers)])
    return report(archive, RUN)


def archive_batches(settings: Settings, source: Manifest, numbers: Sequence[int]) -> None:
    """Work of the mapped tasks `download` and `gzip` on some batches."""
    archive, stop = open_archive(settings), threading.Event()
    media = MediaClient(source.hosts, TransferLimits.of(settings), stop=stop)
    for number in numbers:
        download.download(archive, source, media, RUN, number, stop=stop)
        compress.compress(archive, RUN, number, stop=stop)
    media.close()
    archive.catalog.close()


def _listing(entry: dict[str, Any]) -> Listing:
    part = PartId(entry["id"], entry["id"])
    return Listing(part, None, entry["mediaUrl"], entry["checksum"])


if __name__ == "__main__":
    if len(sys.argv) == 1 or sys.argv[1].startswith("-"):
        from bench import compare

        sys.exit(compare.main())
    sys.exit(main())
