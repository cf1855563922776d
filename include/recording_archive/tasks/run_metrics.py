"""Metrics through Airflow's own StatsD or OpenTelemetry: what a run did, and how the archive stands after it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping

from recording_archive.archive import Archive
from recording_archive.metrics.figures import read_figures
from recording_archive.tasks.airflow_versions import conf, stats

log = logging.getLogger(__name__)

_COUNTERS = {
    **{"successful": "archived", "failed": "failed", "checksumErrors": "checksum_errors", "missing": "missing"},
    **{"healedMismatches": "healed", "bytesStored": "bytes"},
    **{"quarantined": "quarantined", "purged": "purged", "erased": "erased", "bytesDeleted": "bytes_deleted"},
    **{"read": "read", "bytesRead": "bytes_read", "repaired": "repaired", "escalated": "damaged_found"},
}
"""Counts of the reports, and their names as counters below ``recording_archive``."""
_SWITCHES = ("statsd_on", "statsd_datadog_enabled", "otel_on")


def emit(archive: Archive, counts: Mapping[str, int]) -> None:
    """Send the counts of a closed run and the archive's figures, where Airflow sends metrics; never fail a run."""
    try:
        if not any(conf.getboolean("metrics", switch, fallback=False) for switch in _SWITCHES):
            return
        backend = stats()
        for name, count in counters(counts):
            backend.incr(name, count)
        for name, value in gauges(archive):
            backend.gauge(name, value)
    except Exception:
        log.warning("Metrics could not be sent; the run is not affected", exc_info=True)


def counters(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The counts of a report that are metrics, by name."""
    yield from ((f"recording_archive.{name}", counts[count]) for count, name in _COUNTERS.items() if count in counts)


def gauges(archive: Archive) -> Iterator[tuple[str, float]]:
    """The archive's figures by name; the value of a label is the last part, for StatsD has no labels."""
    for figure in read_figures(archive):
        for label, value in figure.values.items():
            last = f".{re.sub(r'[^a-zA-Z0-9_-]', '_', label)}" if label else ""
            yield f"recording_archive.{figure.name}{last}", value
