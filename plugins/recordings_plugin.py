"""Registers the recording archive's pages and REST API with Airflow; nothing else lives in this folder."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from recording_archive.tasks import run_note
from recording_archive.web.deferred import DeferredApp


class RecordingsPlugin(AirflowPlugin):
    """The app at ``/archive``, a page in the navigation, a tab on DAG runs, and the notes of runs."""

    name = "recordings"
    listeners = [run_note]  # noqa: RUF012 - Airflow's declaration
    fastapi_apps = [  # noqa: RUF012 - Airflow's declaration
        {"app": DeferredApp(), "url_prefix": "/archive", "name": "Recordings"}
    ]
    external_views = [  # noqa: RUF012 - Airflow's declaration
        {
            "name": "Recordings",
            "href": "archive/",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "recordings",
            "icon": "archive/static/icon.svg",
            "icon_dark_mode": "archive/static/icon-dark.svg",
        },
        {
            "name": "Compliance report",
            "href": "archive/runs/by-airflow?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "compliance-report",
            "icon": "archive/static/icon.svg",
            "icon_dark_mode": "archive/static/icon-dark.svg",
        },
    ]
