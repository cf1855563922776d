"""Stray files are found and named, and files of runs at work are not among them."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings, work
from recording_archive.fixity.strays import find_strays
from recording_archive.model import PartId
from recording_archive.store import sidecar
from support.contents import all_rows


def test_stray_files_are_told_apart(archived: Archive) -> None:
    """Only a sidecar without a row is an error; its object, a lone object, a copy and a foreign file are told of."""
    root, (known, forgotten, *_) = archived.settings.root, all_rows(archived)
    assert list(find_strays(archived)) == []
    with archived.catalog.write() as connection:
        connection.execute(recordings.delete().where(recordings.c.interaction_id == forgotten.interaction_id))
    folder = (root / known.key).parent
    (folder / "lone~lone~0.wav.gz").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"")
    shutil.copy(root / known.key, root / "recordings" / Path(known.key).name)
    found = {Path(stray.key).name if stray.part else stray.key: stray for stray in find_strays(archived)}
    missing = found.pop(Path(sidecar.beside(forgotten.key)).name)
    assert missing.part == PartId(*forgotten[:3])
    assert "reindex" in missing.problem
    prefix = known.key.rpartition("/")[0]
    assert {key: stray.problem.partition(":")[0] for key, stray in found.items()} == {
        f"{prefix}/lone~lone~0.wav.gz": "object without sidecar",
        f"{prefix}/notes.txt": "not a file of this archive",
        f"recordings/{Path(known.key).name}": f"the catalog has this recording as {known.key}",
    }


def test_what_a_run_publishes_right_now_is_no_stray(archived: Archive) -> None:
    """Between sidecar and catalog row lies a moment, in which the open work row vouches for the file."""
    row = all_rows(archived)[0]
    same = work.c.interaction_id == row.interaction_id
    with archived.catalog.write() as connection:
        connection.execute(recordings.delete().where(recordings.c.interaction_id == row.interaction_id))
        connection.execute(update(work).where(same).values(outcome=None))
    assert list(find_strays(archived)) == []
