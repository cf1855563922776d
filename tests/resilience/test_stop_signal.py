"""Tasks stopped by SIGTERM: they end in time and leave nothing half done."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from genesys_sandbox import Fault, Sandbox
from recording_archive.settings import Settings
from recording_archive.store import bgzf
from support.crash_run import MIB, RUN, check_next, check_rest, claims, one_call, plain, stopped, wait_until
from support.crasher import Crasher
from support.runner import settings_below


def is_reading(pid: int, name: str) -> bool:
    """Test whether a process has a file of this name open."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    with suppress(FileNotFoundError):  # closed meanwhile
        return any(link.readlink().name == name for link in links)
    return False


def unpack(staged: Path) -> None:
    """Put raw media in the place of a packed file, as older versions staged it."""
    with gzip.open(staged) as packed, staged.with_suffix("").open("wb") as raw:
        shutil.copyfileobj(packed, raw, MIB)
    staged.unlink()


def is_compressing(settings: Settings, *, sealed: bool) -> bool:
    """Test whether an object is half written, or sealed and being read back, under its temporary name."""
    drafts = [path.stat() for path in settings.root.glob("recordings/**/.*.tmp")]
    return any(draft.st_size > 1000 and (stat.S_IMODE(draft.st_mode) == 0o440) == sealed for draft in drafts)


def feed(pipe: Path, piece: bytes) -> None:
    """Write into a pipe, not fast and without an end, until nobody reads it any more."""
    with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
        while file.write(piece):
            time.sleep(0.01)


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
        """A stop while 300 MB are read back or written leaves no name and no claim; the next attempt archives them."""
        settings = settings_below(tmp_path)
        staged = settings.staging / RUN / "1.gz"
        with one_call(300 * MIB) as cloud:
            assert dag_tasks(cloud, settings, run_id=RUN, steps=["hooks.query", "hooks.download"]).raised == []
            for sealed in (None, False, True):
                pid = dag_tasks.start(cloud, settings, run_id=RUN, steps=["hooks.gzip"])
                if sealed is None:
                    wait_until(partial(is_reading, pid, staged.name))
                else:
                    wait_until(partial(is_compressing, settings, sealed=sealed))
                assert [kind for kind, _ in stopped(dag_tasks, pid).raised] == ["TransientError"]
                assert [path for path in settings.root.glob("recordings/**/*") if path.is_file()] == []
                with closing(sqlite3.connect(tmp_path / "catalog.db")) as catalog:
                    assert catalog.execute("SELECT staged, outcome FROM work").fetchall() == [(1, None)]
                if sealed is None:
                    unpack(staged)
            assert dag_tasks(cloud, settings, run_id=RUN, steps=["hooks.gzip", "hooks.report"]).raised == []
            check_rest(settings, cloud)
        assert len(claims(tmp_path / "catalog.db")) == 1

    @pytest.mark.chaos(family="process", fault="stop signal while staging is slow")
    @pytest.mark.parametrize("name", ["1", "1.gz"], ids=["raw", "packed"])
    def test_a_stopped_gzip_does_not_wait_for_a_slow_disk(
        self, few: Sandbox, dag_tasks: Crasher, folders: Iterator[Path], name: str
    ) -> None:
        """A staged file that comes a little at a time and never ends does not hold up a stop."""
        settings = plain(next(folders))
        assert dag_tasks(few, settings, run_id=RUN, steps=["hooks.query", "hooks.download"]).raised == []
        (settings.staging / RUN / "1.gz").unlink()
        path = settings.staging / RUN / name
        os.mkfifo(path)
        pid = dag_tasks.start(few, settings, run_id=RUN, steps=["hooks.gzip"])
        noise = os.urandom(2**16) if name == "1" else bgzf.pack(os.urandom(2**15))[0]
        feeder = threading.Thread(target=feed, args=(path, noise))
        feeder.start()
        wait_until(lambda: is_reading(pid, name) if name == "1.gz" else is_compressing(settings, sealed=False))
        ended = stopped(dag_tasks, pid)
        feeder.join()
        path.unlink()
        assert [kind for kind, _ in ended.raised] == ["TransientError"]
        check_next(settings, few)
