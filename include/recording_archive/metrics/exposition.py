"""Figures as the text that Prometheus and its relatives read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from recording_archive.metrics.figures import Figure

PREFIX = "recording_archive"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Figures(Collector):
    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for figure in self._figures:
            labels = [figure.label] if figure.label else []
            family = GaugeMetricFamily(f"{PREFIX}_{figure.name}", figure.help, labels=labels)
            for value, number in figure.values.items():
                family.add_metric([value] if labels else [], number)
            yield family


def as_text(figures: Iterable[Figure]) -> bytes:
    """Write the figures in the text format of Prometheus, version 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Figures(figures))
    return generate_latest(registry)
