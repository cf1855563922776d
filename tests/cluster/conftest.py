"""The services, started once for all cluster tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive
from support.in_bucket import TODAY, founded, variables
from support.services import Bucket, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL; not below pytest's folder, which PostgreSQL's user may not enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder) / "pgdata")
        yield server
        server.close()


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A SeaweedFS."""
    home: Path = tmp_path_factory.mktemp("seaweedfs")
    server = Bucket(home)
    yield server
    server.process.stop()


@pytest.fixture(scope="session")
def calls() -> Iterator[Sandbox]:
    """Four calls of yesterday."""
    options = SandboxOptions(days=1, per_day=4, min_bytes=20_000, max_bytes=40_000, end=TODAY.date(), rate_per_minute=0)
    with Sandbox(options) as sandbox:
        yield sandbox


@pytest.fixture
def found(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Archive]]:
    """Found archives in a bucket, by its name and other settings."""
    for variable, value in variables(bucket).items():
        monkeypatch.setenv(variable, value)
    opened: list[Archive] = []

    def make(name: str, **more: Any) -> Archive:
        opened.append(founded(name, tmp_path, **more))
        return opened[-1]

    yield make
    for each in opened:
        each.catalog.close()
