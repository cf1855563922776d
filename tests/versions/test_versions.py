"""An Airflow that is there already takes the wheel and archives with it; one for each list beside this file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from genesys_sandbox.airflow import free_port

pytestmark = [pytest.mark.versions, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
LISTS = {path.stem.removeprefix("airflow-"): path for path in sorted(Path(__file__).parent.glob("airflow-*.txt"))}
CHOSEN = os.environ.get("VERSIONS", "").split() or list(LISTS)
TOOLS = ("pytest", "pytest-timeout", "pytest-xdist")
UV = str(Path(sys.executable).with_name("uv"))
DAGS = ("archive_recordings", "enforce_retention", "verify_archive")


@dataclass(frozen=True)
class Place:
    """An environment with one version of Airflow, its folders, and what was in it before the wheel came."""

    version: str
    home: Path
    before: frozenset[str]

    @property
    def venv(self) -> Path:
        """Airflow and all it needs."""
        return self.home / "venv"

    def do(self, *command: str, timeout_s: float = 600, **more: str) -> str:
        """Run a command of the environment and return what it prints; fail with its end when it fails."""
        prefixes = ("AIRFLOW", "RECORDING_ARCHIVE_", "GENESYS_", "PYTHONPATH")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
        environment |= {
            "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.venv),
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        environment |= more
        done = subprocess.run(  # noqa: PLW1510 - told with its output
            command, cwd=self.home, env=environment, capture_output=True, text=True, timeout=timeout_s
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def frozen(self) -> frozenset[str]:
        """Every distribution with its version."""
        return frozenset(self.do(UV, "pip", "freeze", "-q").splitlines())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from what is needed for it and nothing else."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "include", source / "include", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    subprocess.run([UV, "build", "-q", "--wheel", "-o", made, source], check=True)
    return next(made.glob("*.whl"))


@pytest.fixture(scope="module", params=CHOSEN)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Place:
    """One Airflow, with the wheel under its own versions, and DAGs and plugin in its folders."""
    assert request.param in LISTS, f"no list for Airflow {request.param}; there are {', '.join(LISTS)}"
    home = tmp_path_factory.mktemp(f"airflow-{request.param}")
    empty = Place(request.param, home, frozenset())
    subprocess.run([sys.executable, "-m", "venv", empty.venv], check=True)
    empty.do(UV, "pip", "install", "-q", "--compile-bytecode", "-r", str(LISTS[request.param]))
    found = Place(request.param, home, empty.frozen())
    (home / "before.txt").write_text("\n".join(sorted(found.before)))
    found.do(UV, "pip", "install", "-q", "--compile-bytecode", str(wheel), "-c", "before.txt")
    library = next(found.venv.glob("lib/python3*"))
    for name in ("dags", "plugins"):
        shutil.copytree(ROOT / name, home / "airflow" / name, ignore=shutil.ignore_patterns("__pycache__"))
        (library / name).symlink_to(home / "airflow" / name)  # where the demo looks, beside its own code's folder
    return found


def test_nothing_of_that_airflow_changes(place: Place) -> None:
    """The wheel adds libraries and touches none; everything fits together."""
    assert place.before <= place.frozen()
    assert f"apache-airflow=={place.version}" in place.before
    place.do(UV, "pip", "check", "-q")


def test_dags_and_plugin_load(place: Place) -> None:
    """Airflow reads every DAG file without an error, and knows the plugin's app."""
    place.do("airflow", "db", "migrate")
    place.do("airflow", "dags", "reserialize")
    assert "No data found" in place.do("airflow", "dags", "list-import-errors")
    listed = place.do("airflow", "dags", "list", "--output", "plain")
    assert all(name in listed for name in DAGS)
    assert "recording_archive" in place.do("airflow", "plugins")


def test_the_whole_demo(place: Place) -> None:
    """It archives three days, reports, and verifies every file."""
    ports = {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    printed = place.do(
        "python", "-m", "genesys_sandbox.demo", timeout_s=900, EXIT="1", DEMO_HOME=str(place.home / "demo"), **ports
    )
    assert "successful: 60" in printed
    assert "60 recordings verified, 0 bad" in printed


def test_runs_and_approvals(place: Place) -> None:
    """The tests of these in this repository pass there: what is planned, asked, answered, purged and refused."""
    lock = (ROOT / "requirements-dev.lock").read_text()
    pins = [re.search(rf"^{name}==\S+", lock, re.MULTILINE) for name in TOOLS]
    place.do(UV, "pip", "install", "-q", *(pin.group() for pin in pins if pin), "-c", "before.txt")
    chosen = str(ROOT / "tests/dag/test_enforce_retention.py")
    printed = place.do(
        *("python", "-m", "pytest", "-v", "-x", "-p", "no:cacheprovider", "-m", "not browser", chosen), timeout_s=1500
    )
    assert " passed" in printed
