"""Outlook of a damaged recording: a run of `verify_archive` may still repair it, or why the last one could not."""

from __future__ import annotations

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import is_part
from recording_archive.catalog.tables import readings
from recording_archive.fixity.readings_table import Finding
from recording_archive.fixity.repair import LEFT
from recording_archive.model import PartId


def why_not_repaired(archive: Archive, part: PartId) -> str | None:
    """Return why the last run that read it could not repair it; None while a run is still to try."""
    mine = (is_part(readings, part), readings.c.outcome == Finding.BAD)
    with archive.catalog.read() as connection:
        why = connection.execute(select(readings.c.why).where(*mine).order_by(readings.c.id.desc()).limit(1)).scalar()
    return None if why is None or why.startswith(LEFT) else str(why)
