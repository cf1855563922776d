"""Expected failures: what is wrong with a run is a sentence for people, so its log shows no traceback."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any, NoReturn

import structlog

from recording_archive.errors import ArchiveError
from recording_archive.tasks.airflow_versions import AirflowFailException

_EXPECTED = (ArchiveError, AirflowFailException)


def fail(message: str) -> NoReturn:
    """Fail the current task for good, with ``message`` alone in its log."""
    hide_tracebacks()
    raise AirflowFailException(message)


def hide_tracebacks() -> None:
    """Log errors of the archive, which say what to do, without a traceback in this process; all others keep theirs.

    Airflow logs what ends a task with its traceback, and has no setting for that.
    """
    processors = structlog.get_config()["processors"]
    if _hide not in processors:
        processors.insert(0, _hide)  # loggers that have logged before keep the list


def _hide(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the words of an expected error in place of its traceback."""
    error = event.get("exc_info")
    error = error[1] if isinstance(error, tuple) else sys.exc_info()[1] if error is True else error
    if isinstance(error, _EXPECTED):
        del event["exc_info"]
        event["event"] = f"{event.get('event', '')}: {error}"
    return event
