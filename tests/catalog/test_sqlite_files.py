"""The files of a SQLite catalog: closed to others, and advice that works when one of them is lost or damaged."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.cli.check import Connected, check
from recording_archive.cli.findings import ProbeStatus
from recording_archive.errors import ConfigurationError
from recording_archive.settings import Settings
from support.commands import Command

FILES = ("catalog.db", "catalog.db-wal", "catalog.db-shm")


def modes(folder: Path) -> dict[str, int]:
    """The permissions of each file of the catalog."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("catalog.db*")}


@pytest.fixture
def open_mask() -> Iterator[None]:
    """A process that lets everybody read what it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_mask")
class TestPermissions:
    """Nobody but the owner reads who called whom."""

    def test_new_files_are_their_owners_alone(self, tmp_path: Path) -> None:
        """All three, whatever the umask, while the catalog is in use."""
        catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
        assert modes(tmp_path) == dict.fromkeys(FILES, 0o600)
        catalog.close()

    def test_files_that_are_there_are_tightened(self, tmp_path: Path) -> None:
        """Those that an earlier version made for everybody to read, by whatever name they are reached."""
        first = Catalog(f"sqlite:///{tmp_path}/catalog.db")
        for name in FILES:
            (tmp_path / name).chmod(0o664)
        (tmp_path / "link").symlink_to(tmp_path / "catalog.db")
        second = Catalog(f"sqlite:///{tmp_path}/link")
        assert modes(tmp_path) == dict.fromkeys(FILES, 0o600)
        for catalog in (first, second):
            catalog.close()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_files_of_others_are_left_as_they_are(self, tmp_path: Path) -> None:
        """Their owner decides."""
        Catalog(f"sqlite:///{tmp_path}/catalog.db").close()
        os.chown(tmp_path / "catalog.db", 12345, -1)
        (tmp_path / "catalog.db").chmod(0o660)
        catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
        assert modes(tmp_path)["catalog.db"] == 0o660
        catalog.close()


def lose(*names: str) -> Callable[[Path], None]:
    """Remove files of a catalog."""

    def harm(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return harm


def overwrite(folder: Path) -> None:
    """Write over the beginning of the database."""
    (folder / "catalog.db").write_bytes(b"no database" * 1000)


def cut(folder: Path) -> None:
    """Leave half of the database, and nothing of its companions."""
    lose("catalog.db-wal", "catalog.db-shm")(folder)
    os.truncate(folder / "catalog.db", (folder / "catalog.db").stat().st_size // 2)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lose("catalog.db"), "without catalog.db"),
        (lose("catalog.db", "catalog.db-shm"), "without catalog.db"),
        (lose("catalog.db-wal"), "catalog.db-wal is gone"),
        (overwrite, "file is not a database"),
        (cut, "malformed"),
    ],
    ids=["database lost", "only wal left", "wal lost", "overwritten", "cut"],
)
def test_the_advice_for_a_harmed_catalog_works(
    archived: Archive, command: Command, tmp_path: Path, harm: Callable[[Path], None], says: str
) -> None:
    """Every command refuses it and changes nothing; what the message says is done, and the archive is whole again."""
    folder = archived.settings.root.parent
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in FILES:  # as a killed program leaves it: all three
        shutil.copy(folder / name, crashed)
    archived.catalog.close()
    for path in crashed.iterdir():
        shutil.copy(path, folder)
    harm(folder)
    there = {path.name for path in folder.glob("catalog.db*")}
    ended = command("verify", "--all")
    assert ended.code == 2
    message = " ".join(ended.err.split())
    assert says in message
    assert {path.name for path in folder.glob("catalog.db*")} >= there

    told = set(re.findall(r"catalog\.db(?:-wal|-shm)?", message.partition("move ")[2])) or there
    aside = tmp_path / "aside"
    aside.mkdir()
    for name in told:
        (folder / name).rename(aside / name)
    assert "recording-archive reindex" in message
    assert command("reindex").code == 0
    assert "6 recordings verified, 0 bad" in command("verify", "--all").out


def test_check_tells_of_a_companion_without_its_database(archived: Archive, configured: Settings) -> None:
    """It does not say that the first run will make the catalog."""
    folder = configured.root.parent
    archived.catalog.close()
    (folder / "catalog.db").rename(folder / "elsewhere")
    (folder / "catalog.db-wal").write_bytes(b"")

    def nowhere(_: Settings) -> Connected:
        raise ConfigurationError("no connection")

    found = {finding.probe: finding for finding in check(nowhere)}
    assert found["catalog"].verdict is ProbeStatus.FAILED
    assert "without catalog.db" in found["catalog"].detail
