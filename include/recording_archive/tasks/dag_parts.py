"""Parts that the DAG files share: retries, fields of the trigger form, the id of the run.

Loaded whenever Airflow reads a DAG file, so nothing slow is imported here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from airflow.sdk import Param, get_current_context

from recording_archive.errors import PermanentError
from recording_archive.settings import Settings
from recording_archive.tasks import airflow_versions

ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_MOMENT = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?$"


def default_args(settings: Settings, *rules: Any) -> dict[str, Any]:
    """Return owner, retries and time limit of every task.

    Nothing that a retry cannot help is tried again, nor what the further ``rules`` name.
    """
    permanent = airflow_versions.never_retried(PermanentError, "a retry cannot help")
    return {
        "owner": "recording-archive",
        "retries": 3,
        "retry_delay": timedelta(seconds=settings.task_retry_delay_s),
        "execution_timeout": timedelta(hours=settings.task_timeout_hours),
        **airflow_versions.retry_policy(*permanent, *rules),
    }


def described(text: str | None) -> dict[str, Any]:
    """Return the arguments of a DAG that describe it: the first line of ``text``, and all of it as Markdown."""
    whole = text or ""
    return {"description": whole.partition("\n")[0], "doc_md": whole}


def long_timeout(settings: Settings) -> timedelta:
    """Return the time limit of a task that reads the whole archive: millions of files in a bucket take days."""
    return 14 * timedelta(hours=settings.task_timeout_hours)


def list_param(pattern: str, *, title: str, description: str, **more: Any) -> Param:
    """Make a field of the trigger form that takes one text, a comma list or a JSON array."""
    return Param(
        None,
        type=["null", "string", "array"],
        pattern=rf"^\s*{pattern}(\s*,\s*{pattern})*\s*$",
        items={"type": "string", "pattern": f"^{pattern}$"},
        title=title,
        description=description,
        **more,
    )


def moment_param(*, title: str, description: str) -> Param:
    """Make a field of the trigger form that takes a date or a date-time."""
    return Param(None, type=["null", "string"], pattern=_MOMENT, title=title, description=description)


def run_id() -> str:
    """Return the id of the DAG run that the current task belongs to."""
    return str(get_current_context()["dag_run"].run_id)


def page_link(page: str) -> str | None:
    """Return the address of a page of the archive, such as ``runs/ID``, where Airflow knows its own address."""
    base: str = airflow_versions.conf.get("api", "base_url", fallback="") or ""
    return f"{base.rstrip('/')}/archive/{quote(page)}" if base else None
