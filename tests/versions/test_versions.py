"""An Airflow that is there already takes the wheel alone and archives with it; one for each list beside this file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from genesys_sandbox.airflow import free_port

pytestmark = [pytest.mark.versions, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
LISTS = {path.stem.removeprefix("airflow-"): path for path in sorted(Path(__file__).parent.glob("airflow-*.txt"))}
CHOSEN = os.environ.get("VERSIONS", "").split() or list(LISTS)
TOOLS = ("hypothesis", "pytest", "pytest-timeout", "pytest-xdist")
UV = str(Path(sys.executable).with_name("uv"))
BUILT_FROM = (
    *("include", "dags", "plugins", "tests", "bench", "docs", ".ci", ".env.example", ".importlinter", ".gitignore"),
    *("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"),
    *("Makefile", "Dockerfile", "docker-compose.yaml", "requirements.txt", "requirements-dev.txt"),
)
CIRCLE = "tests/dag/test_enforce_retention.py"
PERMISSIONS = "tests/web/test_access.py"
THERE = (
    "tests/spelling",
    "tests/tasks/test_dag_bundle.py",
    "tests/cli/test_check.py::TestCheck::test_the_connection_is_airflows",
    f"{PERMISSIONS}::test_seeing_and_hearing_need_both_permissions[fab-archived]",
    f"{PERMISSIONS}::test_a_listener_sees_the_entry_in_airflows_navigation",
    f"{CIRCLE}::test_unknown_parameter_fails_the_run",
    f"{CIRCLE}::test_the_first_quarantine_asks",
    f"{CIRCLE}::test_quarantine_over_is_purged_with_certificate",
)
"""Tests run from the unpacked source distribution: a room, what differs between versions, a circle of retention."""
BUNDLES = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
DAGS = ("archive_recordings", "enforce_retention", "export_evidence", "verify_archive")


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

    @property
    def environment(self) -> dict[str, str]:
        """The environment without anything that another Airflow or archive on this machine was told."""
        prefixes = ("AIRFLOW", "RECORDING_ARCHIVE_", "GENESYS_", "PYTHONPATH")
        return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)} | {
            "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.venv),
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }

    def do(self, *command: str, timeout_s: float = 600, **more: str) -> str:
        """Run a command of the environment and return what it prints; fail with its end when it fails."""
        done = subprocess.run(  # noqa: PLW1510 - told with its output
            command,
            cwd=self.home,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def frozen(self) -> frozenset[str]:
        """Every distribution with its version."""
        return frozenset(self.do(UV, "pip", "freeze", "-q").splitlines())


@dataclass(frozen=True)
class Distributions:
    """The wheel, and the unpacked source distribution that it was built from."""

    wheel: Path
    source: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Both, from what is in the repository and nothing that was made in it."""
    home = tmp_path_factory.mktemp("built")
    source, made = home / "source", home / "made"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, source)
    subprocess.run([UV, "build", "-q", "-o", made, source], check=True)  # the wheel from the source distribution
    (packed,) = made.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(home, filter="data")
    return Distributions(next(made.glob("*.whl")), home / packed.name.removesuffix(".tar.gz"))


@pytest.fixture(scope="module", params=CHOSEN)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, built: Distributions) -> Place:
    """One Airflow, with the wheel under its own versions; nothing else of the repository."""
    assert request.param in LISTS, f"no list for Airflow {request.param}; there are {', '.join(LISTS)}"
    home = tmp_path_factory.mktemp(f"airflow-{request.param}")
    empty = Place(request.param, home, frozenset())
    subprocess.run([sys.executable, "-m", "venv", empty.venv], check=True)
    empty.do(UV, "pip", "install", "-q", "--compile-bytecode", "-r", str(LISTS[request.param]))
    found = Place(request.param, home, empty.frozen())
    (home / "before.txt").write_text("\n".join(sorted(found.before)))
    wheel = f"recording-archive[all] @ {built.wheel.as_uri()}"
    found.do(UV, "pip", "install", "-q", "--compile-bytecode", wheel, "-c", "before.txt")
    return found


def test_nothing_of_that_airflow_changes(place: Place) -> None:
    """The wheel adds libraries and touches none; everything fits together."""
    assert place.before <= place.frozen()
    assert f"apache-airflow=={place.version}" in place.before
    place.do(UV, "pip", "check", "-q")


