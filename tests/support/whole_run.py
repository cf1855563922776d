"""A whole run without Airflow: the tasks of `archive_recordings` with their retries, and what must hold after each."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import requests

from genesys_sandbox import SIGNATURE_PREFIX, TOKEN_PREFIX, Recording, Sandbox
from recording_archive.archive import Archive
from recording_archive.archiving import compress
from recording_archive.archiving import download as fetching
from recording_archive.archiving.discover import discover
from recording_archive.archiving.problems import noted
from recording_archive.archiving.report import Summary, report
from recording_archive.archiving.request import Request
from recording_archive.catalog.rows import Batch
from recording_archive.errors import ArchiveError, PermanentError, TransientError
from recording_archive.model import Window
from recording_archive.sources.client import ApiClient
from recording_archive.sources.interactions import InteractionsSource
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits

DAY = Window(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
NIGHT = datetime(2026, 11, 21, 0, 5, tzinfo=UTC)
SCHEDULED = Request(window=DAY, scheduled=True)
TRIES = 2  # of a task; Airflow has 4, with a minute in between
LIMITS = TransferLimits(
    connect_timeout_s=5, read_timeout_s=1, attempts=3, max_media_bytes=2**20, free_space_reserve_bytes=0
)


@dataclass
class Ended:
    """How a run ended: its summary and report, what its tasks raised, and every pause anything made."""

    summary: Summary
    report: dict[str, Any]
    raised: list[ArchiveError]

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """The report's entries by interaction."""
        return {entry["interactionId"]: entry for entry in self.report["entries"]}

    @property
    def statuses(self) -> Counter[str]:
        """How many entries ended in which status."""
        return Counter(entry["status"] for entry in self.report["entries"])


@dataclass
class Tasks:
    """Runs the tasks as the DAG does; ``slept`` are the pauses that were asked for and not made."""

    cloud: Sandbox
    limits: TransferLimits = LIMITS
    slept: list[float] = field(default_factory=list)
    page_size: int = 2  # so that six recordings have three pages

    def __call__(self, archive: Archive, run_id: str, request: Request = SCHEDULED) -> Ended:
        """Query, then download and gzip each batch, then report, whatever the tasks before it raised."""
        raised: list[ArchiveError] = []

        def attempt(task: Callable[[], Any]) -> Any:
            for tried in range(1, TRIES + 1):
                try:
                    return task()
                except TransientError as error:
                    raised.append(error)
                    if tried == TRIES:
                        return None
                except PermanentError as error:
                    raised.append(error)
                    return None
            raise AssertionError("unreachable")

        for batch in attempt(partial(self.query, archive, run_id, request)) or ():
            attempt(partial(self.download, archive, run_id, batch.number))
            attempt(partial(self.gzip, archive, run_id, batch.number))
        return self.report(archive, run_id, raised)

    def query(self, archive: Archive, run_id: str, request: Request = SCHEDULED) -> list[Batch]:
        """What `query_recordings` does."""
        with noted(archive, run_id, ArchiveError):
            return discover(archive, self.source(), request, run_id)

    def download(self, archive: Archive, run_id: str, number: int) -> int:
        """What `download` does."""
        stop = threading.Event()
        with noted(archive, run_id), self.media(stop) as media:
            return fetching.download(archive, self.source(), media, run_id, number, stop=stop)

    def gzip(self, archive: Archive, run_id: str, number: int) -> int:
        """What `gzip` does: what staging lost is fetched again."""
        with noted(archive, run_id):
            lost = compress.compress(archive, run_id, number, stop=threading.Event())
            if lost:
                self.download(archive, run_id, number)
                lost = compress.compress(archive, run_id, number, stop=threading.Event())
        return lost

    def report(self, archive: Archive, run_id: str, raised: list[ArchiveError] | None = None) -> Ended:
        """What `write_report` does."""
        return reported(archive, run_id, raised)

    def source(self) -> InteractionsSource:
        """What lists the sandbox's recordings."""
        client = ApiClient(
            requests.Session(),
            login_base=self.cloud.login_base,
            api_base=self.cloud.api_base,
            client_id=self.cloud.client_id,
            client_secret=self.cloud.client_secret,
            attempts=4,
            timeout=(5, 1),
            sleep=self.slept.append,
        )
        return InteractionsSource(client, organization="default", page_size=self.page_size)

    def media(self, stop: threading.Event) -> MediaClient:
        """What fetches the sandbox's media."""
        hosts = MediaHosts([self.cloud.media_host], allow_private=True)
        return MediaClient(hosts, self.limits, stop=stop, sleep=self.slept.append)


