"""Airflow with CeleryExecutor on PostgreSQL and Redis: every component a process session of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Self

from services import Bucket, Postgres, Process, free_port, until

from genesys_sandbox.airflow import Airflow

WORKERS = 2
_COMPONENTS = ("api-server", "scheduler", "dag-processor")


class Cluster(Airflow):
    """API server, scheduler, DAG processor and two Celery workers that share nothing but the services."""

    def __init__(
        self, home: Path, *, postgres: Postgres, redis: str, bucket: Bucket, connection: dict[str, object]
    ) -> None:
        self._database = database = postgres.url("airflow")
        environment = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CELERY__BROKER_URL": redis,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
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
            "RECORDING_ARCHIVE_BATCH_PARTS": "30",
            "RECORDING_ARCHIVE_TASK_RETRY_DELAY_S": "1",
            "RECORDING_ARCHIVE_LOOK_BACK_DAYS": "1",
        }
        dags = Path(__file__).parents[2] / "dags"
        super().__init__(home, dags=dags, port=free_port(), environment=environment)
        home.mkdir(parents=True, exist_ok=True)
        self.components = {name: self._component(name, name) for name in _COMPONENTS}
        self.workers = [self._worker(number) for number in range(1, WORKERS + 1)]

    def start(self, tell: object = None) -> Self:  # noqa: ARG002 - of the class above
        """Set up as the containers do, start everything, and wait until it is healthy."""
        self.password = self._own_password()
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
        """Stop every component."""
        for process in (*self.workers, *self.components.values()):
            process.stop()

    def revive(self) -> None:
        """Start what ended by itself: the scheduler does when the database restarts."""
        for process in (*self.components.values(), *self.workers):
            process.revive()

    def archive(self, code: str) -> str:
        """Run Python on the archive in this cluster's environment; what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", code], env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def _component(self, name: str, *arguments: str, extra: dict[str, str] | None = None) -> Process:
        command = [sys.executable, "-m", "airflow", *arguments]
        return Process(name, command, home=self.home, environment={**self.environment, **(extra or {})})

    def _worker(self, number: int) -> Process:
        scratch = self.home / f"worker{number}"
        scratch.mkdir(exist_ok=True)
        extra = {
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "HOME": str(scratch),  # staging grows below it: the two share no folder
            "TMPDIR": str(scratch),
        }
        name = f"worker{number}"
        return self._component(
            name, "celery", "worker", "--celery-hostname", f"{name}@%h", "--without-gossip", extra=extra
        )
