"""Alerts: a sentence to people, by the notifier of Airflow that the settings name.

Sent when a run fails, when a plan waits for a person, and when a run takes too long. An alert that cannot be sent is
logged, and fails nothing.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.sdk.bases.notifier import BaseNotifier

from recording_archive.errors import PermanentError
from recording_archive.settings import Settings, read_settings
from recording_archive.tasks import airflow_versions
from recording_archive.tasks.dag_parts import page_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

TEXT = "alert"
"""Name of the sentence in the templates of the notifier's arguments."""


class AlertNotifier(BaseNotifier):
    """Makes the notifier of the settings when there is something to send, so that no DAG holds its arguments."""

    def notify(self, context: Context) -> None:
        """Send what happened to a task: it failed for good, or it waits for a person."""
        make_notifier(read_settings())({**context, TEXT: sentence(context)})


def notifiers(settings: Settings) -> list[Any]:
    """Return what the last task of a run calls when it fails: an `AlertNotifier`, if the settings name a notifier."""
    return [AlertNotifier()] if settings.alert_notifier else []


def late(settings: Settings, *, waits_hours: float = 0) -> dict[str, Any]:
    """Return the argument of a DAG that alerts when a run takes longer than the settings allow, if they do.

    ``waits_hours``: how long a run may wait for a person on top of that.
    """
    if not settings.alert_notifier or not settings.alert_late_hours:
        return {}
    limit = timedelta(hours=settings.alert_late_hours + waits_hours)
    return {"deadline": airflow_versions.deadline(limit, tell_late)}


async def tell_late(context: Mapping[str, Any] | None = None) -> None:
    """Send that a run takes too long; Airflow's triggerer calls this, with the run alone as ``context``."""
    run = (context or {}).get("dag_run") or {}
    name = f"{run.get('dag_id', 'a DAG')}: run {run.get('dag_run_id') or run.get('run_id', '')}"
    text = f"{name} is not over yet. See in Airflow what it waits for; a run that hangs can be cleared."
    notifier = make_notifier(read_settings())
    notifier.context = {**(context or {}), TEXT: text}
    await notifier


def sentence(context: Mapping[str, Any]) -> str:
    """Say in a sentence what happened to a task, and where to look."""
    ti, task, error = context["ti"], context["task"], context.get("exception")
    subject = getattr(task, "subject", "")
    what = f"failed: {error or 'its log says why'}" if error or not subject else f"waits for a person: {subject}"
    said, page = f"{ti.dag_id}: run {ti.run_id} {what}", page_link("runs/by-airflow")
    return f"{said} {page}?{urlencode({'dag_id': ti.dag_id, 'run_id': ti.run_id})}" if page else said


def describe(settings: Settings) -> str:
    """Try to make the notifier; say which it is, and when a run is late. Raise PermanentError where it cannot be."""
    if not settings.alert_notifier:
        return "none: RECORDING_ARCHIVE_ALERT_NOTIFIER is not set"
    late_after = f", late after {settings.alert_late_hours:g} hours" if settings.alert_late_hours else ""
    return f"{type(make_notifier(settings)).__name__}{late_after}"


def make_notifier(settings: Settings) -> Any:
    """Make the notifier of the settings; raise PermanentError that says what to change where that is not possible."""
    name = settings.alert_notifier
    try:
        return resolve_name(name)(**json.loads(settings.alert_arguments))
    except (ImportError, AttributeError, ValueError) as error:
        raise PermanentError(
            f"RECORDING_ARCHIVE_ALERT_NOTIFIER {name!r} cannot be loaded ({error}): install its provider, or name a "
            "class such as airflow.providers.http.notifications.http.HttpNotifier"
        ) from error
    except TypeError as error:
        raise PermanentError(f"RECORDING_ARCHIVE_ALERT_ARGUMENTS do not fit {name}: {error}") from error