def reported(archive: Archive, run_id: str, raised: list[ArchiveError] | None = None) -> Ended:
    """Close a run's books; its report is what can be read in the archive."""
    summary = report(archive, run_id)
    return Ended(summary, json.loads(archive.store.read(summary.report_key)), raised or [])


def at(archive: Archive, moment: datetime) -> Archive:
    """The archive with a clock that stands still at ``moment``."""
    return replace(archive, clock=lambda: moment)


def objects(archive: Archive) -> list[str]:
    """The keys of all archived objects."""
    return [key for key in archive.store.list("recordings/") if key.endswith(".gz")]


def check_archive(archive: Archive, recordings: Iterable[Recording]) -> None:
    """Nothing wrong is published: every object holds the right bytes, has its sidecar, and there is nothing else."""
    truth = {recording.id: recording.sha256 for recording in recordings}
    expected = set()
    for key in objects(archive):
        told = json.loads(archive.store.read(sidecar_of(key)))
        path = archive.settings.root / key
        assert media_sha256(path) == told["media"]["sha256"] == truth[told["interactionId"]], key
        assert sha256(path) == told["object"]["sha256"], key
        expected |= {key, sidecar_of(key)}
    below = (archive.settings.root / "recordings").rglob("*")
    found = {str(path.relative_to(archive.settings.root)) for path in below if path.is_file()}
    assert found == expected
    assert [str(path) for path in archive.settings.staging.rglob("*")] == []


def sidecar_of(key: str) -> str:
    """The sidecar's key, told apart from the code under test: ``….wav.gz`` → ``….json``."""
    return key.rsplit(".", 2)[0] + ".json"


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def media_sha256(path: Path) -> str:
    """The SHA-256 of what a gzip file holds; not by ``gzip.decompress``, which is quadratic in the members."""
    digest = hashlib.sha256()
    with gzip.open(path) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def check_books(archive: Archive, ended: Ended) -> None:
    """The books close, and JSON, CSV, checksums and archive tell the same."""
    document, root = ended.report, archive.settings.root
    statuses = ended.statuses
    assert document["totalProcessed"] == len(document["entries"]) == sum(statuses.values())
    shares = document["successful"], document["failed"], document["checksumErrors"]
    assert shares == (statuses["success"], statuses["failed"], statuses["checksum_mismatch"])
    others = document["alreadyArchived"] + document["excluded"] + len(document["missing"]) + document["deferred"]
    assert document["asked"] in {None, document["totalProcessed"] + others}

    folder = (root / ended.summary.report_key).parent
    with (folder / "compliance_report.csv").open(newline="") as file:
        rows = Counter(row["status"] for row in csv.DictReader(file))
    counts = {**statuses, "already_archived": document["alreadyArchived"], "excluded": document["excluded"]}
    assert +rows == +Counter({**counts, "missing": len(document["missing"]), "deferred": document["deferred"]})
    for line in (folder / "compliance_report.sha256").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert sha256(folder / name) == digest
    for entry in document["entries"]:
        if entry["status"] == "success":
            assert sha256(root / entry["filePath"]) == entry["storedSha256"]
            assert media_sha256(root / entry["filePath"]) == entry["sha256"]
        else:
            assert entry["error"]


def leaks(folder: Path, cloud: Sandbox, ended: list[Ended], log: str) -> list[str]:
    """Where a token, a signature or the client's secret can be read: files, log, exceptions with all their causes."""
    canaries = (TOKEN_PREFIX, SIGNATURE_PREFIX, "signature=", cloud.client_secret)
    errors = [error for run in ended for error in run.raised]
    texts = {
        "log": log,
        "exceptions": "\n".join(line for error in errors for line in traceback.format_exception(error)),
    }
    files = ((str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    places: Iterator[tuple[str, bytes]] = iter([*files, *((name, text.encode()) for name, text in texts.items())])
    return [f"{canary} in {name}" for name, content in places for canary in canaries if canary.encode() in content]
