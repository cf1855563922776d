"""The services, started once for all cluster tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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
