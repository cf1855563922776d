"""The demo as a whole, from the free ports to the last word."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genesys_sandbox.airflow import Airflow, free_port
from genesys_sandbox.demo import story
from genesys_sandbox.demo.people import PAGES, USERS, show_commands, show_links, show_logins, write_env
from genesys_sandbox.demo.screen import command, console, follow
from genesys_sandbox.demo.stand_in import CONNECTION, StandIn, started

DAG = "archive_recordings"
DAYS = 3


@dataclass(frozen=True)
class Demo:
    """A sandbox and an Airflow below ``home``.

    ``full`` also shows what goes wrong and what is decided; with ``leave`` both end with the report.
    """

    home: Path
    port: int
    sandbox_port: int
    media_dir: Path | None = None
    full: bool = False
    leave: bool = False

    def run(self) -> int:
        """Return 0 when all went as told, 1 when not, 2 when port or folder are taken, 130 when stopped early."""
        try:
            port, sandbox_port = free_port(self.port), free_port(self.sandbox_port)
        except RuntimeError as error:
            console.print(f"[red]{error}[/]: choose a free one by --port (Airflow) or --sandbox-port (sandbox)")
            return 2
        if self.full and (self.home / "archive").exists():
            console.print(
                f"[red]{self.home} has an archive[/]: --full begins with none; choose another folder by --home"
            )
            return 2
        self.home.mkdir(parents=True, exist_ok=True)
        days = DAYS + story.DAYS if self.full else DAYS
        with ExitStack() as started_here:
            started_here.callback(console.print, "Stopped Airflow and the sandbox.")
            with _stoppable():
                try:
                    sandbox = started_here.enter_context(
                        started(self.home / "sandbox", sandbox_port, days=days, media_dir=self.media_dir)
                    )
                    settings = self._settings(sandbox.connection)
                    airflow = started_here.enter_context(
                        Airflow(self.home / "airflow", port=port, environment=settings, users=USERS)
                    )
                    return self._demonstrate(airflow, sandbox)
                except RuntimeError as error:
                    console.print(f"[red]{error}[/]")
                    return 1
                except KeyboardInterrupt:
                    return 130

    def _settings(self, connection: str) -> dict[str, str]:
        return {
            CONNECTION: connection,
            "RECORDING_ARCHIVE_URL": str(self.home / "archive"),
            "RECORDING_ARCHIVE_BATCH_PARTS": "15",  # several batches, so that the mapped tasks can be seen
            "RECORDING_ARCHIVE_MAX_ACTIVE_RUNS": "1",  # the scheduled run of yesterday waits for the triggered one
            "RECORDING_ARCHIVE_DRILL": "true",  # a plan may look ahead: nothing here is 90 days old
        }

    def _demonstrate(self, airflow: Airflow, sandbox: StandIn) -> int:
        write_env(self.home / "env", airflow.environment)
        with console.status("Airflow starts") as status:
            airflow.start(status.update)
            airflow.await_dag(DAG, status.update)
        run_id = f"demo_{datetime.now(UTC):%Y%m%dT%H%M%S}"
        today = datetime.now(UTC).date()
        conf = {"startDate": str(today - timedelta(days=DAYS)), "endDate": str(today - timedelta(days=1))}
        console.print(f"Triggered {DAG} as {run_id} with {json.dumps(conf)}")
        airflow.trigger(DAG, run_id, conf, run_after=today - timedelta(days=DAYS))  # before what the schedule begins
        airflow.unpause(DAG)
        state = follow(airflow, DAG, run_id)
        as_expected = [
            state == "success",
            command(airflow, "report", run_id) == 0,
            command(airflow, "verify", "--all") == 0,
        ]
        links = story.tell(airflow, sandbox, self.home / "archive", today - timedelta(days=DAYS)) if self.full else []
        console.print(f"\nRun {run_id}: [bold]{state}[/]")
        show_logins(airflow)
        console.print("\nThen look at")
        show_links(airflow, [*PAGES, *links])
        shown = sandbox.recordings(today - timedelta(days=1))[:1]
        show_commands(
            self.home / "env",
            [
                f"recording-archive {line}"
                for line in (f"report {run_id}", *(f"show {each}" for each in shown), "check")
            ],
        )
        if not self.leave:
            console.print("\nPress Ctrl-C to stop everything this started.")
            _wait_for_ctrl_c()
        return 0 if all(as_expected) else 1


@contextmanager
def _stoppable() -> Iterator[None]:
    """Make SIGTERM count as Ctrl-C, and Ctrl-C count where a shell in the background had it ignored.

    Afterwards say so at once, and let nothing disturb the end.
    """
    stop = signal.default_int_handler
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        console.print("Stopping…")


def _wait_for_ctrl_c() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
