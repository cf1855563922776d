"""The weekly comparison with the source's inventory, in a scheduled run of a real scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from support.dag_world import CONNECTION, DAG, World, connection, day, eventually

pytestmark = pytest.mark.airflow

AGO = 9  # days: before the look-back, and before everything that the other tests archive and let go


@pytest.fixture
def platform(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One day of the platform API, where a second leg is uploaded late, in the shared Airflow."""
    options = SandboxOptions(
        days=1,
        per_day=4,
        min_bytes=2000,
        max_bytes=6000,
        end=date.fromisoformat(day(AGO - 1)),
        state_dir=tmp_path_factory.mktemp("platform"),
        api="conversations",
        traps="late",
        batch_polls=0,
        rate_per_minute=0,
    )
    with Sandbox(options) as sandbox:
        world.airflow.unpause(DAG)
        (run_id,) = eventually(lambda: world.runs("scheduled"))
        world.finish(run_id)
        world.airflow.call("PATCH", CONNECTION, connection(sandbox))
        yield replace(world, sandbox=sandbox)
        world.airflow.call("PATCH", CONNECTION, connection(world.sandbox))


def test_a_scheduled_run_takes_in_what_was_uploaded_too_late(platform: World) -> None:
    """A run of days ago was not told of the second leg; the scheduled one finds it in the inventory and archives it."""
    found = platform.run("days_ago", {"startDate": day(AGO), "endDate": day(AGO)})
    late = set(platform.sandbox.world.truth()) - keys(found)
    assert (found["coverageClosed"], len(late)) == (True, 1)
    platform.sandbox.world.uploaded = True
    (run_id,) = platform.runs("scheduled")
    before = keys(platform.report(run_id))
    again = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
    platform.airflow.call("POST", f"/dags/{DAG}/clearTaskInstances", again)
    report = platform.finish(run_id)
    assert keys(report) - before == late
    figures = report["listing"]["reconciled"]
    assert {name: count for name, count in figures.items() if count} == {"archived": 3, "unknown": 1, "takenIn": 1}
    assert {entry["sha256"] for entry in report["entries"] if key(entry) in late} == {
        platform.sandbox.world.truth()[each].sha256 for each in late
    }


def keys(report: dict[str, list[dict[str, str]]]) -> set[tuple[str, str, int]]:
    """The parts that a run archived."""
    return {key(entry) for entry in report["entries"] if entry["status"] == "success"}


def key(entry: dict[str, str]) -> tuple[str, str, int]:
    """The part that an entry of a report is about."""
    return entry["interactionId"], entry["recordingId"], int(entry["part"])
