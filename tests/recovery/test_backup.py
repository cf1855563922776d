"""The drill: back up while the archive lives, lose everything, restore, and prove that nothing is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.request import Request
from support.commands import Command
from support.contents import all_rows, first_id, ids

SCRIPTS = Path(__file__).parents[2] / "docs" / "scripts"

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="the scripts need rsync")


def script(name: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of the documents."""
    return subprocess.run([SCRIPTS / name, *arguments], capture_output=True, text=True, check=False)


def test_all_is_lost_and_comes_back(
    command: Command, archived: Archive, run: Callable[..., Any], tmp_path: Path
) -> None:
    """What was decided after the catalog was copied is in the archive's copy, and reindex reads it from there."""
    root, catalog, to = archived.settings.root, archived.settings.root.parent / "catalog.db", tmp_path / "backup"
    assert script("backup.sh", root, catalog, to).returncode == 0
    known = first_id(archived)
    assert command("hold", "create", "--matter", "M-1", "--reason", "r", "--id", known).code == 0
    run(archived, "manual__later", Request(ids=(ids(archived)[1],)))
    shutil.copy(to / "catalog.db", tmp_path / "older.db")
    assert script("backup.sh", root, catalog, to).returncode == 0  # only what is new is copied
    shutil.copy(tmp_path / "older.db", to / "catalog.db")  # as if this backup had been cut off at its start
    before = {row.interaction_id: (row.state, row.sha256) for row in all_rows(archived)}
    archived.catalog.close()
    shutil.rmtree(root)
    for path in root.parent.glob("catalog.db*"):
        path.unlink()
    ended = script("restore.sh", to, root, catalog)
    assert ended.returncode == 0, ended.stderr
    assert command("reindex").code == 0
    assert command("verify", "--all").code == 0
    assert command("verify-ledger", "--objects").code == 0
    restored = open_archive(archived.settings)
    assert {row.interaction_id: (row.state, row.sha256) for row in all_rows(restored)} == before
    restored.catalog.close()
    (found,) = json.loads(command("search", known, "--json").out)["recordings"]
    assert len(found["heldBy"]) == 1


def test_nothing_is_written_over(archived: Archive, tmp_path: Path) -> None:
    """Neither an archive nor a catalog that is there; and a folder that is none is not taken for one."""
    root, catalog, to = archived.settings.root, archived.settings.root.parent / "catalog.db", tmp_path / "backup"
    assert "holds no archive.json" in script("backup.sh", tmp_path, catalog, to).stderr
    assert script("backup.sh", root, catalog, to).returncode == 0
    assert "is not empty" in script("restore.sh", to, root, tmp_path / "new.db").stderr
    ended = script("restore.sh", to, tmp_path / "new", catalog)
    assert ended.returncode == 2
    assert "is there: move it away first" in ended.stderr
    assert not (tmp_path / "new").exists()
