"""One Airflow and one sandbox for every DAG test: a scheduler costs half a minute to start.

They end with the last DAG test and not with the session: a scheduler that waits takes a fifth of a core.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from genesys_sandbox.airflow import USER, Airflow, free_port
from support.dag_world import APPROVAL_S, BATCH_PARTS, DAG, DAYS, KEEPER, LATE_S, PER_DAY, World, connection
from support.inbox import serving

_RUNNING = ExitStack()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End Airflow and sandbox when the next test is not of this folder."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _RUNNING.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start everything; the DAG is unpaused, so that yesterday's scheduled run begins by itself."""
    home = tmp_path_factory.mktemp("world")
    options = SandboxOptions(
        days=DAYS, per_day=PER_DAY, min_bytes=20_000, max_bytes=400_000, state_dir=home / "sandbox", rate_per_minute=0
    )
    sandbox, inbox = _RUNNING.enter_context(Sandbox(options)), _RUNNING.enter_context(serving())
    environment = {
        "RECORDING_ARCHIVE_URL": str(home / "archive"),
        "RECORDING_ARCHIVE_BATCH_PARTS": str(BATCH_PARTS),
        "RECORDING_ARCHIVE_TASK_RETRY_DELAY_S": "1",
        "RECORDING_ARCHIVE_LOOK_BACK_DAYS": "1",
        "RECORDING_ARCHIVE_DRILL": "true",
        "RECORDING_ARCHIVE_MAX_DELETE_BYTES": str(2**30),
        "RECORDING_ARCHIVE_APPROVAL_HOURS": str(APPROVAL_S / 3600),
        "RECORDING_ARCHIVE_ALERT_NOTIFIER": "airflow.providers.http.notifications.http.HttpNotifier",
        "RECORDING_ARCHIVE_ALERT_ARGUMENTS": '{"http_conn_id": "alerts", "json": {"text": "{{ alert }}"}}',
        "RECORDING_ARCHIVE_ALERT_LATE_HOURS": str(LATE_S / 3600),
        "AIRFLOW_CONN_ALERTS": inbox.url,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin,{KEEPER}:user",
        "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
    }
    dags = Path(__file__).parents[2] / "dags"
    running = Airflow(home / "airflow", dags=dags, port=free_port(), environment=environment)
    airflow = _RUNNING.enter_context(running)
    airflow.start()
    airflow.call("POST", "/connections", connection(sandbox))
    airflow.await_dag(DAG)
    airflow.unpause(DAG)
    yield World(airflow, sandbox, home / "archive", inbox)
    _RUNNING.close()


@pytest.fixture
def quiet(world: World) -> Iterator[World]:
    """The world without faults, before and after the test."""
    world.sandbox.faults.clear()
    yield world
    world.sandbox.faults.clear()
