"""REST API: figures for a monitoring system."""

from __future__ import annotations

from fastapi import APIRouter, Response

from recording_archive.metrics.exposition import CONTENT_TYPE, as_text
from recording_archive.metrics.figures import read_figures
from recording_archive.web.deps import ArchiveDep

router = APIRouter()


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def show_metrics(archive: ArchiveDep) -> Response:
    """Gauges in the text format of Prometheus: what is in the archive, what waits, and how far behind it is."""
    return Response(as_text(read_figures(archive)), headers={"Content-Type": CONTENT_TYPE})
