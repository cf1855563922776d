"""What older versions of Airflow lack, as this one would behave without it: `make test-versions` has them in truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[1] / "programs" / "older_airflow.py"


def told(home: Path, *without: str) -> dict[str, Any]:
    """Ask the program, with an Airflow that lacks these names."""
    done = subprocess.run(
        [sys.executable, PROGRAM, *without],
        env=os.environ | {"AIRFLOW_HOME": str(home), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The Airflow that is installed."""
    found = told(tmp_path_factory.mktemp("today"))
    if "rules" not in found:
        pytest.skip("this Airflow is one of the older ones itself")
    return found


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An Airflow without retry policies, without a parked approval, and with everything at its old place."""
    return told(
        tmp_path_factory.mktemp("older"),
        "airflow.sdk:ExceptionRetryPolicy",
        "airflow.sdk:CronDataIntervalTimetable",
        "airflow.sdk.exceptions:TaskAwaitingInput",
        "airflow.sdk.configuration",
        "response_timeout",
    )


def test_a_permanent_error_is_never_tried_again(today: dict[str, Any], older: dict[str, Any]) -> None:
    """By the policy where there is one, else by the error that Airflow itself knows as final."""
    assert today["rules"] == ["recording_archive.errors.PermanentError"]
    assert today["raised"] == "PermanentError: the disk is not ours"
    assert "rules" not in older
    assert older["raised"] == "AirflowFailException: PermanentError: the disk is not ours"


def test_any_other_error_is_tried_again(today: dict[str, Any], older: dict[str, Any]) -> None:
    """A fault that may pass stays what it is."""
    assert today["passing"] == older["passing"] == "TransientError: the disk is busy"


def test_an_approval_waits_as_long_everywhere(today: dict[str, Any], older: dict[str, Any]) -> None:
    """Operators before `response_timeout` take the time limit of the task for it."""
    assert today["answer"] == {"response_timeout": 3600.0}
    assert older["answer"] == {"execution_timeout": 3600.0}


def test_a_question_is_recognised_when_it_is_put(today: dict[str, Any], older: dict[str, Any]) -> None:
    """Either way the answer is tied to the plan by what the exception carries."""
    assert today["waits"] == ["TaskAwaitingInput", "TaskDeferred"]
    assert older["waits"] == ["TaskDeferred", "TaskDeferred"]


def test_names_are_found_at_either_place(today: dict[str, Any], older: dict[str, Any]) -> None:
    """The days of a schedule are intervals with both."""
    assert today["timetable"] == older["timetable"] == "CronDataIntervalTimetable"
    assert today["conf"] != older["conf"]
