"""A whole Airflow on this machine for demo and tests: `airflow standalone` on SQLite, driven over its REST API."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import quote

import requests

USER = "admin"
POOLS = {
    "genesys_api": (2, "Tasks that ask the Genesys Cloud API: runs share one allowance of requests a minute"),
    "genesys_media": (8, "Tasks that fetch media, which no allowance limits"),
}
"""Slots and description of the pools that the set-up makes."""
BUNDLE = {"name": "recordings", "classpath": "recording_archive.tasks.dag_bundle.DagBundle", "kwargs": {}}
"""The DAGs that came with the package, for Airflow's list of bundles."""
_START_S = 300
_SIGNALS = ((signal.SIGINT, 20), (signal.SIGTERM, 10), (signal.SIGKILL, 10))


class Airflow:
    """One standalone Airflow below ``home``; stopped with everything it started.

    Without ``dags`` it has the DAGs and the plugin of the installed package; else those of this folder and of
    `plugins/` beside it.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags: Path | None = None,
        port: int,
        environment: Mapping[str, str],
        users: Mapping[str, str] = MappingProxyType({USER: "admin"}),
    ) -> None:
        self.home, self.port = home, port
        self.url = f"http://127.0.0.1:{port}"
        self.log_file = home / "standalone.log"
        self.users, self.passwords = users, dict[str, str]()
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}
        self.environment = {**_clean(os.environ), **_settings(home, dags, port, users), **environment}

    def start(self, tell: Callable[[str], None] = lambda _: None) -> Self:
        """Start it and wait until it is healthy; raise RuntimeError with the end of its log when it is not."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.passwords = self._own_passwords()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait("Airflow starts", self._is_healthy, _START_S, tell)
        for name, (slots, description) in POOLS.items():
            self._make_pool(name, slots, description)
        return self

    def stop(self) -> None:
        """Stop the whole process session: standalone alone would leave orphans."""
        if self._process is None:
            return
        for number, patience_s in _SIGNALS:
            for pid in _session(self._process.pid):
                _kill(pid, number)
            deadline = time.monotonic() + patience_s
            while time.monotonic() < deadline and _session(self._process.pid):
                self._process.poll()
                time.sleep(0.1)
        self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def call(self, method: str, path: str, body: Any = None, *, api: str = "api/v2", user: str = USER) -> Any:
        """Ask a REST API as one of the users; 5xx and silence, as of a busy SQLite, are tried again.

        Raises RuntimeError for what stays refused.
        """
        told = ""
        for wait_s in (0.5, 1, 2, 4, 8, 16, 30, None):
            try:
                reply = requests.request(
                    method, f"{self.url}/{api}{path}", json=body, headers=self._headers(user), timeout=30
                )
            except (requests.ConnectionError, requests.Timeout) as error:
                reply, told = None, str(error)
            if reply is not None and reply.status_code < 500:
                if reply.ok:
                    return reply.json() if reply.content else None
                raise RuntimeError(f"Airflow answers {reply.status_code} to {method} {path}: {reply.text[:500]}")
            if reply is not None:
                told = f"{reply.status_code} {reply.text[:500]}"
            if wait_s is not None:
                time.sleep(wait_s)
        raise RuntimeError(f"Airflow does not answer {method} {path} ({told}): see {self.log_file}")

    def await_dag(self, dag_id: str, tell: Callable[[str], None] = lambda _: None) -> None:
        """Wait until the DAG file was read."""

        def known() -> bool:
            try:
                self.call("GET", f"/dags/{dag_id}")
            except RuntimeError as error:
                if " 404 " in str(error):
                    return False
                raise
            return True

        self._wait(f"Airflow reads {dag_id}", known, _START_S, tell)

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run; what its schedule owes begins as well."""
        self.call("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def trigger(
        self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None, *, run_after: date | None = None
    ) -> None:
        """Start a run under this id, ahead of others that wait since ``run_after``; one that is there is fine."""
        body = {"dag_run_id": run_id, "conf": dict(conf or {}), "logical_date": None}
        body |= {"run_after": f"{run_after}T00:00:00Z"} if run_after else {}
        try:
            self.call("POST", f"/dags/{dag_id}/dagRuns", body)
        except RuntimeError as error:
            if " 409 " not in str(error):
                raise

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of a run: queued, running, success or failed."""
        return str(self.call("GET", f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        path = f"/dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances?limit=1000"
        found: list[dict[str, Any]] = self.call("GET", path)["task_instances"]
        return found

    def wait(self, dag_id: str, run_id: str, *, timeout_s: float, tell: Callable[[], None] = lambda: None) -> str:
        """Wait for the end of a run and return its state; raise TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            state = self.run_state(dag_id, run_id)
            tell()
            if state in {"success", "failed"}:
                return state
            time.sleep(0.5)
        raise TimeoutError(f"run {run_id} of {dag_id} did not end within {timeout_s:.0f} s")

    def run(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run an ``airflow`` command in this Airflow's environment."""
        command = [sys.executable, "-m", "airflow", *arguments]
        return subprocess.run(  # noqa: S603 - our own interpreter's airflow
            command, env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def _wait(self, what: str, ready: Callable[[], bool], timeout_s: float, tell: Callable[[str], None]) -> None:
        begun = time.monotonic()
        while not ready():
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{what}: it ended. The end of {self.log_file}:\n{self._log_end()}")
            if time.monotonic() - begun > timeout_s:
                raise RuntimeError(f"{what}: not within {timeout_s} s. The end of {self.log_file}:\n{self._log_end()}")
            tell(f"{what} ({time.monotonic() - begun:.0f} s)")
            time.sleep(0.5)

    def _is_healthy(self) -> bool:
        try:
            health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))

    def _headers(self, user: str) -> dict[str, str]:
        """Headers by which the user is known, and a program of the user's own for the API of the archive's page."""
        if user not in self._tokens:
            who = {"username": user, "password": self.passwords[user]}
            reply = requests.post(f"{self.url}/auth/token", json=who, timeout=30)
            reply.raise_for_status()
            self._tokens[user] = reply.json()["access_token"]
        return {"Authorization": f"Bearer {self._tokens[user]}", "X-Recording-Archive": "1"}

    def _make_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool; one that is there keeps the slots it has."""
        body = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        try:
            self.call("POST", "/pools", body)
        except RuntimeError as error:
            if " 409 " not in str(error):
                raise

    def _own_passwords(self) -> dict[str, str]:
        """Passwords of the users, made at the first start and kept."""
        file = self.home / "passwords.json"
        file.touch(mode=0o600)
        found: dict[str, str] = json.loads(file.read_text() or "{}")
        found = {user: secrets.token_urlsafe(12) for user in self.users} | found
        file.write_text(json.dumps(found))
        return found

    def _log_end(self) -> str:
        return self.log_file.read_text(errors="replace")[-3000:]


def free_port(wanted: int = 0) -> int:
    """The port itself when it is free, or any free one for 0; raise RuntimeError when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise RuntimeError(f"port {wanted} is in use") from error
        return int(probe.getsockname()[1])


def _settings(home: Path, dags: Path | None, port: int, users: Mapping[str, str]) -> dict[str, str]:
    """Airflow's own settings, tuned so that a small run takes seconds."""
    url = f"http://127.0.0.1:{port}"
    return {
        **_code(dags),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in users.items()),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONWARNINGS": "ignore",
        "RECORDING_ARCHIVE_API_POOL": "genesys_api",
        "RECORDING_ARCHIVE_MEDIA_POOL": "genesys_media",
    }


def _code(dags: Path | None) -> dict[str, str]:
    """Settings by which Airflow finds DAGs and plugin; the plugin of the package comes by its entry point."""
    if dags is None:
        return {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE])}
    return {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), "AIRFLOW__CORE__PLUGINS_FOLDER": str(dags.parent / "plugins")}


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without anything that another Airflow or archive on this machine was told."""
    prefixes = ("AIRFLOW", "RECORDING_ARCHIVE_", "GENESYS_")
    return {name: value for name, value in environment.items() if not name.startswith(prefixes)}


def _session(leader: int) -> list[int]:
    """The processes of a session that still run."""
    return [pid for pid, session in _sessions() if session == leader]


def _sessions() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = entry.joinpath("stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if state != "Z":
            yield int(entry.name), int(session)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _quoted(run_id: str) -> str:
    return quote(run_id, safe="")
