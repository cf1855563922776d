"""Answers to the question of `enforce_retention` over Airflow's API, as a second person gives them."""

from __future__ import annotations

import json
import time
from typing import Any

import requests

from genesys_sandbox.airflow import Airflow
from support.dag_world import KEEPER, eventually

DAG = "enforce_retention"
_TASK = "approve_plan"


def question(airflow: Airflow, run_id: str) -> dict[str, Any] | None:
    """What a person is asked, once somebody is."""
    if _state(airflow, run_id) not in {"awaiting_input", "deferred"}:  # the latter before Airflow 3.3
        return None
    path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{_TASK}/-1/hitlDetails"
    found: dict[str, Any] = airflow.call("GET", path)
    return None if found["response_received"] else found


def answer(
    airflow: Airflow, run_id: str, option: str = "Approve", *, user: str = KEEPER, patience_s: float = 60
) -> dict[str, Any]:
    """Answer as a user, again where the answer was lost; return the question."""
    asked: dict[str, Any] = eventually(lambda: question(airflow, run_id), timeout_s=patience_s)
    passwords = json.loads((airflow.home / "passwords.json").read_text())
    who = {"username": user, "password": passwords[user]}
    token = requests.post(f"{airflow.url}/auth/token", json=who, timeout=30).json()["access_token"]
    url = f"{airflow.url}/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances/{_TASK}/-1/hitlDetails"

    def decided() -> bool:
        if question(airflow, run_id):
            time.sleep(1)  # an answer in the first moments gets lost
            body = {"chosen_options": [option], "params_input": {}}
            requests.patch(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        return _state(airflow, run_id) in {"success", "failed"}

    eventually(decided, timeout_s=patience_s)
    return asked


def _state(airflow: Airflow, run_id: str) -> str:
    tasks = airflow.tasks(DAG, run_id)
    return next((str(each["state"]) for each in tasks if each["task_id"] == _TASK), "")
