"""``python -m bench.interval``: 50,000 small recordings in one interval, through a real Airflow; where the time goes.

A sandbox serves them, `airflow standalone` archives them in one triggered run. Prints counts of the report, wall time,
the mapped task instances and their durations, the time in which none of them ran, and the CPU time of each of Airflow's
components. Exit status 1 when the run failed, a recording is missing, or 1,000 mapped instances or more were needed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from genesys_sandbox import Sandbox, SandboxOptions
from genesys_sandbox.airflow import Airflow, free_port

DAG = "archive_recordings"
SLOTS = 4  # task instances at once, as `Airflow` of the sandbox sets it
MOST_MAPPED = 1000
COMPONENTS = ("scheduler", "dag-processor", "triggerer", "api-server", "standalone")
TASKS = "tasks"


def main() -> int:
    """Serve, archive, print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=50_000)
    parser.add_argument("--bytes", type=int, default=4_000, help="media bytes of each")
    parser.add_argument("--batch-parts", type=int, help="RECORDING_ARCHIVE_BATCH_PARTS; without it, the default")
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
                "RECORDING_ARCHIVE_BATCH_PARTS": str(chosen.batch_parts or ""),
                "RECORDING_ARCHIVE_MAX_ACTIVE_RUNS": "1",  # the schedule's own run waits, and is not measured
            }
            dags = Path(__file__).parents[1] / "dags"
            with Airflow(home / "airflow", dags=dags, port=free_port(), environment=environment) as airflow:
                airflow.start(lambda _: None)
                airflow.await_dag(DAG)
                day = min(each.date.date() for each in sandbox.library)
                airflow.trigger(DAG, "interval", {"startDate": str(day), "endDate": str(day)}, run_after=day)
                return measure(airflow, home / "archive", chosen.recordings)


def measure(airflow: Airflow, archive: Path, recordings: int) -> int:
    """Let the run that waits begin, and print what it took."""
    before, begun = _cpu(), time.monotonic()
    airflow.call("PATCH", f"/dags/{DAG}", {"is_paused": False})
    state = airflow.wait(DAG, "interval", timeout_s=4 * 3600)
    wall, spent = time.monotonic() - begun, _cpu() - before
    instances = _instances(airflow)
    mapped = sum(each["map_index"] >= 0 for each in instances)
    report = _report(archive)
    print(f"{state}: {wall:.0f} s from trigger to end, {recordings / wall:.0f} recordings/s; {os.cpu_count()} cores")
    print("  report: " + ", ".join(f"{name} {report[name]}" for name in ("asked", "successful", "failed", "problems")))
    print(f"  {mapped} mapped task instances, {len(instances)} in all; {SLOTS} slots")
    for name in _names(instances):
        took = [_seconds(each) for each in instances if each["task_id"] == name]
        print(f"  {name}: {sum(took):.0f} s in {len(took)} instances")
    print(f"  no task running at all: {1 - _covered(instances) / wall:.0%} of the wall time")
    print(f"  slots in use: {sum(map(_seconds, instances)) / wall / SLOTS:.0%} of slots × wall time")
    for name, seconds in spent.most_common():
        print(f"  CPU of {name}: {seconds:.0f} s, {seconds / spent.total():.0%}")
    whole = state == "success" and report["successful"] == recordings
    return int(not whole or mapped >= MOST_MAPPED)


def _report(archive: Path) -> dict[str, Any]:
    """Compliance report of the run."""
    found = (json.loads(file.read_text()) for file in archive.glob("reports/*/*/*/*.json"))
    return next((report for report in found if report.get("runId") == "interval"), Counter())


def _cpu() -> Counter[str]:
    """CPU seconds of our Airflow so far, by component; each counts those it started and that have ended."""
    (leader,) = (child for child in psutil.Process().children() if child.cmdline()[-1:] == ["standalone"])
    spent: Counter[str] = Counter()
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) != leader.pid:
                continue
            title, times = " ".join(process.cmdline()).replace("_", "-"), process.cpu_times()
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
        component = next((name for name in COMPONENTS if f"airflow {name}" in title), TASKS)
        spent[component] += times.user + times.system + times.children_user + times.children_system
    return spent


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
