"""Fixtures of the sources' tests: a sandbox's platform API, and a scripted server with its client."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from recording_archive.sources.client import ApiClient
from support.platform_run import start
from support.scripted_api import FakeTime, ScriptedServer, new_client

__all__ = ["client", "fake_time", "other_server", "server", "start"]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


other_server = server


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def client(server: ScriptedServer, fake_time: FakeTime) -> ApiClient:
    return new_client(server, fake_time)
