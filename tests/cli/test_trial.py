"""`sandbox` and `demo`; `make test-versions` runs a whole demo from the wheel."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import Command

MAIN = [sys.executable, "-c", "from recording_archive.cli import main; main()"]


class TestSandbox:
    """`sandbox` hands its options on."""

    def test_it_serves_until_a_signal(self) -> None:
        """Its first lines say where it is and how Airflow connects."""
        arguments = ["sandbox", "--days", "1", "--per-day", "1", "--min-bytes", "1000", "--max-bytes", "2000"]
        with subprocess.Popen([*MAIN, *arguments], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline().startswith("Sandbox: API http://127.0.0.1:")
            assert process.stdout.readline().startswith("AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT='{")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0

    def test_wrong_options_end_with_2(self, command: Command) -> None:
        """Help and usage errors are those of the sandbox."""
        assert command("sandbox", "--days", "0").code == 2
        ended = command("sandbox", "--help")
        assert ended.code == 0
        assert "--per-day" in ended.out


class TestDemo:
    """`demo` begins with what it needs."""

    @pytest.mark.parametrize("which", ["--port", "--sandbox-port"])
    def test_a_port_that_is_taken_ends_with_2(self, command: Command, tmp_path: Path, which: str) -> None:
        """Nothing is started; the message names the port and the options."""
        ports = {"--port": "0", "--sandbox-port": "0"}
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            ports[which] = str(taken.getsockname()[1])
            options = [text for pair in ports.items() for text in pair]
            ended = command("demo", "--home", str(tmp_path / "demo"), *options)
        assert ended.code == 2
        assert f"port {ports[which]} is in use" in ended.out
        assert "--sandbox-port" in ended.out
        assert not (tmp_path / "demo").exists()

    def test_the_full_story_is_told_once(self, command: Command, tmp_path: Path) -> None:
        """Where an archive is already, nothing is started; the message names the folder and the option."""
        (tmp_path / "archive").mkdir()
        ended = command("demo", "--full", "--home", str(tmp_path), "--port", "0", "--sandbox-port", "0")
        assert ended.code == 2
        assert f"{tmp_path} has an archive" in ended.out
        assert "--home" in ended.out
