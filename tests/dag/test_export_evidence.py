"""`export_evidence` under a real scheduler: a pack in parts, and a part that was lost made alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recording_archive.evidence.in_parts import MOST_CALLS
from support.dag_world import RUN_S, World, day
from support.packs import check, unpack

pytestmark = pytest.mark.airflow

DAG = "export_evidence"


def test_a_pack_is_made_and_its_parts_check_themselves(quiet: World, tmp_path: Path) -> None:
    """What a search finds, asked for by who triggered it; tasks pass numbers alone; nonsense starts no run."""
    quiet.run("to_export", {"interactionId": quiet.ids(2)})
    quiet.airflow.await_dag(DAG)
    quiet.airflow.unpause(DAG)
    for wrong in ({}, {"reason": ""}, {"reason": "r", "query": "all"}, {"reason": "r", "interactionIds": "a b"}):
        with pytest.raises(RuntimeError, match=" 400 "):
            quiet.airflow.trigger(DAG, "refused", wrong)
    wanted: dict[str, Any] = {"from": day(2), "to": day(2)}
    quiet.airflow.trigger(DAG, "export", {"reason": "letter of counsel", "query": wanted})
    assert quiet.airflow.wait(DAG, "export", timeout_s=RUN_S) == "success"
    (contents,) = quiet.root.glob("packs/*/contents.json")
    told = json.loads(contents.read_text())
    assert (told["askedBy"], told["runId"], told["asked"]) == ("admin", "export", {"query": wanted})
    assert told["calls"] == len(quiet.ids(2)) < MOST_CALLS
    (part,) = told["parts"]
    bag = unpack(contents.with_name("0001.zip"), tmp_path)
    code, said = check(bag=bag)
    assert (code, said.splitlines()[-1]) == (0, f"Fingerprint: {part['fingerprint']}")
    tasks = quiet.airflow.tasks(DAG, "export")
    assert "part 1 of 1" in {task["rendered_map_index"] for task in tasks}
    path = f"/dags/{DAG}/dagRuns/export/taskInstances/plan_evidence/xcomEntries/return_value?deserialize=true"
    assert quiet.airflow.call("GET", path)["value"] == [{"number": 1, "of": 1}]
