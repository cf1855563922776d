"""Send the metrics of a run as the last task of a DAG does; Airflow's settings come from the environment."""

from __future__ import annotations

import json
import sys

from airflow.sdk.observability.metrics import stats_utils
from airflow.sdk.observability.stats import initialize
from opentelemetry import metrics

from recording_archive.archive import open_archive
from recording_archive.settings import read_settings
from recording_archive.tasks.run_metrics import emit

initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
archive = open_archive(read_settings())
emit(archive, json.loads(sys.argv[1]))
archive.catalog.close()
metrics.get_meter_provider().force_flush()  # type: ignore[attr-defined]
