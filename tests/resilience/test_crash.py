"""Processes that die, disks that fail, power that goes out: what is claimed is there, and the next attempt finishes.

What is harmed runs in a process of its own (`crashing`), and so does nothing else: sandbox, checks and the attempt
after the harm are here.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count, islice
from pathlib import Path

import pytest
from sqlalchemy import func, select

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import events, runs, work
from recording_archive.errors import StoreError, TransientError
from recording_archive.fixity.strays import find_strays
from recording_archive.fixity.verify import verify
from recording_archive.settings import Settings
from recording_archive.store import bgzf
from recording_archive.store.sidecar import to_recording
from support.crasher import EFFECTS, Crasher, Ended
from support.runner import settings_below
from support.whole_run import Tasks, check_archive, check_books

RUN = "scheduled__1"
TASKS = ["query", "download", "gzip", "report"]
MIB = 2**20
STOPPED_S = 4  # Airflow kills a second later


@pytest.fixture(scope="module")
def few() -> Iterator[Sandbox]:
    """Three small calls of the day, one without a checksum: enough to be in the middle of something."""
    options = SandboxOptions(
        days=1, per_day=3, min_bytes=20_000, max_bytes=40_000, end=date(2026, 11, 21), checksum_missing_every=3
    )
    with Sandbox(options) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def crash() -> Iterator[Crasher]:
    """The process in whose forks things go wrong."""
    crasher = Crasher()
    yield crasher
    crasher.close()


@pytest.fixture
def folders() -> Iterator[Iterator[Path]]:
    """Empty folders, one after the other, in memory if the machine allows: a kill loses no more there than on disk."""
    memory = "/dev/shm"  # noqa: S108  # only to be fast
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as base:
        yield (made(Path(base) / str(number)) for number in count())


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def plain(folder: Path) -> Settings:
    """One transfer and one compressor at a time, so that effects come in much the same order each time."""
    return settings_below(folder).model_copy(update={"transfers": 1, "compressors": 1})


@pytest.fixture(scope="module")
def dag_tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crasher]:
    """The same with Airflow imported, for what the DAG itself calls."""
    home = str(tmp_path_factory.mktemp("airflow"))
    crasher = Crasher("recording_archive.hooks", env={"AIRFLOW_HOME": home})
    yield crasher
    crasher.close()


@contextmanager
def one_call(size_bytes: int) -> Iterator[Sandbox]:
    """A sandbox with one call of the day."""
    options = SandboxOptions(days=1, per_day=1, min_bytes=size_bytes, max_bytes=size_bytes, end=date(2026, 11, 21))
    with Sandbox(options) as sandbox:
        yield sandbox


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    path = made(tmp_path / "volume")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        assert os.environ.get("CI") != "true", f"CI must run this test: {done.stderr}"
        pytest.skip("mounting a small file system needs root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


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


def is_compressing(settings: Settings, *, sealed: bool) -> bool:
    """Whether an object is half written, or sealed and being read back, under its temporary name."""
    drafts = [path.stat() for path in settings.root.glob("recordings/**/.*.tmp")]
    return any(draft.st_size > 1000 and (stat.S_IMODE(draft.st_mode) == 0o440) == sealed for draft in drafts)


def feed(pipe: Path) -> None:
    """Write into a pipe, not fast and without an end, until nobody reads it any more."""
    with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
        while file.write(bytes(2**16)):
            time.sleep(0.01)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[random.Random(0).randrange(len(content))] ^= 1  # noqa: S311  # repeatable, not secret
    path.write_bytes(content)


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Another process that holds the catalog."""
    with closing(sqlite3.connect(settings.root.parent / "catalog.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file that counts, and its bytes."""
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def rows_of(settings: Settings) -> list[tuple[object, ...]]:
    """What the catalog tells of recordings, work and events; not of reports, for each attempt writes its own."""
    told = (
        "SELECT uid, at, kind, interaction_id, recording_id, part, run_id, detail FROM events WHERE kind != 'reported'"
    )
    queries = ("SELECT * FROM recordings", "SELECT * FROM work", told)
    with closing(sqlite3.connect(settings.root.parent / "catalog.db")) as catalog:
        return [row for query in queries for row in catalog.execute(query)]


def is_unsealed(settings: Settings) -> bool:
    """Whether the ledger could not be sealed, before the report or after it: that ends no run, the next one seals."""
    reports = settings.root.glob("reports/*/*/*/compliance_report.json")
    if any(json.loads(report.read_text())["ledgerHead"] is None for report in reports):
        return True
    with closing(sqlite3.connect(settings.root.parent / "catalog.db")) as catalog:
        return bool(catalog.execute("SELECT count(*) FROM events WHERE segment IS NULL").fetchone()[0])


def check_rest(settings: Settings, cloud: Sandbox) -> None:
    """What an attempt that came to harm may leave: nothing half done has a name, and nothing is claimed beyond that."""
    truth = {recording.id: recording.sha256 for recording in cloud.library}
    told = {}
    for path in settings.root.glob("recordings/**/[!.]*"):
        if path.suffix == ".gz":
            with path.open("rb") as file:
                assert bgzf.read_back(file, str(path)).sha256 == truth[path.name.split("~")[0]]
        elif path.suffix == ".json":
            row = to_recording(path.read_bytes(), path.name)
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


class TestKilled:
    """SIGKILL around every effect."""

    @pytest.mark.chaos(family="process", fault="SIGKILL before every commit, rename and unlink")
    def test_a_killed_run_is_finished_by_the_next(self, few: Sandbox, crash: Crasher, folders: Iterator[Path]) -> None:
        """Killed before an effect, a run leaves nothing half done in sight, and the next attempt finishes it."""
        assert self.sweep(few, crash, folders, when="before", only=["rename", "unlink", "commit"]) > 25

    @pytest.mark.long
    @pytest.mark.chaos(family="process", fault="SIGKILL around every effect")
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_run_killed_at_any_effect_is_finished_by_the_next(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], when: str
    ) -> None:
        """The same around each single effect."""
        assert self.sweep(few, crash, folders, when=when, only=[*EFFECTS, "commit"]) > 100

    def sweep(self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, when: str, only: list[str]) -> int:
        """Kill a run at each of its effects and let the next finish it; return how many were killed."""
        for killed in count():
            settings = plain(next(folders))
            harm = {"kind": "kill", "at": killed + 1, "when": when, "only": only}
            ended = crash(few, settings, run_id=RUN, steps=["run"], harm=harm)
            check_rest(settings, few)
            check_next(settings, few)
            if not ended.signal:
                assert ended.effects == killed
                return killed
            assert ended.signal == signal.SIGKILL
        raise AssertionError("unreachable")


class TestTwins:
    """Two attempts alive at once: Airflow starts another one when it no longer hears of the first."""

    @pytest.mark.chaos(family="process", fault="two attempts at once")
    def test_two_attempts_of_a_task_archive_one_copy(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """Download and gzip of one batch, each twice at the same time, end without an error and with one copy."""
        for folder in islice(folders, 3):
            settings = settings_below(folder)
            assert crash(cloud, settings, run_id=RUN, steps=["query"]).raised == []
            for step in ("download", "gzip"):
                assert [twin.raised for twin in both(crash, cloud, settings, step=step)] == [[], []]
            assert list((settings.staging / RUN).iterdir()) == []
            ended = Tasks(cloud).report(reopened := open_archive(settings), RUN)
            assert ended.statuses == {"success": len(cloud.library)}
            check_books(reopened, ended)
            check_whole(reopened, cloud)
            reopened.catalog.close()

    @pytest.mark.chaos(family="process", fault="two runs over the same recordings")
    def test_two_first_runs_at_once_archive_one_copy(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """Two runs that found the archive and list the same day at the same time share the work, without an error."""
        for folder in islice(folders, 3):
            settings = settings_below(folder)
            twins = both(crash, cloud, settings, run_id="manual__2", step="run")
            assert [twin.raised for twin in twins] == [[], []]
            archive = open_archive(settings)
            check_whole(archive, cloud)
            with archive.catalog.read() as connection:
                ended: dict[str, int] = dict(
                    connection.execute(select(work.c.outcome, func.count()).group_by(work.c.outcome)).all()
                )
                assert connection.execute(select(runs.c.status)).scalars().all() == ["success", "success"]
            assert ended == {"success": len(cloud.library), "already_archived": len(cloud.library)}
            archive.catalog.close()

    @pytest.mark.chaos(family="process", fault="attempt that was given up wakes up")
    def test_an_attempt_that_wakes_up_late_changes_nothing(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """An attempt frozen at a sync while another does all the work wakes up, and neither adds nor takes."""
        self.sweep(few, crash, folders, only=["fsync"], step=3)

    @pytest.mark.long
    @pytest.mark.chaos(family="process", fault="attempt that was given up wakes up, at every effect")
    def test_an_attempt_frozen_at_any_effect_changes_nothing(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """The same around each single effect."""
        self.sweep(few, crash, folders, only=[*EFFECTS], step=1)  # no commit: frozen there it holds the catalog's lock

    def sweep(self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, only: list[str], step: int) -> None:
        for frozen, point in enumerate(count(1, step)):
            settings = plain(next(folders))
            harm = {"kind": "freeze", "at": point, "when": "before", "only": only}
            open_archive(settings).catalog.close()
            late = crash.start(few, settings, run_id=RUN, steps=["run"], harm=harm)
            if not freezes(late):
                assert crash.wait(late).raised == []
                assert frozen > 10
                return
            check_next(settings, few)
            before = rows_of(settings)
            os.kill(late, signal.SIGCONT)
            assert crash.wait(late).signal == 0
            assert rows_of(settings) == before
            check_rest(settings, few)
            check_next(settings, few)


class TestStopped:
    """SIGTERM: Airflow sends it to a task that is to end, and SIGKILL five seconds later."""

    @pytest.mark.chaos(family="process", fault="stop signal while media hangs")
    @pytest.mark.parametrize("fault", [Fault("hang"), Fault("trickle", size=1000, seconds=0.2)], ids=lambda f: f.kind)
    def test_a_stopped_download_ends_in_time(
        self, few: Sandbox, dag_tasks: Crasher, folders: Iterator[Path], fault: Fault
    ) -> None:
        """A stop in the middle of transfers that do not advance ends the task at once; the next attempt fetches all."""
        settings = settings_below(next(folders))
        few.requests.clear()
        few.faults.add(fault)
        pid = dag_tasks.start(few, settings, run_id=RUN, steps=["hooks.query", "hooks.download"])
        wait_until(lambda: few.requests.counts["media"] >= 2)
        ended = stopped(dag_tasks, pid)
        assert [kind for kind, _ in ended.raised] == ["TransientError"]
        assert not list(settings.root.glob("recordings/**/*"))
        few.faults.clear()
        check_next(settings, few)

    @pytest.mark.chaos(family="process", fault="stop signal in the middle of a large file")
    def test_a_stopped_gzip_ends_in_time(self, dag_tasks: Crasher, tmp_path: Path) -> None:
        """A stop while 300 MB are written or read back leaves no name and no claim; the next attempt archives them."""
        settings = settings_below(tmp_path)
        with one_call(300 * MIB) as cloud:
            assert dag_tasks(cloud, settings, run_id=RUN, steps=["hooks.query", "hooks.download"]).raised == []
            for sealed in (False, True):
                pid = dag_tasks.start(cloud, settings, run_id=RUN, steps=["hooks.gzip"])
                wait_until(partial(is_compressing, settings, sealed=sealed))
                assert [kind for kind, _ in stopped(dag_tasks, pid).raised] == ["TransientError"]
                assert [path for path in settings.root.glob("recordings/**/*") if path.is_file()] == []
                with closing(sqlite3.connect(tmp_path / "catalog.db")) as catalog:
                    assert catalog.execute("SELECT staged, outcome FROM work").fetchall() == [(1, None)]
            assert dag_tasks(cloud, settings, run_id=RUN, steps=["hooks.gzip", "hooks.report"]).raised == []
            check_rest(settings, cloud)
        assert len(claims(tmp_path / "catalog.db")) == 1

    @pytest.mark.chaos(family="process", fault="stop signal while staging is slow")
    def test_a_stopped_gzip_does_not_wait_for_a_slow_disk(
        self, few: Sandbox, dag_tasks: Crasher, folders: Iterator[Path]
    ) -> None:
        """A staged file that comes a little at a time and never ends does not hold up a stop."""
        settings = plain(next(folders))
        assert dag_tasks(few, settings, run_id=RUN, steps=["hooks.query", "hooks.download"]).raised == []
        path = settings.staging / RUN / "1"
        path.unlink()
        os.mkfifo(path)
        pid = dag_tasks.start(few, settings, run_id=RUN, steps=["hooks.gzip"])
        feeder = threading.Thread(target=feed, args=(path,))
        feeder.start()
        wait_until(lambda: is_compressing(settings, sealed=False))
        ended = stopped(dag_tasks, pid)
        feeder.join()
        path.unlink()
        assert [kind for kind, _ in ended.raised] == ["TransientError"]
        check_next(settings, few)


class TestPowerCut:
    """What was promised is durable: it survives the loss of everything that was not synced."""

    @pytest.mark.chaos(family="process", fault="power cut: promises")
    def test_nothing_promised_is_lost(self, few: Sandbox, crash: Crasher, folders: Iterator[Path]) -> None:
        """At no effect is anything visible or recorded that a power cut would take."""
        settings = plain(folder := next(folders))
        ended = crash(few, settings, run_id=RUN, steps=["run"], durable=str(folder))
        assert (ended.raised, ended.losses) == ([], [])

    @pytest.mark.chaos(family="process", fault="power cut: every fsync is needed")
    @pytest.mark.parametrize(
        ("ignore", "loss"),
        [
            (r"^staging/\w+/1\.part$", "staged file 1 is recorded"),
            (r"^staging/\w+$", "staged file 1 is recorded"),
            (r"^staging$", "staged file 1 is recorded"),
            (r"^archive/recordings/.*tmp$", r"wav\.gz is visible before it is durable"),
            (r"/day=20$", r"wav\.gz is recorded"),
            (r"/month=11$", r"wav\.gz is recorded"),
            (r"^archive/recordings$", r"wav\.gz is recorded"),
            (r"/day=20$", "before its object is durable"),
            (r"^archive/reports/.*tmp$", r"csv is visible before it is durable"),
            (r"^archive/reports/.*/1$", r"compliance_report\.json is recorded"),
            (r"^archive/manifests$", r"compliance_report\.json is recorded"),
            (r"^archive/\.\w+\.tmp$", r"archive\.json is visible before it is durable"),
            (r"^archive$", "bound to an archive that would be gone"),
            (r"^\.$", "bound to an archive that would be gone"),
        ],
    )
    def test_every_sync_is_needed(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], ignore: str, loss: str
    ) -> None:
        """The check above sees it when one kind of file, or the names in one kind of folder, are not synced."""
        settings = plain(folder := next(folders))
        ended = crash(few, settings, run_id=RUN, steps=["run"], durable=str(folder), ignore=ignore)
        assert any(re.search(loss, told) for told in ended.losses), ended.losses

    @pytest.mark.chaos(family="process", fault="power cut after effects")
    def test_a_run_cut_off_is_finished_by_the_next(self, few: Sandbox, crash: Crasher, folders: Iterator[Path]) -> None:
        """What is left after a power cut is a sound archive, and the next attempt completes it."""
        self.sweep(few, crash, folders, points=count(2, 15))

    @pytest.mark.long
    @pytest.mark.chaos(family="process", fault="power cut after every effect")
    def test_a_run_cut_off_at_any_effect_is_finished_by_the_next(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """The same after each single effect."""
        self.sweep(few, crash, folders, points=count(1))

    def sweep(self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, points: Iterable[int]) -> None:
        for point in points:
            folder, left = next(folders), next(folders)
            harm = {"kind": "cut", "at": point, "when": "after", "folder": str(left)}
            ended = crash(few, plain(folder), run_id=RUN, steps=["run"], durable=str(folder), harm=harm)
            if not ended.signal:
                assert ended.effects < point
                return
            check_rest(plain(left), few)
            check_next(plain(left), few)


class TestDisk:
    """Disks that are full, broken, read-only or somebody else's."""

    @pytest.mark.chaos(family="disk and store", fault="ENOSPC from some effect on")
    def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(self, few: Sandbox, crash: Crasher, volume: Path) -> None:
        """Wherever the space ends, the error names place and remedy, nothing half done is left, and room cures it."""
        full = self.sweep(few, crash, volume, points=count(3, 8))
        for place in (r"/staging/", r"\.wav\.gz: ", r"~0\.json: ", r"compliance_report", "Catalog "):
            assert any(re.search(place, message) for message in full), (place, full)

    @pytest.mark.long
    @pytest.mark.chaos(family="disk and store", fault="ENOSPC from any effect on")
    def test_a_disk_full_at_any_effect_stops_the_run(self, few: Sandbox, crash: Crasher, volume: Path) -> None:
        """The same from each single effect on."""
        self.sweep(few, crash, volume, points=count(1))

    def sweep(self, few: Sandbox, crash: Crasher, volume: Path, *, points: Iterable[int]) -> set[str]:
        told: set[str] = set()
        for point in points:
            settings = plain(made(folder := volume / "x"))
            harm = {"kind": "fill", "at": point, "when": "before", "ballast": str(volume / "ballast")}
            ended = crash(few, settings, run_id=RUN, steps=TASKS, harm=harm)
            if ended.effects < point:
                return told
            (volume / "ballast").unlink()
            for kind, message in ended.raised:
                assert kind == "StoreError", message
                assert re.search("free space|check (the )?space", message), message
                told.add(message)
            check_rest(settings, few)
            check_next(settings, few)
            shutil.rmtree(folder)
        raise AssertionError("unreachable")

    @pytest.mark.chaos(family="disk and store", fault="EIO from an effect")
    @pytest.mark.parametrize(
        ("only", "step"), [(["fsync"], 5), (sorted({*EFFECTS} - {"fsync"}), 11)], ids=["fsync", "others"]
    )
    def test_a_broken_disk_never_makes_a_claim(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], only: list[str], step: int
    ) -> None:
        """A system call that fails with EIO ends in an error of ours or in nothing, and promises nothing."""
        self.break_at(few, crash, folders, only=only, points=count(2, step))

    @pytest.mark.long
    @pytest.mark.chaos(family="disk and store", fault="EIO from any effect")
    def test_a_disk_broken_at_any_effect_never_makes_a_claim(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """The same at each single effect."""
        self.break_at(few, crash, folders, only=[*EFFECTS], points=count(1))

    def break_at(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, only: list[str], points: Iterable[int]
    ) -> None:
        for point in points:
            settings = plain(folder := next(folders))
            harm = {"kind": "fail", "at": point, "when": "before", "only": only}
            ended = crash(few, settings, run_id=RUN, steps=TASKS, durable=str(folder), harm=harm)
            if ended.effects < point:
                return
            assert ended.losses == []
            assert {kind for kind, _ in ended.raised} <= {"StoreError"}, ended.raised
            if only == ["fsync"]:
                assert ended.raised or is_unsealed(settings)
            check_rest(settings, few)
            check_next(settings, few)

    @pytest.mark.chaos(family="disk and store", fault="read-only root")
    def test_a_read_only_root_takes_nothing(self, few: Sandbox, volume: Path, tmp_path: Path) -> None:
        """A root that turned read-only is an error with its remedy; made writable it takes what was staged."""
        settings = settings_below(tmp_path).model_copy(update={"url": str(volume / "archive")})
        archive, tasks = open_archive(settings), Tasks(few)
        tasks.query(archive, RUN)
        tasks.download(archive, RUN, 1)
        subprocess.run(["mount", "-o", "remount,ro", str(volume)], check=True)
        with pytest.raises(StoreError, match="mount the volume writable"):
            tasks.gzip(archive, RUN, 1)
        with pytest.raises(StoreError, match="mount the volume writable"):
            tasks.report(archive, RUN)
        check_rest(settings, few)
        archive.catalog.close()
        subprocess.run(["mount", "-o", "remount,rw", str(volume)], check=True)
        check_next(settings, few)

    @pytest.mark.chaos(family="disk and store", fault="staged file vanished or damaged")
    @pytest.mark.parametrize("damage", [Path.unlink, flip, shorten, empty])
    def test_a_staged_file_that_is_not_what_was_downloaded_is_fetched_again(
        self, few: Sandbox, archive: Archive, damage: Callable[[Path], object]
    ) -> None:
        """Staged bytes that are gone or changed are never archived: the part is fetched once more."""
        tasks = Tasks(few)
        tasks.query(archive, RUN)
        tasks.download(archive, RUN, 1)
        damage(archive.settings.staging / RUN / "2")
        few.requests.clear()
        assert tasks.gzip(archive, RUN, 1) == 0
        assert few.requests.counts["media"] == 1
        ended = tasks.report(archive, RUN)
        assert ended.statuses == {"success": 3}
        check_books(archive, ended)
        check_whole(archive, few)

    @pytest.mark.chaos(family="disk and store", fault="root unmounted, or another archive's")
    @pytest.mark.parametrize("what", ["root unmounted", "other root", "other catalog"])
    def test_a_root_that_is_not_the_catalogs_is_refused(self, archived: Archive, tmp_path: Path, what: str) -> None:
        """Root and catalog that do not belong together are named with both ids, and neither is touched."""
        archived.catalog.close()
        other = open_archive(settings_below(made(tmp_path / "other")))
        other.catalog.close()
        mine, theirs = archived.settings, other.settings
        if what == "root unmounted":
            shutil.rmtree(mine.root)
            mine.root.mkdir()
        changed = {"other root": {"url": theirs.url}, "other catalog": {"catalog_url": theirs.catalog_url}}
        ids = {archived.id, other.id if what != "root unmounted" else "none"}
        before = files_of(tmp_path)
        with pytest.raises(StoreError) as caught:
            open_archive(mine.model_copy(update=changed.get(what, {})))
        assert all(named in str(caught.value) for named in ids), caught.value
        assert files_of(tmp_path) == before

    @pytest.mark.chaos(family="disk and store", fault="root unmounted in the middle of a task")
    def test_what_a_mount_point_took_in_is_not_archived(self, few: Sandbox, archive: Archive) -> None:
        """A root that is unmounted while a task runs is noticed before anything is recorded."""
        root, away, tasks = archive.settings.root, archive.settings.root.with_name("away"), Tasks(few)
        tasks.query(archive, RUN)
        tasks.download(archive, RUN, 1)
        root.rename(away)
        root.mkdir()
        with pytest.raises(StoreError, match=f"no longer holds archive {archive.id}"):
            tasks.gzip(archive, RUN, 1)
        shutil.rmtree(root)
        away.rename(root)
        check_rest(archive.settings, few)
        check_next(archive.settings, few)

    @pytest.mark.chaos(family="disk and store", fault="catalog locked")
    def test_a_locked_catalog_is_waited_for_and_then_tried_again(self, few: Sandbox, settings: Settings) -> None:
        """A lock held longer than the timeout in the catalog's URL is a TransientError; the next attempt goes on."""
        brief = settings.model_copy(update={"catalog_url": f"{settings.catalog_url}?timeout=0.2"})
        archive, tasks = open_archive(brief), Tasks(few)
        tasks.query(archive, RUN)
        steps: list[Callable[[], object]] = [
            lambda: tasks.download(archive, RUN, 1),
            lambda: tasks.gzip(archive, RUN, 1),
            lambda: tasks.report(archive, RUN),
        ]
        for step in steps:
            with locked(settings), pytest.raises(TransientError, match="locked"):
                step()
            check_rest(settings, few)
            step()
        with locked(settings), pytest.raises(TransientError, match="locked"):
            open_archive(brief)
        check_whole(archive, few)
        archive.catalog.close()

    @pytest.mark.chaos(family="disk and store", fault="catalog restored from yesterday's backup")
    def test_a_restored_catalog_finds_its_archive_again(self, few: Sandbox, settings: Settings) -> None:
        """What was archived after the backup is adopted by the next run, and the books of that run close."""
        archive, tasks = open_archive(settings), Tasks(few)
        backup = settings.root.parent / "backup.db"
        with closing(sqlite3.connect(settings.root.parent / "catalog.db")) as catalog:
            catalog.execute("VACUUM INTO ?", (str(backup),))
        tasks(archive, "scheduled__0")
        archive.catalog.close()
        before = files_of(settings.root / "recordings")
        for path in settings.root.parent.glob("catalog.db*"):
            path.unlink()
        backup.rename(settings.root.parent / "catalog.db")
        check_next(settings, few)
        assert files_of(settings.root / "recordings") == before


class TestMemory:
    """Memory does not grow with what is archived."""

    @pytest.mark.parametrize("size", [150 * MIB, pytest.param(500 * MIB, marks=pytest.mark.long)], ids=["150", "500"])
    @pytest.mark.chaos(family="media", fault="large file")
    def test_a_large_recording_costs_no_more_than_a_small_one(self, crash: Crasher, tmp_path: Path, size: int) -> None:
        """A run over one large recording peaks at most 48 MB above a run over one of 1 MB."""
        small, large = (self.peak_kib(crash, made(tmp_path / str(size)), size) for size in (MIB, size))
        assert large - small < 48 * 1024

    def peak_kib(self, crash: Crasher, folder: Path, size: int) -> int:
        with one_call(size) as cloud:
            ended = crash(cloud, settings_below(folder), run_id=RUN, steps=TASKS)
        assert ended.raised == []
        return ended.peak_kib

    @pytest.mark.chaos(family="scale", fault="20,000 recordings in one interval: memory")
    @pytest.mark.parametrize(("short", "long"), [(500, 4_000), pytest.param(2_000, 20_000, marks=pytest.mark.long)])
    def test_a_long_list_costs_no_more_than_a_short_one(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], short: int, long: int
    ) -> None:
        """Listing and reporting 18,000 recordings more costs at most 16 MB more, and fewer in proportion."""
        peaks = []
        for length in (short, long):
            ended = crash(few, settings_below(next(folders)), run_id=RUN, steps=["list"], count=length)
            assert ended.raised == []
            peaks.append(ended.peak_kib)
        assert peaks[1] - peaks[0] < 16 * 1024 * (long - short) / 18_000
