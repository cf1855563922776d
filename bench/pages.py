"""``python -m bench.pages``: how long each page takes in an archive of a million recordings and some holds.

Makes the catalog once (some minutes), then asks for every page as a browser does, without a
browser and without Airflow's login, and prints the percentiles. Exit status 1 when the 95th percentile of any page
exceeds ``--most-ms``.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from types import SimpleNamespace
from typing import Any

from fastapi import Request
from fastapi.dependencies import utils
from fastapi.testclient import TestClient

from bench.holds import prepare
from bench.machine import processor
from bench.search import DAYS, FIRST, agent_name, identity, print_times
from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.settings import Settings
from recording_archive.store.local import LocalStore
from recording_archive.store.locate import staging_at

NOW = FIRST + timedelta(days=DAYS)


def main() -> int:
    """Fill, ask, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--holds", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--most-ms", type=float, default=100)
    parser.add_argument("--keep", type=Path, help="folder that keeps the catalog for the next time")
    parser.add_argument("--url", help="another catalog's URL, empty or filled by this program before")
    parser.add_argument("--only", nargs="*", default=[], help="names of pages, or the start of them")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (chosen.keep or Path(scratch)).absolute()
        catalog = Catalog(chosen.url or f"sqlite:///{folder / f'holds-{chosen.rows}-{chosen.holds}.db'}")
        settings = Settings(url=str(folder / f"archive-{chosen.holds}"), retention_days=DAYS - 1, timezone="UTC")
        store = LocalStore(settings.root)
        archive = Archive("bench", store, catalog, settings, staging_at(settings), lambda: NOW)
        prepare(archive, chosen.rows, chosen.holds)
        print(
            f"{processor()}\n{chosen.rows:,} recordings, {chosen.holds:,} holds, {chosen.rounds} rounds, milliseconds\n"
        )
        slowest = ask(archive, chosen.rows, chosen.rounds, chosen.only)
        catalog.close()
    return 1 if slowest > chosen.most_ms else 0


def ask(archive: Archive, rows: int, rounds: int, only: Sequence[str]) -> float:
    """Print a line for each page; return the slowest 95th percentile in milliseconds."""
    get, dice = _browser(archive), random.Random(4)  # noqa: S311 - the same pages each time
    print("| page | p50 | p95 | max |\n|---|---|---|---|")
    slowest = 0.0
    for name, address in addresses(rows, dice).items():
        if only and not name.startswith(tuple(only)):
            continue
        get(address())  # what a process reads once: templates, the policy
        times = [_time(get, address()) for _ in range(rounds)]
        print_times(name, times)
        slowest = max(slowest, quantiles(times, n=20)[18])
    return slowest


def addresses(rows: int, dice: random.Random) -> dict[str, Callable[[], str]]:
    """Pages to measure: what leads to an address of each, with other recordings each time."""

    def day() -> str:
        return f"{FIRST + timedelta(days=dice.randrange(DAYS)):%Y-%m-%d}"

    def recording() -> str:
        call = identity(dice.randrange(rows))
        return f"/recordings/{call}/{call}"

    return {
        "Home": lambda: "/overview",
        "Home, months ago": lambda: f"/overview?until={day()}",
        "Coverage": lambda: "/coverage",
        "Recordings": lambda: "/",
        "Recordings, agent": lambda: f"/?agent={agent_name(dice.randrange(800)).replace(' ', '+')}",
        "Recordings, a day": lambda: f"/?from={(of := day())}&to={of}",
        "Recording": recording,
        "Runs": lambda: "/runs",
        "Failures": lambda: "/failures",
        "Failures of a cause": lambda: "/failures?cause=HTTP+404",
        "Listening": lambda: "/listening",
        "Holds": lambda: "/holds",
        "Retention": lambda: "/retention",
        "Retention, policy": lambda: "/retention/policy",
        "Retention, plans": lambda: "/retention/runs",
        "Integrity": lambda: "/fixity",
        "Statistics (REST)": lambda: "/api/statistics",
        "Forecast (REST)": lambda: "/api/retention/forecast",
    }


def _browser(archive: Archive) -> Callable[[str], None]:
    """A function that gets a page for somebody who may see all, and is sure that it came."""
    os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
    from recording_archive.web import access  # noqa: PLC0415 - after AIRFLOW_HOME was set
    from recording_archive.web.app import create_app  # noqa: PLC0415
    from recording_archive.web.deps import get_archive  # noqa: PLC0415

    def sign_in(request: Request) -> None:
        request.state.archive_user = SimpleNamespace(get_name=lambda: "bench")

    app = create_app()
    app.dependency_overrides = {
        access.guard: sign_in,
        access.may_decide: lambda: True,
        get_archive: lambda: archive,
    }
    # FastAPI takes every dependency apart anew on each request where any is overridden, as no served app does.
    utils.get_dependant = _remembered(utils.get_dependant)
    client = TestClient(app)

    def get(address: str) -> None:
        reply = client.get(address, headers={"Accept": "text/html"})
        if reply.status_code not in {200, 404}:
            raise SystemExit(f"{address}: {reply.status_code} {reply.text[:500]}")

    return get


def _remembered(make: Callable[..., Any]) -> Callable[..., Any]:
    """A function that makes the same only once."""
    known: dict[str, Any] = {}

    def get(**given: Any) -> Any:
        key = repr(given)
        if key not in known:
            known[key] = make(**given)
        return known[key]

    return get


def _time(get: Callable[[str], None], address: str) -> float:
    start = time.perf_counter()
    get(address)
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    sys.exit(main())
