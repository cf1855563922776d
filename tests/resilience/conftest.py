"""Sandboxes, processes and folders for tests in which something goes wrong."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from support.crash_run import made
from support.crasher import Crasher


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory if the machine allows: a killed process loses no more there than on disk."""
    memory = Path("/dev/shm")  # noqa: S108  # a folder of our own in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


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
def folders(in_memory: Path) -> Iterator[Path]:
    """Empty folders, one after the other."""
    return (made(in_memory / str(number)) for number in count())


@pytest.fixture(scope="module")
def dag_tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crasher]:
    """A process for cases with Airflow imported, for what the DAG itself calls."""
    home = str(tmp_path_factory.mktemp("airflow"))
    modules = [f"recording_archive.tasks.{name}" for name in ("archiving", "packing", "reporting")]
    crasher = Crasher(*modules, env={"AIRFLOW_HOME": home})
    yield crasher
    crasher.close()


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A listener that nobody may ever connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()
