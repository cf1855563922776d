"""Metrics of a run, through Airflow's own OpenTelemetry exporter, to a collector that speaks its protocol."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from recording_archive.archive import Archive
from recording_archive.tasks import run_metrics
from support.contents import all_rows

PROGRAM = Path(__file__).parents[1] / "programs" / "send_metrics.py"


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP; keeps the last value of each metric."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.values: dict[str, float] = {}


class _Take(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sent = ExportMetricsServiceRequest()
        sent.ParseFromString(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        assert isinstance(self.server, Collector)
        for resource in sent.resource_metrics:
            for metric in (each for scope in resource.scope_metrics for each in scope.metrics):
                (point,) = (metric.gauge if metric.HasField("gauge") else metric.sum).data_points
                self.server.values[metric.name] = point.as_double or point.as_int
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def send(archive: Archive, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program with Airflow's settings in ``environment``."""
    settings = {f"RECORDING_ARCHIVE_{name.upper()}": getattr(archive.settings, name) for name in ("url", "staging_url")}
    settings |= {"RECORDING_ARCHIVE_CATALOG_URL": archive.settings.catalog_url, "AIRFLOW_HOME": str(home)}
    counts = json.dumps({"successful": 6, "failed": 1, "healedMismatches": 2, "bytesStored": 4096, "asked": 7})
    return subprocess.run(
        [sys.executable, PROGRAM, counts],
        env=os.environ | settings | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def test_a_collector_gets_what_the_run_did_and_how_the_archive_stands(
    archived: Archive, collector: Collector, tmp_path: Path
) -> None:
    """Counts of the report as counters, the figures as gauges, below the prefix that Airflow's setting gives."""
    send(
        archived,
        tmp_path,
        AIRFLOW__METRICS__OTEL_ON="True",
        AIRFLOW__METRICS__OTEL_HOST="127.0.0.1",
        AIRFLOW__METRICS__OTEL_PORT=str(collector.server_port),
    )
    found = {name.removeprefix("airflow."): value for name, value in collector.values.items()}
    assert found["recording_archive.archived"] == 6
    assert found["recording_archive.healed"] == 2
    assert found["recording_archive.bytes"] == 4096
    assert found["recording_archive.recordings.archived"] == len(all_rows(archived))
    assert found["recording_archive.plans_waiting"] == 0
    assert found["recording_archive.coverage_lag_seconds.interactions_default"] > 0


def test_what_cannot_be_sent_fails_no_run(
    archived: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, with its cause."""
    monkeypatch.setattr(run_metrics.conf, "getboolean", lambda *_, **__: True)
    monkeypatch.setattr(run_metrics, "stats", lambda: None)
    run_metrics.emit(archived, {"successful": 1})
    assert "Metrics could not be sent" in caplog.text
