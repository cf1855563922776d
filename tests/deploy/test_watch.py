"""`watch` on real processes: what hangs ends, with all that it started, and nothing else does."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WATCH = [sys.executable, "-m", "recording_archive.watch"]
SOON = ["--every", "0.2", "--failures", "3"]


def watched(check: str, script: str) -> int:
    """Watch a shell script; the exit status."""
    return subprocess.run([*WATCH, *SOON, check, "sh", "-c", script], timeout=30, check=False).returncode


def test_the_exit_status_is_the_commands() -> None:
    """An engine sees how the component ended, as if nothing stood between."""
    assert watched("true", "exit 3") == 3


@pytest.mark.parametrize("check", ["false", "sleep 60", "/no/such/program"])
def test_what_hangs_is_killed_with_all_it_started(check: str, tmp_path: Path) -> None:
    """Failed, unanswered and impossible checks count alike; no child of the component survives to do harm."""
    beats = tmp_path / "beats"
    assert watched(check, f"(while :; do echo beat >> {beats}; sleep 0.1; done) & wait") != 0
    before = beats.stat().st_size
    time.sleep(0.5)
    assert beats.stat().st_size == before > 0


def test_a_check_that_fails_now_and_then_kills_nobody(tmp_path: Path) -> None:
    """Only failures in a row mean dead: every third check here passes."""
    check = tmp_path / "check.sh"
    check.write_text(f"echo x >> {tmp_path}/asked; test $(($(wc -l < {tmp_path}/asked) % 3)) = 0")
    assert watched(f"sh {check}", "sleep 3; exit 5") == 5
    assert len((tmp_path / "asked").read_text().split()) > 3


def test_a_stop_reaches_the_command() -> None:
    """What an engine sends to end a container arrives at the component, which ends in its own way."""
    script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen([*WATCH, "true", "sh", "-c", script], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 7


def test_a_stop_during_the_start_reaches_the_command() -> None:
    """A command that is stopped as soon as it runs ends too: no component is left behind without its watcher."""
    script = "trap 'exit 7' TERM; kill -TERM $PPID; while :; do sleep 0.1; done"
    assert [watched("true", script) for _ in range(10)] == [7] * 10
