"""Airflow with CeleryExecutor on PostgreSQL and Redis: every component a process session of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import yaml

from genesys_sandbox.airflow import USER, Airflow
from support.dag_world import KEEPER
from support.services import Bucket, Postgres, Process, free_port, until

WORKERS = 2
COMPOSE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yaml").read_text())["services"]
_COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
_AS_DELIVERED = (
    "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES",
)
"""Settings for recovery that are taken from docker-compose.yaml as they are."""
_SOONER = ["--every", "30", "--failures", "2"]  # what hangs is dead after a minute here, not after five


class Cluster(Airflow):
    """Two Celery workers and what directs them, sharing nothing but the services.

    The commands are those of docker-compose.yaml, ``watch`` included; `revive` is the engine that restarts what ended.
    """

    def __init__(
        self, home: Path, *, postgres: Postgres, redis: str, bucket: Bucket, connection: dict[str, object]
    ) -> None:
        self._database = database = postgres.url("airflow")
        environment = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__PARALLELISM": "8",  # twice what the workers take: some always waits in the broker
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin,{KEEPER}:user",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CELERY__BROKER_URL": redis,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT": json.dumps(connection),
            "AWS_ACCESS_KEY_ID": bucket.key,
            "AWS_SECRET_ACCESS_KEY": bucket.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": bucket.endpoint,
            "RECORDING_ARCHIVE_URL": "s3://archive/calls",
            "RECORDING_ARCHIVE_STAGING_URL": "s3://staging",
            "RECORDING_ARCHIVE_CATALOG_URL": database.replace("postgres@/airflow", "archive:o'clock@/archive"),
            "RECORDING_ARCHIVE_BATCH_PARTS": "40",
            "RECORDING_ARCHIVE_TASK_RETRY_DELAY_S": "1",
            "RECORDING_ARCHIVE_LOOK_BACK_DAYS": "1",
            "RECORDING_ARCHIVE_DRILL": "true",
            "RECORDING_ARCHIVE_MAX_DELETE_BYTES": str(2**30),
            **{name: COMPOSE["scheduler"]["environment"][name] for name in _AS_DELIVERED},
        }
        dags = Path(__file__).parents[2] / "dags"
        super().__init__(home, dags=dags, port=free_port(), environment=environment)
        home.mkdir(parents=True, exist_ok=True)
        self.components = {name: self._watched(name) for name in _COMPONENTS}
        self.workers = [self._worker(number) for number in range(1, WORKERS + 1)]

    def start(self, tell: object = None) -> Self:  # noqa: ARG002 - of the class above
        """Set up as the containers do, start everything, and wait until it is healthy."""
        self.passwords = self._own_passwords()
        made = subprocess.run(
            [sys.executable, "-m", "recording_archive.set_up"],
            env={**self.environment, "SET_UP_DATABASE_URL": self._database},
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr[-3000:]
        for process in (*self.components.values(), *self.workers):
            process.start()

        def healthy() -> bool:
            for process in (*self.components.values(), *self.workers):
                process.require_alive()
            return self._is_healthy()

        until(healthy, 180)
        until(lambda: all("ready" in worker.log.read_text() for worker in self.workers), 120)
        return self

    def stop(self) -> None:
        """End every component, at once: nothing of it is needed any more."""
        for process in (*self.workers, *self.components.values()):
            process.kill()

    def revive(self) -> None:
        """Start what ended by itself: the scheduler and the DAG processor do when the database restarts."""
        for process in (*self.components.values(), *self.workers):
            process.revive()

    def is_whole(self) -> bool:
        """Test whether every component runs and calls itself healthy; start those that do not run."""
        ended = [process for process in (*self.components.values(), *self.workers) if not process.is_running()]
        self.revive()
        health = self.call("GET", "/monitor/health")
        return not ended and all(part["status"] == "healthy" for part in health.values())

    def command(self, *arguments: str) -> str:
        """Run ``recording-archive`` in this cluster's environment; what it prints."""
        program = str(Path(sys.executable).parent / "recording-archive")
        done = subprocess.run(
            [program, *arguments], env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def _watched(self, name: str) -> Process:
        """A component as docker-compose.yaml starts it."""
        _, *rest = COMPOSE[name]["command"]
        assert rest[:2] == ["-m", "recording_archive.watch"], name
        rest = [word.replace("localhost:8080", f"127.0.0.1:{self.port}") for word in rest[2:]]
        command = [sys.executable, "-m", "recording_archive.watch", *_SOONER, *rest]
        return Process(name, command, home=self.home, environment=self.environment)

    def _worker(self, number: int) -> Process:
        scratch = self.home / f"worker{number}"
        scratch.mkdir(exist_ok=True)
        extra = {
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "HOME": str(scratch),  # staging grows below it: the two share no folder
            "TMPDIR": str(scratch),
        }
        name = f"worker{number}"
        airflow = str(Path(sys.executable).parent / "airflow")
        command = [airflow, *COMPOSE["worker"]["command"][1:], "--celery-hostname", f"{name}@%h"]
        return Process(name, command, home=self.home, environment={**self.environment, **extra})
