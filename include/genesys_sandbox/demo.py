"""`recording-archive demo`: a sandbox, an Airflow, one archived stretch of days, and the report on the screen."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from genesys_sandbox.airflow import USER, Airflow, free_port

DAG = "archive_recordings"
DAYS = 3
CONNECTION = "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT"
_RUN_S = 900

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Demo:
    """A sandbox and an Airflow below ``home``; with ``leave`` they end with the report."""

    home: Path
    port: int
    sandbox_port: int
    media_dir: Path | None = None
    leave: bool = False

    def run(self) -> int:
        """Return 0 only when the run succeeded and every archived file verifies, 2 when a port is taken."""
        try:
            port, sandbox_port = free_port(self.port), free_port(self.sandbox_port)
        except RuntimeError as error:
            console.print(f"[red]{error}[/]: choose a free one by --port (Airflow) or --sandbox-port (sandbox)")
            return 2
        self.home.mkdir(parents=True, exist_ok=True)
        sandbox, connection = _start_sandbox(self.home / "sandbox", sandbox_port, self.media_dir)
        try:
            with Airflow(self.home / "airflow", port=port, environment=self._settings(connection)) as airflow:
                return self._demonstrate(airflow)
        except RuntimeError as error:
            console.print(f"[red]{error}[/]")
            return 1
        except KeyboardInterrupt:
            return 130
        finally:
            console.print("Stopped Airflow and the sandbox.")
            sandbox.terminate()
            sandbox.wait()

    def _settings(self, connection: str) -> dict[str, str]:
        return {
            CONNECTION: connection,
            "RECORDING_ARCHIVE_URL": str(self.home / "archive"),
            "RECORDING_ARCHIVE_BATCH_PARTS": "15",  # several batches, so that the mapped tasks can be seen
            "RECORDING_ARCHIVE_MAX_ACTIVE_RUNS": "1",  # the scheduled run of yesterday waits for the triggered one
        }

    def _demonstrate(self, airflow: Airflow) -> int:
        with console.status("Airflow starts") as status:
            airflow.start(status.update)
            airflow.await_dag(DAG, status.update)
        run_id = f"demo_{datetime.now(UTC):%Y%m%dT%H%M%S}"
        today = datetime.now(UTC).date()
        conf = {"startDate": str(today - timedelta(days=DAYS)), "endDate": str(today - timedelta(days=1))}
        console.print(f"Triggered {DAG} as {run_id} with {json.dumps(conf)}")
        airflow.trigger(DAG, run_id, conf, run_after=today - timedelta(days=DAYS))  # before what the schedule begins
        airflow.unpause(DAG)
        state = _follow(airflow, run_id)
        report = _command(airflow, "report", run_id)
        verified = _command(airflow, "verify", "--all")
        console.print(
            f"\nRun {run_id}: [bold]{state}[/]. Airflow: [bold]{airflow.url}[/]  login: {USER} / {airflow.password}"
        )
        if not self.leave:
            console.print("Press Ctrl-C to stop everything this started.")
            threading.Event().wait()
        return 0 if state == "success" and report == 0 and verified == 0 else 1


def _follow(airflow: Airflow, run_id: str) -> str:
    """Show the run's tasks until it ends; return its state."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("tasks", total=None)

        def tell() -> None:
            tasks = airflow.tasks(DAG, run_id)
            done = sum(task["state"] in {"success", "failed", "upstream_failed", "skipped"} for task in tasks)
            busy = sorted({task["task_id"].rpartition(".")[2] for task in tasks if task["state"] == "running"})
            progress.update(bar, completed=done, total=len(tasks), description=", ".join(busy) or "waiting")

        return airflow.wait(DAG, run_id, timeout_s=_RUN_S, tell=tell)


def _start_sandbox(state_dir: Path, port: int, media_dir: Path | None) -> tuple[subprocess.Popen[str], str]:
    """Start the sandbox as a process of its own; return it with the Airflow connection it prints."""
    options = ["--port", str(port), "--days", str(DAYS), "--state-dir", str(state_dir), "--faults", "transient"]
    options += ["--media-dir", str(media_dir)] if media_dir else []
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "genesys_sandbox", *options], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    lines = process.stdout or ()
    for line in lines:
        if line.startswith(CONNECTION):
            return process, line.partition("=")[2].strip().strip("'")
        console.print(line.strip())
    raise SystemExit(process.wait() or 1)


def _command(airflow: Airflow, *arguments: str) -> int:
    console.print(f"\n[bold]$ recording-archive {' '.join(arguments)}[/]")
    command = [str(Path(sys.executable).with_name("recording-archive")), *arguments]
    return subprocess.run(command, env=airflow.environment, check=False).returncode  # noqa: S603 - our own command
