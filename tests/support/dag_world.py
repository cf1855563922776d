"""A running Airflow with the sandbox it archives from, as the DAG tests see it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from genesys_sandbox import Sandbox
from genesys_sandbox.airflow import Airflow
from support.inbox import Inbox

DAG = "archive_recordings"
CONNECTION = "/connections/genesys_cloud_default"
DAYS = 5
PER_DAY = 8
BATCH_PARTS = 3
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
RUN_S = 240
KEEPER = "keeper"  # a second user, who may approve what the first one triggered
APPROVAL_S = 20
LATE_S = 3  # a run of archive_recordings takes longer


def day(ago: int) -> str:
    """The date so many days ago, in UTC."""
    return str((TODAY - timedelta(days=ago)).date())


def connection(sandbox: Sandbox) -> dict[str, Any]:
    """The connection to a sandbox, as the REST API takes it."""
    given = sandbox.connection()
    return {**given, "connection_id": "genesys_cloud_default", "extra": json.dumps(given["extra"])}


@dataclass(frozen=True)
class World:
    """A running Airflow, the sandbox it archives from, the archive it fills, and who gets its alerts."""

    airflow: Airflow
    sandbox: Sandbox
    root: Path
    inbox: Inbox

    def ids(self, ago: int) -> list[str]:
        """The interactions of a day."""
        return [recording.id for recording in self.sandbox.library if str(recording.date.date()) == day(ago)]

    def runs(self, run_type: str) -> list[str]:
        """The ids of the runs of a type: scheduled, backfill or manual."""
        found = self.airflow.call("GET", f"/dags/{DAG}/dagRuns?limit=100")["dag_runs"]
        return [run["dag_run_id"] for run in found if run["run_type"] == run_type]

    def run(self, run_id: str, conf: dict[str, Any], *, expect: str = "success") -> dict[str, Any]:
        """Trigger a run, wait for its end in state ``expect``, and return its report."""
        self.airflow.trigger(DAG, run_id, conf)
        return self.finish(run_id, expect=expect)

    def backfill(self, first: str, last: str) -> None:
        """Create the runs of a range of days, all before the first begins.

        Airflow's own SQLite may refuse a second writer at once; Airflow then takes the whole backfill back.
        """
        self.airflow.call("PATCH", f"/dags/{DAG}", {"is_paused": True})
        for _ in range(10):
            made = self.airflow.run("backfill", "create", "--dag-id", DAG, "--from-date", first, "--to-date", last)
            if "database is locked" not in made.stderr:
                break
        self.airflow.unpause(DAG)
        assert made.returncode == 0, made.stderr

    def finish(self, run_id: str, *, expect: str = "success") -> dict[str, Any]:
        """Wait for a run's end and return its newest report."""
        state = self.airflow.wait(DAG, run_id, timeout_s=RUN_S)
        report = self.report(run_id)
        assert state == expect, report
        return report

    def note(self, run_id: str, dag: str = DAG) -> str:
        """The note of a run, which Airflow shows beside its state."""
        return str(self.airflow.call("GET", f"/dags/{dag}/dagRuns/{quote(run_id)}")["note"])

    def report(self, run_id: str, *, first: bool = False) -> dict[str, Any]:
        """The newest report of a run, or its first, as it was before the run was cleared."""
        found = [
            json.loads(file.read_text()) for file in sorted(self.root.glob("reports/*/*/*/compliance_report.json"))
        ]
        ordered = found if first else reversed(found)
        return next(report for report in ordered if report["runId"] == run_id)

    def log(self, run_id: str, task_id: str) -> str:
        """All log lines of a task's attempts and mapped instances."""
        folder = self.airflow.home / "logs" / f"dag_id={DAG}" / f"run_id={run_id}" / f"task_id={task_id}"
        return "\n".join(file.read_text() for file in sorted(folder.rglob("*.log")))


def eventually(ask: Callable[[], Any], *, timeout_s: float = 60) -> Any:
    """Ask until the answer is truthy, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.2)
    return answer
