"""Alerts by a notifier of Airflow; `tests/dag` sends them from real runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recording_archive.errors import PermanentError
from recording_archive.settings import Settings
from recording_archive.tasks import alerts
from recording_archive.tasks.airflow_versions import conf

HTTP = "airflow.providers.http.notifications.http.HttpNotifier"


def failed(**more: Any) -> dict[str, Any]:
    """The context of a task that failed."""
    ti = SimpleNamespace(dag_id="archive_recordings", run_id="manual__2026-11-28T08:00:00+00:00")
    return {"ti": ti, "task": SimpleNamespace(), **more}


def test_without_the_setting_nobody_is_told() -> None:
    """No callback, no deadline."""
    assert alerts.notifiers(Settings()) == []
    assert alerts.late(Settings(alert_late_hours=3)) == {}
    assert alerts.late(Settings(alert_notifier=HTTP)) == {}


def test_a_run_is_late_after_the_hours_of_the_setting_and_of_an_approval() -> None:
    """The deadline counts from when the run was queued, and leaves time for a person's answer."""
    deadline = alerts.late(Settings(alert_notifier=HTTP, alert_late_hours=3), waits_hours=24)["deadline"]
    assert deadline.interval.total_seconds() == 27 * 3600
    assert deadline.callback.path == "recording_archive.tasks.alerts.tell_late"


def test_the_sentence_says_what_failed_why_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the link where Airflow knows its own address; a run's id is a value in it."""
    said = alerts.sentence(failed(exception=ValueError("2 of 60 recordings failed")))
    assert said == ("archive_recordings: run manual__2026-11-28T08:00:00+00:00 failed: 2 of 60 recordings failed"), (
        conf.get("api", "base_url", fallback=None)
    )
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
    link = "https://airflow.example/archive/runs/by-airflow?dag_id=archive_recordings&run_id=manual__2026-11-28T08"
    assert alerts.sentence(failed()).endswith(f" failed: its log says why {link}%3A00%3A00%2B00%3A00")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alert_notifier": "no.such.Notifier"}, "'no.such.Notifier' cannot be loaded"),
        ({"alert_notifier": "airflow.providers.http.notifications.http.Gone"}, "cannot be loaded"),
        ({"alert_notifier": HTTP, "alert_arguments": '{"verb": "POST"}'}, "ARGUMENTS do not fit"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(given: dict[str, Any], words: str) -> None:
    """By `recording-archive check`, before the first alert is lost."""
    with pytest.raises(PermanentError, match=words):
        alerts.describe(Settings(**given))


def test_check_says_who_would_be_told(tmp_path: Path) -> None:
    """The notifier, and when a run is late."""
    assert alerts.describe(Settings()).startswith("none")
    given = Settings(url=str(tmp_path), alert_notifier=HTTP, alert_late_hours=6)
    assert alerts.describe(given) == "HttpNotifier, late after 6 hours"
