"""Left-overs of killed tasks: temporary names in the archive, and staged bytes of runs that are over.

Only names that this software gives are touched, and only those older than `settings.sweep_days`: a folder that holds
anything else, or is named after no run that the catalog closed, is left alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import PAGE
from recording_archive.catalog.tables import fixity_runs, runs
from recording_archive.store import staging

log = logging.getLogger(__name__)

_STAGED = re.compile(r"(?:repair-)?\d+(?:\.[0-9a-z.]+)?")  # as fetching, repair, partial and their resume notes name it


@dataclass(frozen=True, slots=True)
class Swept:
    """The number of left-overs removed from the archive and from staging."""

    temporary: int
    staged: int


def sweep(archive: Archive) -> Swept:
    """Remove what killed tasks left behind; what cannot be removed harms nobody and is tried again tomorrow."""
    older_than = archive.clock() - timedelta(days=archive.settings.sweep_days)
    temporary = archive.store.sweep(older_than)
    staged = sum(_sweep_folder(folder, older_than) for folder in _left(archive))
    log.info("swept %d temporary names and %d staged files", temporary, staged)
    return Swept(temporary, staged)


def _left(archive: Archive) -> list[Path]:
    """List staging folders of runs that are over; two runs may share a folder, then both must be."""
    folders = {}
    with suppress(OSError):
        folders = {path.name: path for path in archive.settings.staging.iterdir() if not path.is_symlink()}
    over, at_work = set[str](), set[str]()
    for name, is_over in _runs(archive) if folders else ():
        if name in folders:
            (over if is_over else at_work).add(name)
    return [folders[name] for name in sorted(over - at_work)]


def _runs(archive: Archive) -> Iterator[tuple[str, bool]]:
    """Yield the name of every run's staging folder, and whether the run is closed."""
    with archive.catalog.read() as connection:
        for table, prefix in ((runs, ""), (fixity_runs, "fixity-")):
            rows = connection.execution_options(yield_per=PAGE).execute(select(table.c.run_id, table.c.closed_at))
            yield from ((staging.safe_name(prefix + row.run_id), row.closed_at is not None) for row in rows)


def _sweep_folder(folder: Path, older_than: datetime) -> int:
    swept = 0
    with suppress(OSError):
        old = _is_old(folder, older_than)
        for path in folder.iterdir():
            if _STAGED.fullmatch(path.name) and _is_old(path, older_than):
                path.unlink(missing_ok=True)
                swept += 1
        if old:
            folder.rmdir()  # which fails when it is not empty
    return swept


def _is_old(path: Path, older_than: datetime) -> bool:
    return path.lstat().st_mtime < older_than.timestamp()
