"""docker-compose.yaml on a real engine: it comes up, archives although a worker dies, and keeps its secrets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from typing import Any

import pytest

from support.deployment import ADDRESS, Deployment
from support.engine import Engine

pytestmark = [pytest.mark.compose, pytest.mark.timeout(2_400)]  # the images alone take ten minutes

DAG = "archive_recordings"


@pytest.fixture(scope="module")
def archived(deployment: Deployment) -> dict[str, Any]:
    """The report of a run over the sandbox's days, during which the process of a worker was killed."""
    deployment.unpause(DAG)
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    conf = {"startDate": yesterday, "endDate": yesterday}
    deployment.api("POST", f"/dags/{DAG}/dagRuns", {"dag_run_id": "killed", "logical_date": None, "conf": conf})
    _await_download(deployment)
    _kill(deployment.engine, deployment.containers("worker")[0])
    assert deployment.wait("killed") == "success"
    report = deployment.compose("exec", "-T", "scheduler", "recording-archive", "report", "killed", "--json")
    found: dict[str, Any] = json.loads(report)
    return found


def test_the_books_close_although_a_worker_died(deployment: Deployment, archived: dict[str, Any]) -> None:
    """Every recording of the day is archived, by this run or the schedule's, and its bytes are what the books say."""
    assert archived["problems"] == []
    assert archived["asked"] == archived["successful"] + archived["alreadyArchived"] > 0
    for command in (["verify", "--all"], ["list", "--status", "archived"]):
        told = deployment.compose("exec", "-T", "scheduler", "recording-archive", *command)
        assert told.strip()
    assert len(told.splitlines()) >= archived["asked"]


def test_a_dead_worker_comes_back_and_its_logs_stay(deployment: Deployment, archived: dict[str, Any]) -> None:
    """The engine starts it again; the page has the logs of tasks whose container is gone."""
    assert archived
    assert len(deployment.containers("worker")) == 2
    deployment.compose("up", "-d", "--no-build", "--pull", "never", "--force-recreate", "--no-deps", "worker")
    tasks = deployment.api("GET", f"/dags/{DAG}/dagRuns/killed/taskInstances")["task_instances"]
    report = next(task for task in tasks if task["task_id"] == "write_report")
    path = f"/dags/{DAG}/dagRuns/killed/taskInstances/write_report/logs/{report['try_number']}"
    assert "ledger head" in json.dumps(deployment.api("GET", path))


def test_the_pages_and_their_plugin(deployment: Deployment, archived: dict[str, Any]) -> None:
    """Inside Airflow, for who signs in; the plugin and the DAGs come from the package in the image."""
    found = deployment.engine.ask("GET", f"{ADDRESS}/archive/api/recordings?limit=1", token=deployment.token)
    assert len(found["items"]) == 1
    metrics = deployment.engine.ask("GET", f"{ADDRESS}/archive/api/metrics", token=deployment.token)
    (count,) = re.findall(r'^recording_archive_recordings\{state="archived"\} (\S+)', metrics, re.MULTILINE)
    assert float(count) >= archived["asked"]


def test_no_secret_is_shown_by_the_engine(deployment: Deployment) -> None:
    """Neither in what `inspect` tells of a container nor in its processes' arguments."""
    names = deployment.compose("ps", "-aq").split()
    told = deployment.engine.docker("inspect", *names)
    told += "".join(
        deployment.engine.docker("top", name, "-eo", "pid,args") for name in deployment.compose("ps", "-q").split()
    )
    lines = (deployment.folder / ".env").read_text().splitlines()
    values = [line.partition("=")[2] for line in lines if not line.startswith(("#", "AWS_", "SECRETS="))]
    assert len(values) == 12
    assert [value for value in values if value in told] == []


def test_only_this_machine_reaches_it(deployment: Deployment) -> None:
    """Every published port is bound to 127.0.0.1, unless the profile `tls` is asked for."""
    bound = [port for name in deployment.compose("ps", "-q").split() for port in _ports(deployment.engine, name)]
    assert bound == ["127.0.0.1"]


@pytest.mark.parametrize(
    "command",
    [
        ["bash", "-c", "exec airflow version"],
        ["bash", "-c", "exec airflow celery worker --help"],
        ["bash", "/clean-logs"],
        ["python", "-c", "import recording_archive"],
        ["airflow", "version"],
        ["version"],
        ["bash", "-c", "recording-archive --version"],
    ],
)
def test_the_image_runs_what_the_helm_chart_runs(engine: Engine, deployment: Deployment, command: list[str]) -> None:
    """The chart's components are `bash -c`, its cleaner /clean-logs: the entry point of Airflow's own image is kept."""
    image = deployment.compose("config", "--images").splitlines()
    ours = next(name for name in image if name.startswith("recording-archive:"))
    engine.docker(
        "run", "--rm", "--network", "none", "--entrypoint", "/usr/bin/dumb-init", ours, "--", "/entrypoint", *command
    )


def test_https_for_other_machines(deployment: Deployment) -> None:
    """The profile `tls` serves the same pages with a certificate of the operator's."""
    folder = deployment.folder / "tls"
    folder.mkdir(exist_ok=True)
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += [
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        str(folder / "key.pem"),
        "-out",
        str(folder / "cert.pem"),
    ]
    subprocess.run(made, check=True, capture_output=True)
    os.chown(folder / "key.pem", 50000, 0)
    deployment.compose("--profile", "tls", "up", "-d", "--no-build", "--pull", "never", "--no-deps", "tls")
    asked = ["curl", "-sS", "--retry", "60", "--retry-all-errors", "--retry-delay", "2"]
    told = deployment.engine.inside(
        *asked, "--cacert", str(folder / "cert.pem"), "https://localhost:8443/api/v2/version"
    )
    assert json.loads(told)["version"]


def _await_download(deployment: Deployment) -> None:
    deadline = time.monotonic() + 300
    path = f"/dags/{DAG}/dagRuns/killed/taskInstances"
    while not any(
        task["task_id"].endswith("download") and task["state"] in {"running", "success"}
        for task in deployment.api("GET", path)["task_instances"]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.3)


def _kill(engine: Engine, container: str) -> None:
    """Kill a container's first process from outside, as a crash does; `docker kill` would keep it down."""
    os.kill(int(engine.docker("inspect", "-f", "{{.State.Pid}}", container)), signal.SIGKILL)


def _ports(engine: Engine, container: str) -> list[str]:
    told = json.loads(engine.docker("inspect", "-f", "{{json .HostConfig.PortBindings}}", container)) or {}
    return [binding["HostIp"] for bindings in told.values() for binding in bindings]
