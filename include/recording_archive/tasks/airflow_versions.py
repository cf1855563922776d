"""Names of Airflow that moved or came between 3.1 and 3.3, for DAG files and tasks.

    3.1   exceptions and configuration lie outside of `airflow.sdk`, and so do timetables
    3.2   a task that waits for a person is deferred to the triggerer
    3.3   it is parked by the scheduler; a task has a policy that says which errors are tried again

Asks Airflow what it has, never which version it is: the standard provider is updated apart from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

try:
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, TaskDeferred
except ImportError:  # 3.1
    from airflow.configuration import conf
    from airflow.exceptions import (  # type: ignore[attr-defined,no-redef]
        AirflowFailException,
        AirflowNotFoundException,
        TaskDeferred,
    )
try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:  # 3.1
    from airflow.timetables.interval import CronDataIntervalTimetable  # type: ignore[assignment]
try:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

    _HAS_POLICIES = True
except ImportError:  # 3.1 and 3.2
    _HAS_POLICIES = False
try:
    from airflow.sdk.exceptions import TaskAwaitingInput
except ImportError:  # 3.1 and 3.2
    TaskAwaitingInput = TaskDeferred  # type: ignore[assignment,misc]

__all__ = [
    "WAITS_FOR_A_PERSON",
    "AirflowFailException",
    "AirflowNotFoundException",
    "CronDataIntervalTimetable",
    "answer_within",
    "conf",
    "deadline",
    "final",
    "never_retried",
    "retry_policy",
    "stats",
]

WAITS_FOR_A_PERSON = (TaskAwaitingInput, TaskDeferred)
"""Exceptions of an approval operator that has put its question; each carries `kwargs` for the answer."""


def never_retried(error: type[Exception], reason: str) -> list[Any]:
    """Make the rules of a retry policy that end a task at ``error``; none where Airflow knows no policies."""
    return [RetryRule(error, action=RetryAction.FAIL, reason=reason)] if _HAS_POLICIES else []


def retry_policy(*rules: Any) -> dict[str, Any]:
    """Return the argument of a task that puts ``rules`` to work, where Airflow knows policies: else `final` does."""
    return {"retry_policy": ExceptionRetryPolicy(list(rules))} if _HAS_POLICIES else {}


@contextmanager
def final(*errors: type[Exception]) -> Iterator[None]:
    """Turn ``errors`` into the one that Airflow never tries again, where it knows no retry policies."""
    try:
        yield
    except errors as error:
        if _HAS_POLICIES:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def answer_within(limit: timedelta) -> dict[str, Any]:
    """Return the argument that limits how long an approval waits; older operators read the task's own time limit."""
    from airflow.providers.standard.operators.hitl import HITLOperator  # noqa: PLC0415 - for one DAG of three

    known = inspect.signature(HITLOperator.__init__).parameters
    return {"response_timeout" if "response_timeout" in known else "execution_timeout": limit}


def stats() -> Any:
    """Return what sends metrics: an object with `incr` and `gauge`."""
    try:
        from airflow.sdk.observability import stats as found  # noqa: PLC0415 - for the last task of a run alone
    except ImportError:  # 3.1
        from airflow import stats as found  # type: ignore[no-redef] # noqa: PLC0415
    return found if hasattr(found, "gauge") else found.Stats


def deadline(limit: timedelta, tell: Callable[..., Any]) -> Any:
    """Make what lets a triggerer call the coroutine ``tell`` when a run is not over ``limit`` after it was queued."""
    from airflow.sdk.definitions.deadline import (  # type: ignore[attr-defined] # noqa: PLC0415 - where it is asked for
        AsyncCallback,  # defined there in 3.1, and imported there later
        DeadlineAlert,
        DeadlineReference,
    )

    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, limit, AsyncCallback(tell))
