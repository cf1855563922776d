"""Prints what `tasks.airflow_versions` makes of an Airflow that lacks names: ``older_airflow.py MODULE[:NAME] …``."""

# ruff: noqa: PLC0415 - Airflow is changed before it is used

import inspect
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any


def take_away(what: str) -> None:
    """Make ``from MODULE import NAME``, or the import of a module, fail as in a version before it."""
    module, _, name = what.partition(":")
    if what == "response_timeout":
        from airflow.providers.standard.operators.hitl import HITLOperator

        known = inspect.signature(HITLOperator.__init__)
        less = [each for each in known.parameters.values() if each.name != what]
        HITLOperator.__init__.__signature__ = known.replace(parameters=less)
    elif not name:
        sys.modules[module] = None  # type: ignore[assignment]
    else:
        __import__(module)
        found = sys.modules[module]
        vars(found).pop(name, None)
        vars(found).get("__lazy_imports", {}).pop(name, None)


def raised(call: Callable[[], Any]) -> str:
    """Show the class and the text of the exception that ``call`` raises."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def main() -> None:
    """Take the names away and print the rest as JSON."""
    import airflow.providers.http.hooks.http
    import airflow.providers.standard.operators.hitl  # noqa: F401 - providers find all that they know

    for what in sys.argv[1:]:
        take_away(what)
    from recording_archive.errors import PermanentError, TransientError
    from recording_archive.settings import read_settings
    from recording_archive.tasks import airflow_versions, dag_parts

    def failing(error: Exception) -> Callable[[], None]:
        @airflow_versions.final(PermanentError)
        def fail() -> None:
            raise error

        return fail

    found: dict[str, Any] = {
        "raised": raised(failing(PermanentError("the disk is not ours"))),
        "passing": raised(failing(TransientError("the disk is busy"))),
        "waits": [each.__name__ for each in airflow_versions.WAITS_FOR_A_PERSON],
        "timetable": airflow_versions.CronDataIntervalTimetable.__name__,
        "conf": type(airflow_versions.conf).__module__,
        "answer": {k: v.total_seconds() for k, v in airflow_versions.answer_within(timedelta(hours=1)).items()},
    }
    policy = dag_parts.default_args(read_settings()).get("retry_policy")
    if policy:
        found["rules"] = [
            each if isinstance(each, str) else f"{each.__module__}.{each.__qualname__}"
            for each in (rule.exception for rule in policy.rules)
        ]
    print(json.dumps(found))


main()
