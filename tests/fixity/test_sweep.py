"""Left-overs of killed tasks are swept by age and name."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from recording_archive.archive import Archive
from recording_archive.catalog.tables import fixity_runs, runs
from recording_archive.fixity.sweep import Swept, sweep
from support.contents import all_rows
from support.fixity_run import at


def age(path: Path, days: float, now: datetime) -> None:
    moment = (now - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))


def test_left_overs_are_swept_by_age_and_name(archived: Archive) -> None:
    """Old temporary names and old staged files of closed runs go; open runs, young files and strangers stay."""
    now = datetime.now(UTC)
    folder = (archived.settings.root / all_rows(archived)[0].key).parent
    (folder / f".{'0' * 32}.tmp").write_bytes(b"")
    age(folder / f".{'0' * 32}.tmp", 3, now)
    (folder / f".{'1' * 32}.tmp").write_bytes(b"")
    with archived.catalog.write() as connection:
        connection.execute(insert(runs).values(run_id="open", source="s", kind="range", started_at=now))
        closed = {"kind": "due", "started_at": now, "facts": {}, "closed_at": now}
        connection.execute(insert(fixity_runs).values(run_id="verified", **closed))
    gone, stays = [], []
    for name, files, kept in (
        ("scheduled__first", ("7", "8.part", "8.resume", "12.gz", "13.gz.part", "13.gz.0a.part"), ("notes.txt",)),
        ("fixity-verified", ("repair-3",), ()),
        ("open", (), ("9", "14.gz", "15.gz.part", "15.gz.resume")),
        ("nobody", (), ("10",)),
    ):
        place = archived.staging.scratch(name)
        for file in (*files, *kept):
            (place / file).write_bytes(b"")
            age(place / file, 3, now)
        age(place, 3, now)
        gone += [place / file for file in files]
        stays += [place / file for file in kept]
    young = archived.settings.staging / "scheduled__first" / "11"
    young.write_bytes(b"")
    assert sweep(at(archived, now)) == Swept(temporary=1, staged=7)
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in (*stays, young, folder / f".{'1' * 32}.tmp"))
    assert not (archived.settings.staging / "fixity-verified").exists()


def test_a_missing_staging_folder_is_no_error(archived: Archive) -> None:
    """Before the first download there is nothing to sweep."""
    shutil.rmtree(archived.settings.staging, ignore_errors=True)
    assert sweep(archived) == Swept(0, 0)
