"""The demo's own parts without an Airflow: what it writes and prints; `make test-versions` runs it whole."""

from __future__ import annotations

import shlex
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from genesys_sandbox.demo.people import show_commands, write_env
from genesys_sandbox.demo.stand_in import started


def test_the_env_file_is_for_a_shell(tmp_path: Path) -> None:
    """Values arrive as they are, commands are found, and nobody else may read it."""
    strange = """it's {"a": "$HOME `id`"}"""
    given = {
        "RECORDING_ARCHIVE_URL": strange,
        "AIRFLOW_HOME": "/a b",
        "SECRET": "s",
        "PATH": "/opt/demo's/bin:/usr/bin",
    }
    file = tmp_path / "env"
    write_env(file, given)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    asked = (
        f'source {shlex.quote(str(file))}; printf "%s\\n" "$RECORDING_ARCHIVE_URL" "$AIRFLOW_HOME" "$SECRET" "$PATH"'
    )
    told = subprocess.run(
        ["bash", "-c", asked], env={"PATH": "/bin:/usr/bin"}, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == [strange, "/a b", "", "/opt/demo's/bin:/bin:/usr/bin"]


def test_commands_are_printed_as_they_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is named from the folder in which the demo was started, when it lies below it."""
    monkeypatch.chdir(tmp_path)
    show_commands(tmp_path / "my demo" / "env", ["recording-archive check"])
    assert capsys.readouterr().out.splitlines()[-2:] == ["  source 'my demo/env'", "  recording-archive check"]


def test_a_sandbox_that_does_not_start_is_told(tmp_path: Path) -> None:
    """With its exit code; nothing is left running."""
    with (
        pytest.raises(RuntimeError, match="The sandbox ended with exit code 2"),
        started(tmp_path, 0, days=0, media_dir=None),
    ):
        pass


def test_ctrl_c_before_anything_is_up_ends_in_order(tmp_path: Path) -> None:
    """It says at once that it stops, and ends what it had started; exit code 130."""
    command = [sys.executable, "-c", "from recording_archive.cli import main; main()", "demo", "--home", str(tmp_path)]
    with subprocess.Popen([*command, "--port", "0", "--sandbox-port", "0"], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        assert demo.stdout.readline().startswith("Sandbox:")
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
    assert rest.splitlines()[-2:] == ["Stopping…", "Stopped Airflow and the sandbox."]
    assert demo.returncode == 130
