"""A running sandbox for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from genesys_sandbox import Sandbox, SandboxOptions

END = date(2026, 11, 21)
SMALL = SandboxOptions(days=3, per_day=8, min_bytes=20_000, max_bytes=60_000, end=END, rate_per_minute=0)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(SMALL) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.faults.clear()
    running.requests.clear()
    return running
