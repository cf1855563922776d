"""A running sandbox for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from support.platform_api import PlatformApi
from support.platform_sandbox import Make

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


@pytest.fixture
def make() -> Iterator[Make]:
    """Start a sandbox of two days with these options."""
    with ExitStack() as started:

        def start(**options: Any) -> tuple[Sandbox, PlatformApi]:
            small = {"days": 2, "per_day": 12, "min_bytes": 2000, "max_bytes": 4000, "end": date(2026, 11, 21)}
            cloud = started.enter_context(Sandbox(SandboxOptions(**{**small, "rate_per_minute": 0, **options})))
            return cloud, PlatformApi(cloud)

        yield start
