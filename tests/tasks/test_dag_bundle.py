"""Airflow finds the package's DAGs by the bundle of `recording_archive.tasks.dag_bundle`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from genesys_sandbox.airflow import BUNDLE

CODE = """
from airflow.dag_processing.bundles.manager import DagBundlesManager
manager = DagBundlesManager()
print(*sorted(file.name for file in manager.get_bundle("recordings").path.glob("*.py")))
"""


def test_the_bundle_is_the_folder_of_the_dags(tmp_path: Path) -> None:
    """Named with no option at all, it lists every DAG file."""
    configured = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE]), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | configured, cwd=tmp_path, stdout=subprocess.PIPE, check=True
    )
    names = ("archive_recordings", "enforce_retention", "export_evidence", "verify_archive")
    assert done.stdout.split()[-4:] == [f"{name}.py".encode() for name in names]
