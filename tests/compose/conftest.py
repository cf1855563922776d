"""The compose file at work on an engine: images, services, and the sandbox to archive from."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support import engine as engines
from support import stand_ins
from support.deployment import ADDRESS, Deployment
from support.engine import Engine

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / "build" / "compose"
CONNECTION = (
    'AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT={"conn_type": "genesys_cloud", "login": "sandbox-client", "password": '
    '"sandbox-secret", "extra": {"api": "interactions", "api_base": "http://sandbox:9080", "login_base": '
    '"http://sandbox:9080", "media_hosts": ["sandbox:9081"], "allow_private_hosts": true}}\n'
)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine whose images are kept in ``build/compose`` for the next time."""
    if why := engines.missing():
        pytest.skip(why)
    with Engine(BUILD / "engine") as running:
        yield running


@pytest.fixture(scope="session")
def project(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the secrets of `make secrets`, the sandbox as source, and the image that its Dockerfile makes."""
    folder = tmp_path_factory.mktemp("project")
    subprocess.run(["git", "-C", REPOSITORY, "checkout-index", "-a", f"--prefix={folder}/"], check=True)
    subprocess.run(["make", "-s", "secrets", f"PYTHON={sys.executable}"], cwd=folder, check=True, capture_output=True)
    (folder / "archive.env").write_text((folder / "archive.env").read_text() + CONNECTION)
    services = yaml.safe_load((folder / "docker-compose.yaml").read_text())["services"]
    stand_ins.build(engine, BUILD, {services[name]["image"]: name for name in ("postgres", "redis", "s3")})
    image = services["scheduler"]["image"]
    named = ["--build-arg", f"AIRFLOW_IMAGE={stand_ins.AIRFLOW}"]
    engine.docker("build", "-q", "--network", "none", *named, "-t", image, str(folder))
    return folder


@pytest.fixture(scope="session")
def deployment(engine: Engine, project: Path) -> Iterator[Deployment]:
    """Everything up and healthy; taken down with its volumes in the end."""
    up = ["--profile", "sandbox", "up", "-d", "--no-build", "--pull", "never", "--wait", "--wait-timeout", "600"]
    try:
        engine.compose(project, *up)
        secrets = dict(line.split("=", 1) for line in (project / ".env").read_text().splitlines() if "=" in line)
        login = {"username": "admin", "password": secrets["ADMIN_PASSWORD"]}
        token = engine.ask("POST", f"{ADDRESS}/auth/token", login)["access_token"]
        yield Deployment(engine, project, token)
    finally:
        logs = engine.compose(project, "--profile", "sandbox", "logs", "--no-color", "--tail", "200", fails=True)
        (BUILD / "services.log").write_text(logs)
        engine.compose(project, "--profile", "sandbox", "--profile", "tls", "down", "-v", "--timeout", "10", fails=True)
        shutil.rmtree(project, ignore_errors=True)
