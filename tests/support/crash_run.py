"""Cases in which a process comes to harm, and checks of the archive that it leaves."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import events
from recording_archive.fixity.strays import find_strays
from recording_archive.fixity.verify import verify
from recording_archive.settings import Settings
from recording_archive.store import bgzf
from recording_archive.store.sidecar import to_recording
from support.crasher import Crasher, Ended
from support.runner import settings_below
from support.whole_run import Tasks, check_archive, check_books

RUN = "scheduled__1"
TASKS = ["query", "download", "gzip", "report"]
MIB = 2**20
STOPPED_S = 4  # Airflow kills a second later


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def plain(folder: Path) -> Settings:
    """One transfer and one compressor at a time, so that effects come in much the same order each time."""
    return settings_below(folder).model_copy(update={"transfers": 1, "compressors": 1})


@contextmanager
def one_call(size_bytes: int) -> Iterator[Sandbox]:
    """A sandbox with one call of the day."""
    options = SandboxOptions(days=1, per_day=1, min_bytes=size_bytes, max_bytes=size_bytes, end=date(2026, 11, 21))
    with Sandbox(options) as sandbox:
        yield sandbox


def both(
    crash: Crasher, cloud: Sandbox, settings: Settings, *, step: str, run_id: str = RUN, **case: object
) -> list[Ended]:
    """Take the same step in two processes that begin together; the second one in run ``run_id``."""
    start_at = time.time() + 0.2
    pids = [crash.start(cloud, settings, run_id=run, steps=[step], start_at=start_at, **case) for run in (RUN, run_id)]
    return [crash.wait(pid) for pid in pids]


def freezes(pid: int) -> bool:
    """Wait until the process is stopped (SIGSTOP); False when it ends instead."""
    while (state := Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]) not in "TZ":
        time.sleep(0.002)
    return state == "T"


def stopped(crash: Crasher, pid: int) -> Ended:
    """Send the stop signal and wait; it must not take longer than Airflow's patience."""
    os.kill(pid, signal.SIGTERM)
    airflow = threading.Timer(STOPPED_S, os.kill, (pid, signal.SIGKILL))
    airflow.start()
    ended = crash.wait(pid)
    airflow.cancel()
    assert ended.signal == 0, f"it did not end within {STOPPED_S} s"
    return ended


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.002)


def check_rest(settings: Settings, cloud: Sandbox) -> None:
    """Check what a harmed attempt left: nothing half done has a name, and nothing else is recorded as archived."""
    truth = {recording.id: recording.sha256 for recording in cloud.library}
    told = {}
    for path in settings.root.glob("recordings/**/[!.]*"):
        if path.suffix == ".gz":
            with path.open("rb") as file:
                assert bgzf.read_back(file, str(path)).sha256 == truth[path.name.split("~")[0]]
        elif path.suffix == ".json":
            row = to_recording(path.read_bytes(), path.name, settings.phone_region)
            with (settings.root / row["key"]).open("rb") as file:
                assert bgzf.read_back(file).stored_sha256 == row["stored_sha256"]
            told[row["key"]] = row["stored_sha256"]
        else:
            assert path.is_dir()
    assert claims(settings.root.parent / "catalog.db") <= set(told.items())


def claims(path: Path) -> set[tuple[str, str]]:
    """Key and hash of everything that rows or events call archived."""
    queries = (
        "SELECT key, stored_sha256 FROM recordings WHERE state = 'archived'",
        "SELECT key, stored_sha256 FROM work WHERE outcome IN ('success', 'already_archived')",
        "SELECT detail ->> 'key', detail ->> 'stored_sha256' FROM events WHERE kind = 'archived'",
    )
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as catalog:
        tables = catalog.execute("SELECT name FROM sqlite_master WHERE name = 'recordings'").fetchall()
        return {row for query in queries if tables for row in catalog.execute(query)}


def check_next(settings: Settings, cloud: Sandbox, run_id: str = RUN, tasks: type[Tasks] = Tasks) -> None:
    """The next attempt under the same run id archives everything exactly once, and its books close."""
    archive = open_archive(settings)
    try:
        ended = tasks(cloud)(archive, run_id)
        assert ended.raised == []
        assert ended.summary.problems == ()
        assert ended.summary.counts["successful"] + ended.summary.counts["alreadyArchived"] == len(cloud.library)
        check_books(archive, ended)
        check_whole(archive, cloud)
    finally:
        archive.catalog.close()


def check_whole(archive: Archive, cloud: Sandbox) -> None:
    """Every recording of the sandbox is archived once, verifies, and nothing else is left but temporary names."""
    archive.store.sweep(datetime.now(UTC) + timedelta(days=1))
    check_archive(archive, cloud.library)
    assert [found.problem for found in verify(archive)] == [None] * len(cloud.library)
    assert list(find_strays(archive)) == []
    with archive.catalog.read() as connection:
        told = select(events.c.interaction_id, func.count()).where(events.c.kind == "archived")
        rows = connection.execute(told.group_by(events.c.interaction_id)).all()
    assert sorted(tuple(row) for row in rows) == sorted((recording.id, 1) for recording in cloud.library)
