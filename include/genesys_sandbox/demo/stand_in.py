"""The demo's Genesys Cloud: the sandbox as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import requests

from genesys_sandbox.demo.screen import console

CONNECTION = "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT"


class StandIn:
    """A running sandbox: the connection that it printed, and its control plane."""

    def __init__(self, port: int, connection: str) -> None:
        self.connection = connection
        self._control = f"http://127.0.0.1:{port}/sandbox"

    def recordings(self, day: date) -> list[str]:
        """The ids of a day's interactions."""
        recordings: list[dict[str, Any]] = requests.get(f"{self._control}/recordings", timeout=30).json()
        return [each["id"] for each in recordings if each["date"].startswith(str(day))]

    def refuse(self, interaction: str) -> None:
        """Answer 404 whenever media of this interaction is asked for."""
        fault = {"kind": "status", "endpoint": "media", "recording": interaction, "status": 404}
        requests.post(f"{self._control}/faults", json=fault, timeout=30).raise_for_status()


@contextmanager
def started(state_dir: Path, port: int, *, days: int, media_dir: Path | None) -> Iterator[StandIn]:
    """Start the sandbox, show what it prints, and end it afterwards; raises RuntimeError when it does not start."""
    options = ["--port", str(port), "--days", str(days), "--state-dir", str(state_dir), "--faults", "transient"]
    options += ["--media-dir", str(media_dir)] if media_dir else []
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "genesys_sandbox", *options], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield StandIn(port, _connection(process))
    finally:
        process.terminate()
        process.wait()


def _connection(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        if line.startswith(CONNECTION):
            return line.partition("=")[2].strip().strip("'")
        console.print(line.strip())
    raise RuntimeError(f"The sandbox ended with exit code {process.wait()}")
