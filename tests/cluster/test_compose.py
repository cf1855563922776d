"""docker-compose.yaml and Dockerfile, as far as they can be tried without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recording_archive.deploy.watch import ALIVE

pytestmark = pytest.mark.cluster

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compose file and the secrets that `make secrets` writes."""
    folder = tmp_path_factory.mktemp("compose")
    for name in ("docker-compose.yaml", "Makefile", ".env.example"):
        shutil.copy(REPOSITORY / name, folder)
    subprocess.run(["make", "-s", "secrets", f"PYTHON={sys.executable}"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def services(project: Path) -> dict[str, Any]:
    """Every service as compose understands it."""
    done = compose(project, "--profile", "sandbox", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def compose(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the compose program in ``folder``."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = [str(BIN / "docker-compose"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_compose_accepts_the_file(project: Path) -> None:
    """The real compose program finds nothing wrong, with secrets and without the sandbox."""
    done = compose(project, "config", "-q")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_secret_has_a_default(project: Path, tmp_path: Path) -> None:
    """Without secrets nothing starts, and the message says how to make them."""
    shutil.copy(project / "docker-compose.yaml", tmp_path)
    done = compose(tmp_path, "config", "-q")
    assert done.returncode != 0
    assert "run `make secrets` once" in done.stderr


def test_secrets_are_kept(project: Path) -> None:
    """A second `make secrets` changes nothing, and only the owner reads the file."""
    before = (project / ".env").read_text()
    subprocess.run(["make", "-s", "secrets"], cwd=project, check=True, capture_output=True)
    assert (project / ".env").read_text() == before
    assert (project / ".env").stat().st_mode & 0o077 == 0


def test_every_service_is_bounded_and_watched(services: dict[str, Any]) -> None:
    """Pinned image, memory limit, log limit, no new privileges, and a health check where something keeps running."""
    for name, service in services.items():
        assert re.search(r":\d", service["image"]), name
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["cap_drop"] == ["ALL"], name
        assert name == "init" or service["healthcheck"]["test"], name
    assert all(
        service.get("user", "").split(":")[0] not in {"", "0"}
        for name, service in services.items()
        if name != "postgres"
    )


def test_two_workers_by_default_and_only_one_open_port(services: dict[str, Any]) -> None:
    """The services are reached through the API server alone, and that from this machine alone."""
    assert services["worker"]["deploy"]["replicas"] == 2
    assert [name for name, service in services.items() if service.get("ports")] == ["api-server"]
    assert [port["host_ip"] for port in services["api-server"]["ports"]] == ["127.0.0.1"]


def test_what_hangs_is_ended(services: dict[str, Any]) -> None:
    """Every component but the workers runs under `watch`, whose findings are the container's health."""
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert services[name]["command"][:3] == ["python", "-m", "recording_archive.watch"], name
        assert f"find /tmp/{ALIVE.name} " in services[name]["healthcheck"]["test"][1], name
        assert services[name]["restart"] == "unless-stopped", name
    assert services["worker"]["restart"] == "unless-stopped"


def test_nothing_waits_in_the_broker(services: dict[str, Any]) -> None:
    """Airflow sends out as much as the workers take at once."""
    environment = services["scheduler"]["environment"]
    slots = services["worker"]["deploy"]["replicas"] * int(environment["AIRFLOW__CELERY__WORKER_CONCURRENCY"])
    assert int(environment["AIRFLOW__CORE__PARALLELISM"]) == slots


def copy(folder: Path, *names: str) -> None:
    """Copy files and folders of the repository, without what programs left there."""
    for name in names:
        if (REPOSITORY / name).is_dir():
            without = shutil.ignore_patterns("*.egg-info", "__pycache__")
            shutil.copytree(REPOSITORY / name, folder / name, ignore=without)
        else:
            shutil.copy(REPOSITORY / name, folder)


def test_no_secret_is_in_an_environment(project: Path, services: dict[str, Any]) -> None:
    """Each comes as a file: `docker inspect` shows environments to everybody who may ask the engine."""
    lines = [line.partition("=") for line in (project / ".env").read_text().splitlines() if "=" in line]
    values = [value for name, _, value in lines if name not in {"SECRETS", "AWS_CREDENTIALS"}]
    told = json.dumps(services)
    assert len(values) == 12
    assert [value for value in values if value in told] == []


def test_the_image_installs_in_a_clean_folder(tmp_path: Path) -> None:
    """The steps of the Dockerfile, in their order: lock, then the project alone; both programs start."""
    copied = ("requirements-cluster.lock", "pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE")
    told = (REPOSITORY / "Dockerfile").read_text()
    for name in (*copied, "dags /tmp/archive/dags", "plugins /tmp/archive/plugins"):
        assert name in told
    copy(tmp_path, *copied, "include", "dags", "plugins")
    venv, uv = tmp_path / "venv", [str(BIN / "uv"), "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    environment = {**os.environ, "VIRTUAL_ENV": str(venv)}
    for step in (["--require-hashes", "-r", "requirements-cluster.lock"], ["."]):
        subprocess.run([*uv, *step], cwd=tmp_path, env=environment, check=True)
    home = {
        "PATH": f"{venv}/bin:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
    }
    for program in (["airflow", "version"], ["recording-archive", "--help"]):
        done = subprocess.run(
            [f"{venv}/bin/{program[0]}", *program[1:]], env=home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]


def test_an_airflow_that_is_there_takes_the_wheel(tmp_path: Path) -> None:
    """In an Astro-style project: nothing that Airflow brought changes its version, and the DAGs load."""
    source, project, venv = tmp_path / "source", tmp_path / "project", tmp_path / "venv"
    source.mkdir()
    project.mkdir()
    copy(source, "pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE", "include", "dags", "plugins")
    copy(project, "dags", "plugins")  # beside the plugin of the wheel, as before an upgrade: it counts once
    home = {"PATH": f"{venv}/bin:{os.environ['PATH']}", "AIRFLOW_HOME": str(project), "VIRTUAL_ENV": str(venv)}

    def do(*command: str, folder: Path = project) -> str:
        done = subprocess.run(command, cwd=folder, env={**os.environ, **home}, capture_output=True, text=True)  # noqa: PLW1510
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    uv, lock = str(BIN / "uv"), (REPOSITORY / "requirements.lock").read_text()
    constraints = project / "constraints.txt"
    constraints.write_text("\n".join(re.findall(r"^[a-z0-9].*==[^\\\n]+", lock, re.MULTILINE)))
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    do(uv, "pip", "install", "-q", "apache-airflow", "apache-airflow-providers-http", "-c", str(constraints))
    before = do(uv, "pip", "freeze").splitlines()
    constraints.write_text("\n".join(before))  # that Airflow's own
    do(str(venv / "bin/pip"), "wheel", "-q", "--no-deps", "-w", str(project), ".", folder=source)
    (wheel,) = project.glob("*.whl")
    (project / "requirements.txt").write_text(f"recording-archive[all] @ {wheel.as_uri()}\n")
    do(uv, "pip", "install", "-q", "-r", "requirements.txt", "-c", "constraints.txt")
    assert set(before) <= set(do(uv, "pip", "freeze").splitlines())
    do("airflow", "db", "migrate")
    do("airflow", "dags", "reserialize")
    listed = do("airflow", "dags", "list", "--output", "plain")
    assert all(name in listed for name in ("archive_recordings", "enforce_retention", "verify_archive"))
    assert "No data found" in do("airflow", "dags", "list-import-errors")
    assert "recording_archive" in do("airflow", "plugins")
