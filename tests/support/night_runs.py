"""Scheduled runs night after night, and looks at what they left."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from genesys_sandbox import Fault, Recording, Sandbox
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import events
from recording_archive.model import Window
from support.whole_run import (
    DAY,
    NIGHT,
    Ended,
    Tasks,
    at,
    check_books,
    sha256,
)

A_DAY = timedelta(days=1)


def nightly(tasks: Tasks, archive: Archive, night: int) -> Ended:
    """The scheduled run ``night`` days after the first; night 0 is that of the recordings' day."""
    window = Window(DAY.start + night * A_DAY, DAY.end + night * A_DAY)
    ended = tasks(at(archive, NIGHT + night * A_DAY), f"scheduled__{night}", Request(window=window, scheduled=True))
    check_books(archive, ended)
    return ended


def fail(cloud: Sandbox, recording: Recording) -> None:
    """Make one recording impossible to fetch until the faults are cleared."""
    cloud.faults.add(Fault("status", recording=recording.id, status=400))


def with_settings(archive: Archive, **changes: Any) -> Archive:
    return replace(archive, settings=archive.settings.model_copy(update=changes))


def count_events(archive: Archive, kind: str) -> int:
    with archive.catalog.read() as connection:
        return connection.execute(select(func.count()).where(events.c.kind == kind)).scalar_one()


def rows_of(archive: Archive, ended: Ended) -> list[dict[str, str]]:
    """The rows of the report's CSV."""
    path = archive.settings.root / ended.summary.report_key.replace(".json", ".csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def snapshot(archive: Archive) -> dict[str, tuple[str, int]]:
    """Hash and time of every file below recordings/."""
    files = [path for path in (archive.settings.root / "recordings").rglob("*") if path.is_file()]
    return {str(path): (sha256(path), path.stat().st_mtime_ns) for path in files}
