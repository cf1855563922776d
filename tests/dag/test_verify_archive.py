"""`verify_archive` under a real scheduler: rot in the archive, repaired from the sandbox or escalated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genesys_sandbox import Fault
from support.dag_world import RUN_S, World, eventually

pytestmark = pytest.mark.airflow

DAG = "verify_archive"


@pytest.fixture(scope="module")
def awake(world: World) -> World:
    """The world with this DAG unpaused and with recordings to verify."""
    world.sandbox.faults.clear()
    world.run("to_verify", {"interactionId": world.ids(2)})
    world.airflow.await_dag(DAG)
    world.airflow.unpause(DAG)
    return world


@pytest.fixture
def sound(awake: World) -> Iterator[World]:
    """The same without faults of the source, before and after the test."""
    awake.sandbox.faults.clear()
    yield awake
    awake.sandbox.faults.clear()


def run(world: World, run_id: str, conf: dict[str, Any], *, expect: str = "success") -> dict[str, Any]:
    """Trigger a run, wait for its end in state ``expect``, and return its report."""
    world.airflow.trigger(DAG, run_id, conf)
    return finish(world, run_id, expect=expect)


def finish(world: World, run_id: str, *, expect: str = "success") -> dict[str, Any]:
    state = world.airflow.wait(DAG, run_id, timeout_s=RUN_S)
    reports = [json.loads(file.read_text()) for file in sorted(world.root.glob("reports/*/*/*/fixity_report.json"))]
    found: dict[str, Any] = next(report for report in reversed(reports) if report["runId"] == run_id)
    assert state == expect, found
    return found


def log(world: World, run_id: str, task_id: str) -> str:
    folder = world.airflow.home / "logs" / f"dag_id={DAG}" / f"run_id={run_id}" / f"task_id={task_id}"
    return "\n".join(file.read_text() for file in sorted(folder.rglob("*.log")))


def object_of(world: World, interaction_id: str) -> Path:
    (path,) = world.root.glob(f"recordings/**/{interaction_id}~*.gz")
    return path


def rot(path: Path) -> bytes:
    """Turn one bit in the middle of a file; return what it held before."""
    content = path.read_bytes()
    path.chmod(0o640)
    path.write_bytes(content[:3000] + bytes([content[3000] ^ 8]) + content[3001:])
    return content


def test_the_schedule_verifies_and_reports(sound: World) -> None:
    """The schedule alone re-reads what is due, checks the ledger, and closes with a report and its head."""
    runs = f"/dags/{DAG}/dagRuns?run_type=scheduled"
    (found,) = eventually(lambda: sound.airflow.call("GET", runs)["dag_runs"])
    report = finish(sound, found["dag_run_id"])
    assert report["kind"] == "due"
    assert report["read"] == report["sound"] >= 1
    assert report["ledgerFlaws"] == []
    assert report["ledgerEvents"] > 0
    assert report["ledgerHead"]


def test_one_is_repaired_and_one_is_escalated(sound: World) -> None:
    """Rot that the source can mend is mended, the rest fails the run, which names it in report and log."""
    lost, gone = sound.ids(2)[:2]
    before = rot(object_of(sound, lost))
    rot(object_of(sound, gone))
    sound.sandbox.faults.add(Fault("not_found", "renew", recording=gone))
    report = run(sound, "rotten", {"everything": True}, expect="failed")
    assert (report["damaged"], report["repaired"], report["escalated"]) == (2, 1, 1)
    assert report["sound"] == report["planned"] - 2 > 0
    entries = {entry["interactionId"]: entry for entry in report["findings"]}
    assert {name: entry["outcome"] for name, entry in entries.items()} == {lost: "repaired", gone: "escalated"}
    assert "the source no longer has it" in entries[gone]["why"]
    assert object_of(sound, lost).read_bytes() == before
    (kept,) = sound.root.glob(f"rejected/*/recordings/**/{lost}~*.gz")
    assert kept.read_bytes() != before
    told = log(sound, "rotten", "write_fixity_report")
    assert f"{gone}~{gone}~0: " in told
    assert f"{lost}~" not in told
    assert sound.airflow.run_state(DAG, "rotten") == "failed"


def test_batches_are_labelled_and_carry_numbers_alone(sound: World) -> None:
    """The grid names each batch; between tasks travels nothing that grows with the archive or names a recording."""
    tasks = sound.airflow.tasks(DAG, "rotten")
    labels = {task["rendered_map_index"] for task in tasks if task["task_id"] == "verify_batch"}
    of = len(labels)
    assert any(label.startswith(f"batch 1 of {of} · ") and label.endswith(" recordings") for label in labels)
    path = f"/dags/{DAG}/dagRuns/rotten/taskInstances/plan_fixity/xcomEntries/return_value?deserialize=true"
    value = sound.airflow.call("GET", path)["value"]
    assert all(set(batch) == {"number", "parts", "of"} for batch in value)


def test_what_the_source_has_again_is_repaired_by_the_next_run(sound: World) -> None:
    """A failed reading is taken up by every run, and the run is green when nothing is left."""
    gone = sound.ids(2)[1]
    report = run(sound, "mended", {})
    assert [(entry["interactionId"], entry["outcome"]) for entry in report["findings"]] == [(gone, "repaired")]


def test_named_interactions_with_a_rebuilt_index(sound: World) -> None:
    """Ids alone are read, and `reindex` finds the catalog complete, on platforms without a shell."""
    wanted = sound.ids(2)[:3]
    report = run(sound, "named", {"interactionIds": ", ".join(wanted), "reindex": True})
    assert (report["kind"], report["read"], report["swept"]) == ("asked", 3, None)
    assert report["reindexed"]["bad"] == 0
    assert report["reindexed"]["known"] > 0


def test_a_sweep_alone_reads_nothing(sound: World) -> None:
    """Stale temporary names go, and no recording is read."""
    report = run(sound, "sweep", {"sweep_only": True})
    assert (report["kind"], report["read"]) == ("sweep", 0)
    assert set(report["swept"]) == {"temporary", "staged"}


def test_an_unknown_parameter_fails_the_run(sound: World) -> None:
    """A misspelt parameter is refused by name, and the report tells it."""
    report = run(sound, "misspelt", {"everythin": True}, expect="failed")
    assert "Unknown parameter everythin" in report["problems"][0]


@pytest.mark.parametrize("conf", [{"interactionIds": "a b"}, {"everything": "yes"}, {"reindex": 1}])
def test_wrong_parameters_are_refused_at_trigger_time(sound: World, conf: dict[str, Any]) -> None:
    """What the form's schema can refuse starts no run."""
    with pytest.raises(RuntimeError, match=" 400 "):
        sound.airflow.trigger(DAG, "refused", conf)
