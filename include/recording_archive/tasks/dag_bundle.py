"""The DAGs that came with the package, as a bundle for Airflow's `dag_bundle_config_list`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.local import LocalDagBundle

PACKAGE = Path(__file__).parents[1]


class DagBundle(LocalDagBundle):
    """The folder of the DAG files: beside the package's other code, or `dags/` of the source tree that is installed."""

    def __init__(self, **options: Any) -> None:
        """Take Airflow's own options of a bundle; there is nothing to choose."""
        packaged = PACKAGE / "dags"
        super().__init__(path=str(packaged if packaged.is_dir() else PACKAGE.parents[1] / "dags"), **options)
