"""Whole runs: done twice, and two at once."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import recordings
from recording_archive.errors import StoreError
from recording_archive.model import State
from support.night_runs import count_events
from support.odd_disks import FoldingStore, losing_replies
from support.whole_run import (
    DAY,
    Ended,
    Tasks,
    check_archive,
    check_books,
)

ONE_RUN = Path(__file__).parents[1] / "programs" / "one_run.py"


def test_the_same_request_twice_fetches_nothing_twice(tasks: Tasks, archive: Archive) -> None:
    """The second run counts everything as archived already and asks the media host for nothing."""
    assert tasks(archive, "scheduled__1").statuses == {"success": 6}
    tasks.cloud.requests.clear()
    again = tasks(archive, "manual__1", Request(window=DAY))
    check_books(archive, again)
    assert (again.report["asked"], again.report["alreadyArchived"], again.summary.problems) == (6, 6, ())
    assert again.report["bytesDownloaded"] == tasks.cloud.requests.counts["media"] == 0


def test_two_runs_at_once_archive_each_recording_once(tasks: Tasks, archive: Archive) -> None:
    """Threads with a catalog and a store of their own meet on every recording; one of them archives it."""
    barrier = threading.Barrier(2)

    def run(run_id: str) -> Ended:
        mine = open_archive(archive.settings)
        batches = tasks.query(mine, run_id, Request(window=DAY))
        barrier.wait(30)
        for batch in batches:
            tasks.download(mine, run_id, batch.number)
            barrier.wait(30)
            tasks.gzip(mine, run_id, batch.number)
        barrier.wait(30)
        ended = tasks.report(mine, run_id)
        mine.catalog.close()
        return ended

    with ThreadPoolExecutor(2) as pool:
        check_meeting(archive, tasks.cloud, list(pool.map(run, ("manual__1", "manual__2"))))


def test_two_processes_at_once_archive_each_recording_once(tasks: Tasks, archive: Archive) -> None:
    """The same with two processes, which share no lock but the catalog's and the file system's."""
    names = ("login_base", "api_base", "client_id", "client_secret", "media_host")
    cloud = {name: getattr(tasks.cloud, name) for name in names}
    command = [sys.executable, ONE_RUN]
    both = [
        subprocess.Popen(
            [*command, run_id, archive.settings.model_dump_json(), json.dumps(cloud)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for run_id in ("manual__1", "manual__2")
    ]
    for _ in range(3):
        for process in both:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
    keys = [process.communicate(timeout=60)[0].strip() for process in both]
    reports = [json.loads(archive.store.read(key)) for key in keys]
    check_meeting(archive, tasks.cloud, reports)


def check_meeting(archive: Archive, cloud: Sandbox, met: list[Any]) -> None:
    """Both books close over six recordings, which are archived once."""
    reports = [run.report if isinstance(run, Ended) else run for run in met]
    for run in met:
        if isinstance(run, Ended):
            check_books(archive, run)
    check_archive(archive, cloud.library)
    assert [report["problems"] for report in reports] == [[], []]
    assert [report["successful"] + report["alreadyArchived"] for report in reports] == [6, 6]
    assert sum(report["successful"] for report in reports) == count_events(archive, "archived") == 6


def test_links_that_are_told_as_taken_cost_nothing(
    tasks: Tasks, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each recording is archived once, and there is one report, though every link is said to have been there."""
    losing_replies(monkeypatch)
    ended = tasks(archive, "scheduled__1")
    check_books(archive, ended)
    check_archive(archive, tasks.cloud.library)
    assert ended.statuses == {"success": 6}
    assert len(list(archive.settings.root.glob("reports/*/*/*"))) == 1


def test_numbering_of_reports_ends(tasks: Tasks, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every new name is said to be another's, the report stops with the cause instead of filling the disk."""
    batches = tasks.query(archive, "manual__1", Request(window=DAY))
    for batch in batches:
        tasks.download(archive, "manual__1", batch.number)
        tasks.gzip(archive, "manual__1", batch.number)
    losing_replies(monkeypatch)
    monkeypatch.setattr(os.path, "samestat", lambda *_: False)
    with pytest.raises(StoreError, match="wrong answers about names"):
        tasks.report(archive, "manual__1")
    assert len(list(archive.settings.root.glob("reports/*/*/*"))) == 20


@pytest.mark.parametrize("same_media", [True, False])
def test_ids_that_differ_in_case_only_cost_one_of_them_alone(tasks: Tasks, archive: Archive, same_media: bool) -> None:
    """On a disk that folds case the later one fails by name; the first keeps row and files, the rest is archived."""
    folding = replace(archive, store=FoldingStore(archive.settings.root))
    victim = tasks.cloud.library[0]
    twin = victim.id.upper()
    assert tasks(folding, "manual__1", Request(ids=(victim.id,))).statuses == {"success": 1}
    for path in list(archive.settings.root.rglob(f"{victim.id}*")):
        content = path.read_bytes()
        path.unlink()
        if path.suffix == ".json":
            content = content.replace(victim.id.encode(), twin.encode())
        elif not same_media:
            content = gzip.compress(b"RIFF\0\0\0\0WAVE of somebody else")
        path.with_name(path.name.replace(victim.id, twin)).write_bytes(content)
    with archive.catalog.write() as connection:
        mine = update(recordings).where(recordings.c.interaction_id == victim.id)
        connection.execute(mine.values(interaction_id=twin, recording_id=twin))
    before = rows_of(archive, twin), {path: path.read_bytes() for path in archive.settings.root.rglob(f"{twin}*")}

    ended = tasks(folding, "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    assert f"belongs to {twin}" in ended.entries[victim.id]["error"]
    assert (
        rows_of(archive, twin),
        {path: path.read_bytes() for path in archive.settings.root.rglob(f"{twin}*")},
    ) == before
    assert [row["state"] for row in rows_of(archive, victim.id)] == [State.DISCOVERED]


def rows_of(archive: Archive, interaction_id: str) -> list[dict[str, Any]]:
    """The catalog's rows of an interaction."""
    with archive.catalog.read() as connection:
        found = connection.execute(select(recordings).where(recordings.c.interaction_id == interaction_id))
        return [dict(row) for row in found.mappings()]
