"""Downloads that are ended from outside."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace

import pytest

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from support.whole_run import LIMITS, Tasks

HANG_S = 30  # of the sandbox, and the patience with it


class TimeLimit(BaseException):
    """The end of a task's time, which Airflow raises in the main thread wherever that is."""


def test_the_time_limit_of_a_task_ends_its_transfers(tasks: Tasks, archive: Archive) -> None:
    """The task does not wait for a host that hangs, and its next attempt fetches what is left."""
    tasks.cloud.faults.add(Fault("hang", recording=tasks.cloud.library[0].id))
    tasks.cloud.requests.clear()
    (batch,) = tasks.query(archive, "scheduled__1")
    previous = signal.signal(signal.SIGALRM, _end)
    watch = threading.Thread(target=_end_when_all_were_asked_for, args=(tasks,))
    watch.start()
    try:
        begun = time.monotonic()
        with pytest.raises(TimeLimit):
            replace(tasks, limits=replace(LIMITS, read_timeout_s=HANG_S)).download(
                archive, "scheduled__1", batch.number
            )
        assert time.monotonic() - begun < HANG_S
    finally:
        signal.signal(signal.SIGALRM, previous)
        watch.join()
    tasks.cloud.faults.clear()
    tasks.download(archive, "scheduled__1", batch.number)
    tasks.gzip(archive, "scheduled__1", batch.number)
    assert tasks.report(archive, "scheduled__1").statuses == {"success": 6}


def _end(*_: object) -> None:
    raise TimeLimit


def _end_when_all_were_asked_for(tasks: Tasks) -> None:
    deadline = time.monotonic() + HANG_S
    while tasks.cloud.requests.counts["media"] < len(tasks.cloud.library) and time.monotonic() < deadline:
        time.sleep(0.01)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
