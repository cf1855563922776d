"""Failure and decision, shown on the demo's own recordings: `recording-archive demo --full`."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from genesys_sandbox.airflow import USER, Airflow
from genesys_sandbox.demo.people import MANAGER, Link
from genesys_sandbox.demo.screen import answer, command, console, follow
from genesys_sandbox.demo.stand_in import StandIn

DAYS = 1
"""Days of recordings that the story needs before those of the demo."""
_ARCHIVE, _RETENTION = "archive_recordings", "enforce_retention"
_KEPT_DAYS = 90  # the default policy
_ASKED_S = 300
_WAITS = {"awaiting_input", "deferred"}  # the latter before Airflow 3.3


def tell(airflow: Airflow, sandbox: StandIn, archive: Path, first: date) -> list[Link]:
    """Tell it about recordings of the day ``first`` and the day before; return where each part is to be seen.

    Raises RuntimeError when something is not as it is told.
    """
    there, before = sandbox.recordings(first), sandbox.recordings(first - timedelta(days=1))
    _require(len(there) > 3 and bool(before), f"{first} needs four recordings, and the day before one: give more media")
    damaged, held, erased, *_ = there
    failed, *_ = before
    return [
        _fail(airflow, sandbox, first - timedelta(days=1), failed),
        _damage(airflow, archive, damaged),
        _hold(airflow, held),
        *_erase_and_plan(airflow, archive, first, erased),
    ]


def _fail(airflow: Airflow, sandbox: StandIn, day: date, interaction: str) -> Link:
    _title("A recording that cannot be fetched: its run is red, and names it")
    sandbox.refuse(interaction)
    run_id = f"demo_failing_{datetime.now(UTC):%Y%m%dT%H%M%S}"
    airflow.trigger(_ARCHIVE, run_id, {"startDate": str(day), "endDate": str(day)}, run_after=day)
    _require(follow(airflow, _ARCHIVE, run_id) == "failed", f"run {run_id} did not fail")
    command(airflow, "report", run_id)
    return Link("the failed recording", "archive/failures")


def _damage(airflow: Airflow, archive: Path, interaction: str) -> Link:
    _title("A damaged recording: one bit of its file is turned")
    (file,) = [each for each in archive.glob(f"recordings/**/*{interaction}*") if each.suffix == ".gz"]
    file.chmod(file.stat().st_mode | stat.S_IWUSR)
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        (byte,) = opened.read(1)
        opened.seek(-1, 1)
        opened.write(bytes([byte ^ 1]))
    _require(command(airflow, "verify", interaction) == 1, f"{file} is damaged, and verify did not see it")
    console.print("verify_archive repairs it from the source, while that has it: trigger it in Airflow")
    return Link("the damaged recording", f"archive/why?id={interaction}")


def _hold(airflow: Airflow, interaction: str) -> Link:
    _title("A legal hold: whatever its age, it stays")
    made = answer(airflow, *_options("hold create", matter="Smith v. Acme", reason="letter of 3 March", id=interaction))
    return Link("the hold", f"archive/holds/{_found(r'Hold (H-[0-9a-f-]+)', made)}")


def _erase_and_plan(airflow: Airflow, archive: Path, day: date, interaction: str) -> Sequence[Link]:
    _title("An erasure: one person asks, another approves, the next run carries it out")
    asked = answer(airflow, *_options("erase", id=interaction, reason="request 2026-118"), "--yes")
    request, plan = _found(r"request: (\S+)", asked), _found(r"plan: ([0-9a-f]{64})", asked)
    airflow.call("POST", f"/retention/runs/{request}/approve", {"plan": plan}, api="archive/api", user=MANAGER)
    console.print(f"Approved by {MANAGER}, as the page does it")
    _title(f"A plan: all of {day} would be {_KEPT_DAYS} days old. The first quarantine waits for a person")
    as_of = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=_KEPT_DAYS + 1)
    run_id = f"demo_plan_{datetime.now(UTC):%Y%m%dT%H%M%S}"
    airflow.await_dag(_RETENTION)
    airflow.trigger(_RETENTION, run_id, {"as_of": as_of.isoformat()}, run_after=day)
    airflow.unpause(_RETENTION)
    with console.status(f"{_RETENTION} erases, and plans"):
        _await_question(airflow, run_id)
    console.print(f"{run_id} waits: {MANAGER} may approve or reject it; {USER}, who started it, may not")
    certificate = _certificate(archive)
    return (
        Link("the erasure", f"archive/retention/runs/{request}"),
        Link("its certificate", f"archive/certificates/{certificate}"),
        Link("the plan", f"archive/retention/runs/{run_id}"),
        Link("its approval", f"dags/{_RETENTION}/runs/{run_id}/required_actions"),
    )


def _await_question(airflow: Airflow, run_id: str) -> None:
    deadline = time.monotonic() + _ASKED_S
    while time.monotonic() < deadline:
        states = {task["task_id"]: task["state"] for task in airflow.tasks(_RETENTION, run_id)}
        if states.get("approve_plan") in _WAITS:
            return
        _require(airflow.run_state(_RETENTION, run_id) != "failed", f"run {run_id} of {_RETENTION} failed")
        time.sleep(0.5)
    raise RuntimeError(f"Run {run_id} of {_RETENTION} asked nobody within {_ASKED_S} s")


def _certificate(archive: Path) -> str:
    newest = max(archive.glob("certificates/*.json"), key=lambda file: file.stat().st_mtime, default=None)
    if newest is None:
        raise RuntimeError("The erasure left no certificate")
    return newest.stem


def _options(name: str, **options: str) -> list[str]:
    return [*name.split(), *(word for option, value in options.items() for word in (f"--{option}", value))]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"The command printed no {pattern}")
    return match.group(1)


def _require(true: bool, otherwise: str) -> None:
    if not true:
        raise RuntimeError(otherwise)


def _title(text: str) -> None:
    console.print(f"\n[bold cyan]{text}[/]", highlight=False)
