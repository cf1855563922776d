"""A stored report, byte for byte: as JSON or as the table beside it."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from fastapi import Path, Request, Response

from recording_archive.archive import Archive
from recording_archive.reports.reading import keys_of
from recording_archive.store import staging
from recording_archive.web import access
from recording_archive.web.deps import note_access
from recording_archive.web.media.ranges import quote_tag, select
from recording_archive.web.media.streams import file_pieces, respond
from recording_archive.web.openapi import problems
from recording_archive.web.problem import Problem
from recording_archive.web.read.filters import Storable


class ReportFormat(StrEnum):
    """The two documents of a report: JSON, or every row of the run as CSV."""

    JSON = "json"
    CSV = "csv"


REPORT_RESPONSES: dict[int | str, dict[str, Any]] = problems(404, 412, 416) | {
    200: {"content": {"application/json": {"schema": {"type": "object"}}, "text/csv": {"schema": {"type": "string"}}}},
    206: {"description": "A range", "content": {"application/json": {}, "text/csv": {}}},
    304: {"description": "The entity tag still matches"},
}
"""The answers of a route that sends a report."""


def send_report(
    request: Request, archive: Archive, report_key: str | None, run_id: str, format: ReportFormat
) -> Response:
    """The report whose JSON has ``report_key``; raise Problem (404) while there is none."""
    if report_key is None:
        raise Problem(404, "There is no report yet", "It is written when the run ends.")
    document, table, checksums = keys_of(report_key)
    key = document if format is ReportFormat.JSON else table
    stem = document.rpartition("/")[2].removesuffix(".json")
    size, name = archive.store.size(key) or 0, f"{staging.safe_name(run_id)}.{stem}.{format}"
    user = access.user_name(request)
    return respond(
        select(request.method, request.headers, size=size, etag=quote_tag(_hash_of(archive, checksums, key))),
        file_pieces(lambda: archive.store.open(key)),
        user=user,
        media_type="application/json" if format is ReportFormat.JSON else "text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
        before=partial(note_access, archive, "exported", None, user, {"report": key}),
    )


def _hash_of(archive: Archive, checksums: str, key: str) -> str:
    """The hash that was stored with a report; where it is lost, the key, which also names one content for good."""
    lines = archive.store.read(checksums).decode(errors="replace").splitlines()
    found = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    return found.get(key.rpartition("/")[2], key)


RunId = Annotated[str, Path(min_length=1, max_length=250), Storable]
