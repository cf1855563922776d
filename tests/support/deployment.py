"""The services of docker-compose.yaml, running on an engine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.engine import Engine

ADDRESS = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Deployment:
    """The running services of the compose file in ``folder``."""

    engine: Engine
    folder: Path
    token: str

    def compose(self, *arguments: str) -> str:
        """Run `docker-compose` on them."""
        return self.engine.compose(self.folder, "--profile", "sandbox", *arguments)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's running containers."""
        return self.compose("ps", "-q", service).split()

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask Airflow's REST API."""
        return self.engine.ask(method, f"{ADDRESS}/api/v2{path}", body, token=self.token)

    def unpause(self, dag: str, *, timeout_s: float = 180) -> None:
        """Let a DAG run, once the DAG processor has read it."""
        deadline = time.monotonic() + timeout_s
        while dag not in {found["dag_id"] for found in self.api("GET", "/dags")["dags"]}:
            assert time.monotonic() < deadline, self.compose("logs", "--tail", "40", "dag-processor")
            time.sleep(2)
        self.api("PATCH", f"/dags/{dag}", {"is_paused": False})

    def wait(self, run_id: str, *, timeout_s: float = 420) -> str:
        """Wait for the end of a run of archive_recordings; return its state."""
        deadline = time.monotonic() + timeout_s
        while (state := self.api("GET", f"/dags/archive_recordings/dagRuns/{run_id}")["state"]) in {
            "queued",
            "running",
        }:
            assert time.monotonic() < deadline, self.compose("logs", "--tail", "40")
            time.sleep(2)
        return str(state)
