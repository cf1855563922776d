"""Files for those who work on the project on GitHub: they parse, and run what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FILES = sorted([*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml"])


def read(path: Path) -> dict[str, Any]:
    """The document of a YAML file."""
    told = yaml.safe_load(path.read_text())
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_parses(path: Path) -> None:
    """A file that GitHub cannot read does nothing, and says so nowhere."""
    assert read(path)


def test_the_workflow_runs_the_gate_and_the_rest_of_the_versions() -> None:
    """Every step is a script or a target that is here; the versions of Airflow are those that the gate leaves out."""
    jobs = read(ROOT / ".github/workflows/ci.yml")["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert ".ci/run" in commands
    assert {command.split()[1] for command in commands if command.startswith("make ")} <= TARGETS
    assert all(command == ".ci/run" or command.startswith("make ") for command in commands)
    lists = {path.stem.removeprefix("airflow-") for path in (ROOT / "tests/versions").glob("airflow-*.txt")}
    (here,) = re.findall(r'VERSIONS="([^"]*)"', (ROOT / ".ci/run").read_text())
    assert {*jobs["airflow"]["strategy"]["matrix"]["airflow"], *here.split()} == lists


def test_hooks_before_a_commit_are_those_of_lint() -> None:
    """What passes before a commit passes in the gate."""
    hooks = [hook["entry"] for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert {entry.split()[0].rpartition("/")[2] for entry in hooks} == set(re.findall(r"\$\(BIN\)/(\S+)", lint))


def test_the_bill_of_materials_has_every_package(tmp_path: Path) -> None:
    """`make sbom` lists what the lock installs, each with a hash."""
    made = tmp_path / "sbom.json"
    program = str(Path(sys.executable).with_name("cyclonedx-py"))
    command = [program, "requirements", "--pyproject", "pyproject.toml", "-o", str(made), "requirements.lock"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    components = json.loads(made.read_text())["components"]
    locked = re.findall(r"^([a-z0-9][^=\s]*)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert {each["name"] for each in components} == set(locked)
    assert all(reference["hashes"] for each in components for reference in each["externalReferences"][:1])


def test_the_changelog_is_kept_as_such() -> None:
    """Versions with dates, the newest first and that of the package; changes by kind (keepachangelog.com)."""
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(\S+)\] - (unreleased|\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert [version for version, _ in headings] == ["0.2.0", "0.1.0"]
    assert f'version = "{headings[0][0]}"' in (ROOT / "pyproject.toml").read_text()
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(headings)
    assert set(re.findall(r"^### (.*)", text, re.MULTILINE)) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed"}