def test_dags_and_plugin_load(place: Place) -> None:
    """By the line that docs/deployment.md gives, Airflow reads every DAG file without an error; the plugin is there."""
    line = re.search(rf"^{BUNDLES}='(.*)'$", (ROOT / "docs/deployment.md").read_text(), re.MULTILINE)
    assert line
    given = {BUNDLES: line.group(1)}
    place.do("airflow", "db", "migrate", **given)
    place.do("airflow", "dags", "reserialize", **given)
    assert "No data found" in place.do("airflow", "dags", "list-import-errors", **given)
    listed = place.do("airflow", "dags", "list", "--output", "plain", **given)
    assert all(name in listed for name in DAGS)
    assert "recording_archive" in place.do("airflow", "plugins", **given)
    assert re.fullmatch(r"recording-archive \d+\.\d+\.\d+\n", place.do("recording-archive", "--version"))


def test_the_whole_demo(place: Place) -> None:
    """What it tells happens; what it prints opens, signs in and runs; Ctrl-C ends it in order."""
    ports = ("--port", str(free_port()), "--sandbox-port", str(free_port()))
    with started(place, "recording-archive", "demo", "--full", *ports) as demo:
        printed = until_line(demo, "Press Ctrl-C")
        assert "successful: 60" in printed
        assert "60 recordings verified, 0 bad" in printed
        assert "1 of 20 recordings failed" in printed
        assert "1 recordings verified, 1 bad" in printed
        _open_what_is_printed(printed)
        commands = re.search(r"In another terminal, in this folder\n((?:  .+\n)+)", printed)
        assert commands
        place.do("bash", "-euc", commands.group(1))
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=120)
    assert rest.split("\n")[-3:] == ["Stopping…", "Stopped Airflow and the sandbox.", ""]
    assert demo.returncode == 0


def _open_what_is_printed(printed: str) -> None:
    """Sign in as each of the three, and open every page; the manager approves the plan, the listener may not decide."""
    (url,) = re.findall(r"Sign in at (http://\S+)", printed)
    pages = dict(re.findall(r"^  (\S[^\n]*?) {2,}(http://\S+)$", printed, re.MULTILINE))
    for name, password in re.findall(r"^  (admin|records-manager|listener) +(\S+)  ", printed, re.MULTILINE):
        reply = requests.post(f"{url}/auth/token", json={"username": name, "password": password}, timeout=60)
        headers = {"Authorization": f"Bearer {reply.json()['access_token']}", "X-Recording-Archive": "1"}
        opened = {what: requests.get(address, headers=headers, timeout=60) for what, address in pages.items()}
        assert {what: page.text for what, page in opened.items() if page.status_code != 200} == {}
        assert pages["its certificate"].rpartition("/")[2] in opened["its certificate"].text
        hold = requests.post(f"{url}/archive/api/holds", json={}, headers=headers, timeout=60)
        assert hold.status_code == (403 if name == "listener" else 400)
    assert {"the failed recording", "the damaged recording", "the hold", "the erasure", "the plan"} <= set(pages)


@contextmanager
def started(place: Place, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A command of the place that goes on; interrupted when the test is over before it."""
    process = subprocess.Popen(
        command, cwd=place.home, env=place.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)


def until_line(process: subprocess.Popen[str], wanted: str) -> str:
    """Read what a process prints up to the line that has ``wanted`` in it."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def test_the_tests_of_the_source_distribution(place: Place, built: Distributions) -> None:
    """Each of `THERE` passes: what is refused, planned, asked, answered, quarantined and purged, and who may listen."""
    lock = (ROOT / "requirements-dev.lock").read_text()
    pins = [re.search(rf"^{name}==\S+", lock, re.MULTILINE) for name in TOOLS]
    place.do(UV, "pip", "install", "-q", *(pin.group() for pin in pins if pin), "-c", "before.txt")
    chosen = [str(built.source / name) for name in THERE]
    printed = place.do(*("python", "-m", "pytest", "-v", "-x", "-p", "no:cacheprovider", *chosen), timeout_s=1200)
    assert re.search(r"\d+ passed", printed)
    assert "skipped" not in printed
