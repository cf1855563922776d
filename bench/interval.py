"""``python -m bench.interval``: 50,000 small recordings in one interval, through a real Airflow; where the time goes.

A sandbox serves them, `airflow standalone` archives them in one triggered run. Printed are the mapped task instances,
the wall time from trigger to end, what the tasks themselves took, and the time in which none of them ran.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from genesys_sandbox import Sandbox, SandboxOptions
from genesys_sandbox.airflow import Airflow, free_port

DAG = "archive_recordings"
SLOTS = 4  # task instances at once, as `Airflow` of the sandbox sets it


def main() -> int:
    """Serve, archive, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=50_000)
    parser.add_argument("--bytes", type=int, default=4_000, help="media bytes of each")
    parser.add_argument("--batch-parts", type=int, default=250)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        options = SandboxOptions(
            days=2,
            per_day=chosen.recordings,
            min_bytes=chosen.bytes,
            max_bytes=chosen.bytes,
            state_dir=home / "sandbox",
            rate_per_minute=0,
        )
        with Sandbox(options) as sandbox:
            environment = {
                "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT": json.dumps(sandbox.connection()),
                "RECORDING_ARCHIVE_URL": str(home / "archive"),
                "RECORDING_ARCHIVE_BATCH_PARTS": str(chosen.batch_parts),
            }
            dags = Path(__file__).parents[1] / "dags"
            with Airflow(home / "airflow", dags=dags, port=free_port(), environment=environment) as airflow:
                airflow.start(lambda _: None)
                airflow.await_dag(DAG)
                return measure(airflow, min(str(each.date.date()) for each in sandbox.library))


def measure(airflow: Airflow, day: str) -> int:
    """Archive ``day`` and print what it took."""
    airflow.trigger(DAG, "interval", {"startDate": day, "endDate": day})
    airflow.call("PATCH", f"/dags/{DAG}", {"is_paused": False})
    begun = time.monotonic()
    state = airflow.wait(DAG, "interval", timeout_s=4 * 3600)
    wall = time.monotonic() - begun
    instances = _instances(airflow)
    busy = {name: sum(_seconds(each) for each in instances if each["task_id"] == name) for name in _names(instances)}
    print(f"{state}: {len(instances)} task instances, {wall:.0f} s from trigger to end")
    for name, seconds in busy.items():
        print(f"  {name}: {seconds:.0f} s in {sum(each['task_id'] == name for each in instances)} instances")
    waiting = 1 - _covered(instances) / wall
    print(f"  no task running at all (scheduler and start-up): {waiting:.0%} of the wall time; {SLOTS} slots")
    return int(state != "success" or len(instances) > 1000)


def _instances(airflow: Airflow) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        path = f"/dags/{DAG}/dagRuns/interval/taskInstances?limit=100&offset={len(found)}"
        page = airflow.call("GET", path)["task_instances"]
        found += page
        if not page:
            return found


def _names(instances: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(each["task_id"] for each in sorted(instances, key=lambda each: each["start_date"] or "")))


def _seconds(instance: dict[str, Any]) -> float:
    return float(instance["duration"] or 0)


def _covered(instances: list[dict[str, Any]]) -> float:
    """Seconds during which at least one task ran."""
    spans = sorted((_moment(each["start_date"]), _moment(each["end_date"])) for each in instances if each["end_date"])
    total, until = 0.0, 0.0
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    sys.exit(main())
