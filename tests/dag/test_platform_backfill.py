"""A backfill from the platform API through a real scheduler, within the requests a minute that the sandbox allows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from genesys_sandbox.airflow import POOLS, Airflow, free_port
from support.dag_world import CONNECTION, DAG, World, connection, day, eventually
from support.inbox import serving

pytestmark = pytest.mark.airflow

LONG = [pytest.mark.long, pytest.mark.timeout(7200)]
PER_MINUTE, BATCH_S = 300, 3
RUNS_S = 5400
LAST = 7  # days ago: before everything that the other tests archive and let go


@dataclass(frozen=True)
class Span:
    """Days that have conversations, up to ``LAST`` days ago; an Airflow of their own for the long form."""

    days: int
    per_day: int
    own: bool = False


@pytest.fixture(
    params=[pytest.param(Span(2, 9), id="days"), pytest.param(Span(30, 667, own=True), id="month", marks=LONG)]
)
def backfilled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Two days of a few conversations in the shared Airflow, or a month of 20,000 in one of its own."""
    span: Span = request.param
    options = SandboxOptions(
        days=span.days,
        per_day=span.per_day,
        min_bytes=2000,
        max_bytes=6000,
        end=date.fromisoformat(day(LAST - 1)),
        state_dir=tmp_path / "sandbox",
        api="conversations",
        traps="multi_part,transfers,batch_errors,changing_count,orphans",
        batch_polls=0,
        batch_s=BATCH_S,
        rate_per_minute=PER_MINUTE,
    )
    with Sandbox(options) as sandbox:
        if span.own:
            with own_airflow(tmp_path, sandbox) as airflow, serving() as inbox:
                yield at_rest(World(airflow, sandbox, tmp_path / "archive", inbox))
        else:
            world: World = at_rest(request.getfixturevalue("world"))
            world.airflow.call("PATCH", CONNECTION, connection(sandbox))
            yield replace(world, sandbox=sandbox)
            world.airflow.call("PATCH", CONNECTION, connection(world.sandbox))


def at_rest(world: World) -> World:
    """The world when the scheduled run of yesterday, which begins by itself, has ended."""
    world.airflow.unpause(DAG)
    (run_id,) = eventually(lambda: world.runs("scheduled"))
    world.finish(run_id)
    world.sandbox.requests.clear()
    return world


@contextmanager
def own_airflow(home: Path, sandbox: Sandbox) -> Iterator[Airflow]:
    """An Airflow that archives from this sandbox alone; what other tests archived would have to be verified again."""
    environment = {
        "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT": json.dumps(sandbox.connection()),
        "RECORDING_ARCHIVE_URL": str(home / "archive"),
        "RECORDING_ARCHIVE_TASK_RETRY_DELAY_S": "1",
    }
    dags = Path(__file__).parents[2] / "dags"
    with Airflow(home / "airflow", dags=dags, port=free_port(), environment=environment) as airflow:
        airflow.start()
        airflow.await_dag(DAG)
        yield airflow


def test_a_backfill_archives_every_conversation(
    backfilled: World, record_property: Callable[[str, object], None]
) -> None:
    """One run a day, all parts archived, none refused for want of allowance; tasks run in the set-up's pools."""
    days, before, begun = backfilled.sandbox.options.days, set(backfilled.runs("backfill")), time.monotonic()
    backfilled.backfill(day(LAST + days - 1), day(LAST))
    runs = eventually(lambda: made_since(backfilled, before, days), timeout_s=120)
    states = {run_id: backfilled.airflow.wait(DAG, run_id, timeout_s=RUNS_S) for run_id in runs}
    assert set(states.values()) == {"success"}, states
    reports = [backfilled.report(run_id) for run_id in runs]
    archived = {
        (entry["interactionId"], entry["recordingId"], entry["part"]): entry["sha256"]
        for report in reports
        for entry in report["entries"]
    }
    told = sum(report["apiRequests"] for report in reports)
    record_property("wall", f"{len(archived)} parts, {told} requests, {time.monotonic() - begun:.0f} s")
    assert archived == {key: part.sha256 for key, part in backfilled.sandbox.world.truth().items()}
    assert all(report["coverageClosed"] for report in reports)
    check_requests(backfilled, told)
    check_pools(backfilled, runs[0])


def made_since(world: World, before: set[str], count: int) -> list[str]:
    """The runs of the backfill, once all of them are there."""
    found = [run_id for run_id in world.runs("backfill") if run_id not in before]
    return found if len(found) == count else []


def check_pools(world: World, run_id: str) -> None:
    """Both are there, and the tasks are in them."""
    found: dict[str, Any] = {pool["name"]: pool["slots"] for pool in world.airflow.call("GET", "/pools")["pools"]}
    assert {name: found[name] for name in POOLS} == {name: slots for name, (slots, _) in POOLS.items()}
    pools = {task["task_id"]: task["pool"] for task in world.airflow.tasks(DAG, run_id)}
    assert (pools["query_recordings"], pools["archive_batch.download"]) == ("genesys_api", "genesys_media")


def check_requests(world: World, told: int) -> None:
    """The reports tell how many requests were made, and next to none of them was refused."""
    sent = world.sandbox.requests.counts
    assert told == sent.total() - sent["media"]
    refused = [request for request in world.sandbox.requests if request.status == 429]
    assert len(refused) <= max(2, told / 20)
