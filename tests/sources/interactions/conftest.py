"""Fixtures of the interactions source: a scripted query server, and a source that asks it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import requests

from recording_archive.sources.client import ApiClient
from recording_archive.sources.interactions import InteractionsSource
from support.query_server import NOW, QueryServer


@pytest.fixture
def server() -> Iterator[QueryServer]:
    with QueryServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def source(server: QueryServer) -> InteractionsSource:
    client = ApiClient(
        requests.Session(),
        login_base=server.base,
        api_base=server.base,
        client_id="client-1",
        client_secret="canary-secret",
        sleep=lambda _: None,
    )
    return InteractionsSource(client, organization="default", now=lambda: NOW)
