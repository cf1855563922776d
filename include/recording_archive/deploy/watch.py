"""``python -m recording_archive.watch CHECK COMMAND…``: run a command, and kill it when its health check calls it dead.

Container engines and init systems start again what ends; only Kubernetes, by its probes, what hangs. Under this program
what hangs ends. It stands in for the probe, with the numbers of Airflow's Helm chart: a check a minute, and five that
failed in a row mean dead. The exit status is that of the command.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger("watch")

ALIVE = Path(tempfile.gettempdir()) / "recording-archive-alive"
"""Touched by each check that passed, for those who look from outside (`healthcheck` in docker-compose.yaml)."""


def main() -> int:
    """Read the arguments, watch, and return the command's exit status."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=float, default=60, metavar="SECONDS", help="time between checks (60)")
    parser.add_argument("--failures", type=int, default=5, help="failed checks in a row that mean dead (5)")
    parser.add_argument("check", help="a command in one argument; it passes when it exits with 0 within --every")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    return watch(chosen.command, shlex.split(chosen.check), every_s=chosen.every, failures=chosen.failures)


def watch(command: Sequence[str], check: Sequence[str], *, every_s: float, failures: int) -> int:
    """Run ``command`` until it ends or ``check`` failed so often in a row; SIGTERM and SIGINT are handed on to it."""
    stops = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # one that arrives during the start waits for its process
    running = subprocess.Popen(  # noqa: S603 - what the deployment says
        command,
        process_group=0,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),  # noqa: PLW1509 - no thread runs yet
    )
    for number in stops:
        signal.signal(number, lambda arrived, _: running.send_signal(arrived))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    failed = 0
    while failed < failures:
        try:
            return running.wait(every_s)
        except subprocess.TimeoutExpired:
            failed = 0 if _passes(check, every_s) else failed + 1
        if failed:
            log.warning("%s: check %d of %d failed in a row", command[-1], failed, failures)
        else:
            ALIVE.touch()
    log.error("%s is dead by its health check: killed, to be started again", command[-1])
    os.killpg(running.pid, signal.SIGKILL)
    return running.wait()


def _passes(check: Sequence[str], patience_s: float) -> bool:
    """Run a check and tell if it passed in time; log what a failed one printed."""
    try:
        done = subprocess.run(  # noqa: S603 - what the deployment says
            check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=patience_s, check=False
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        log.warning("%s", error)
        return False
    if done.returncode:
        log.warning("the check says: %s", done.stdout.strip()[-300:])
    return done.returncode == 0
