"""Failures that are expected, in the log of a task; `tests/dag` reads such a log of a real run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from recording_archive.errors import PermanentError
from recording_archive.tasks.airflow_versions import AirflowFailException
from recording_archive.tasks.expected import fail, hide_tracebacks


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    """What is logged, as events before they are rendered."""
    found = list[dict[str, object]]()

    def keep(_logger: object, _method: str, event: dict[str, object]) -> str:
        found.append(dict(event))
        return ""

    before = structlog.get_config()
    structlog.configure(
        processors=[keep], logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=True
    )
    try:
        yield found
    finally:
        structlog.configure(**before)


def test_an_error_of_the_archive_is_its_words_alone(lines: list[dict[str, object]]) -> None:
    """Also for a logger that has logged before, as Airflow's own has."""
    log = structlog.get_logger("task")
    log = log.bind()
    log.info("begun")
    hide_tracebacks()
    hide_tracebacks()
    for error in (PermanentError("the disk is not ours"), AirflowFailException("2 of 60 failed"), KeyError("surprise")):
        log.error("Task failed with exception", exc_info=error)
    try:
        fail("the reason")
    except AirflowFailException:
        log.exception("Task failed with exception")
    assert [line["event"] for line in lines] == [
        "begun",
        "Task failed with exception: the disk is not ours",
        "Task failed with exception: 2 of 60 failed",
        "Task failed with exception",
        "Task failed with exception: the reason",
    ]
    assert ["exc_info" in line for line in lines] == [False, False, False, True, False]
