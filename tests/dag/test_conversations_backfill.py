"""A backfill from the platform API through a real scheduler, within the requests a minute that the sandbox allows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import DAG, World, day, eventually

from genesys_sandbox import Sandbox, SandboxOptions
from genesys_sandbox.airflow import POOLS, Airflow, free_port

pytestmark = pytest.mark.airflow

LONG = [pytest.mark.long, pytest.mark.timeout(7200)]
PER_MINUTE = 300
RUNS_S = 5400


@pytest.fixture(params=[pytest.param((3, 20)), pytest.param((30, 667), marks=LONG)], ids=["days", "month"])
def backfilled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Three days of a few conversations, or a month of 20,000."""
    days, per_day = request.param
    options = SandboxOptions(
        days=days,
        per_day=per_day,
        min_bytes=2000,
        max_bytes=6000,
        state_dir=tmp_path / "sandbox",
        api="conversations",
        traps="multi_part,transfers,batch_errors,changing_count",
        rate_per_minute=PER_MINUTE,
    )
    with Sandbox(options) as sandbox:
        environment = {
            "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT": json.dumps(sandbox.connection()),
            "RECORDING_ARCHIVE_URL": str(tmp_path / "archive"),
            "RECORDING_ARCHIVE_LOOK_BACK_DAYS": "1",
            "RECORDING_ARCHIVE_TASK_RETRY_DELAY_S": "1",
        }
        dags = Path(__file__).parents[2] / "dags"
        with Airflow(tmp_path / "airflow", dags=dags, port=free_port(), environment=environment) as airflow:
            airflow.start()
            airflow.await_dag(DAG)
            airflow.unpause(DAG)
            yield World(airflow, sandbox, tmp_path / "archive")


def test_a_backfill_archives_every_conversation(backfilled: World) -> None:
    """One run a day, all parts archived, none refused for want of allowance; tasks run in the set-up's pools."""
    days = backfilled.sandbox.options.days
    check_pools(backfilled)
    dates = "--from-date", day(days), "--to-date", day(2)
    made = backfilled.airflow.run("backfill", "create", "--dag-id", DAG, *dates)
    assert made.returncode == 0, made.stderr
    eventually(lambda: len(backfilled.runs("backfill")) == days - 1, timeout_s=120)
    runs = backfilled.runs("backfill") + backfilled.runs("scheduled")
    states = {run_id: backfilled.airflow.wait(DAG, run_id, timeout_s=RUNS_S) for run_id in runs}
    assert set(states.values()) == {"success"}, states
    reports = [backfilled.report(run_id) for run_id in runs]
    archived = {
        (entry["interactionId"], entry["recordingId"], entry["part"]): entry["sha256"]
        for report in reports
        for entry in report["entries"]
    }
    assert archived == {key: part.sha256 for key, part in backfilled.sandbox.world.truth().items()}
    check_requests(backfilled, [report["apiRequests"] for report in reports])
    assert all(report["coverageClosed"] for report in reports)


def check_pools(world: World) -> None:
    """Both are there, and the tasks are in them."""
    found = {pool["name"]: pool["slots"] for pool in world.airflow.call("GET", "/pools")["pools"]}
    assert {name: found[name] for name in POOLS} == {name: slots for name, (slots, _) in POOLS.items()}
    (run_id,) = eventually(lambda: world.runs("scheduled"))
    assert world.airflow.wait(DAG, run_id, timeout_s=RUNS_S) == "success"
    pools = {task["task_id"]: task["pool"] for task in world.airflow.tasks(DAG, run_id)}
    assert (pools["query_recordings"], pools["archive_batch.download"]) == ("genesys_api", "genesys_media")


def check_requests(world: World, told: list[int]) -> None:
    """The reports tell how many requests were made, and next to none of them was refused."""
    sent = world.sandbox.requests.counts
    assert sum(told) == sent.total() - sent["media"]
    refused = [request for request in world.sandbox.requests if request.status == 429]
    assert len(refused) <= max(2, sum(told) / 20)
