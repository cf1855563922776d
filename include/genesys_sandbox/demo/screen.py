"""Output of the demo: progress of runs, and commands with what they print."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from genesys_sandbox.airflow import Airflow

console = Console(highlight=False, soft_wrap=True)
_RUN_S = 900
_OVER = {"success", "failed", "upstream_failed", "skipped"}


def follow(airflow: Airflow, dag: str, run_id: str) -> str:
    """Show the run's tasks until it ends; return its state."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("tasks", total=None)

        def tell() -> None:
            tasks = airflow.tasks(dag, run_id)
            done = sum(task["state"] in _OVER for task in tasks)
            busy = sorted({task["task_id"].rpartition(".")[2] for task in tasks if task["state"] == "running"})
            progress.update(bar, completed=done, total=len(tasks), description=", ".join(busy) or "waiting")

        return airflow.wait(dag, run_id, timeout_s=_RUN_S, tell=tell)


def command(airflow: Airflow, *arguments: str) -> int:
    """Run a command as a person would; return its exit code."""
    console.print(f"\n[bold]$ recording-archive {shlex.join(arguments)}[/]")
    done = subprocess.run(_program(*arguments), env=airflow.environment, check=False)  # noqa: S603 - our own command
    return done.returncode


def answer(airflow: Airflow, *arguments: str) -> str:
    """Run a command as a person would, and return what it printed."""
    console.print(f"\n[bold]$ recording-archive {shlex.join(arguments)}[/]")
    done = subprocess.run(  # noqa: S603 - our own command
        _program(*arguments), env=airflow.environment, stdout=subprocess.PIPE, text=True, check=False
    )
    console.print(done.stdout.rstrip(), markup=False)
    return done.stdout


def _program(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("recording-archive")), *arguments]
