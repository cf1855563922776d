"""Disks that are full, broken, read-only or another archive's, and catalogs that are locked or restored."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.errors import StoreError, TransientError
from recording_archive.settings import Settings
from support.crash_run import RUN, TASKS, check_next, check_rest, check_whole, made, plain
from support.crasher import EFFECTS, Crasher
from support.runner import settings_below
from support.whole_run import Tasks, check_books


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    path = made(tmp_path / "volume")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        assert os.environ.get("CI") != "true", f"CI must run this test: {done.stderr}"
        pytest.skip("mounting a small file system needs root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[random.Random(0).randrange(len(content))] ^= 1  # noqa: S311  # repeatable, not secret
    path.write_bytes(content)


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Another process that holds the catalog."""
    with closing(sqlite3.connect(settings.root.parent / "catalog.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file that counts, and its bytes."""
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def is_unsealed(settings: Settings) -> bool:
    """Test whether the ledger could not be sealed; that ends no run, and the next one seals it."""
    reports = settings.root.glob("reports/*/*/*/compliance_report.json")
    if any(json.loads(report.read_text())["ledgerHead"] is None for report in reports):
        return True
    with closing(sqlite3.connect(settings.root.parent / "catalog.db")) as catalog:
        return bool(catalog.execute("SELECT count(*) FROM events WHERE segment IS NULL").fetchone()[0])


class TestDisk:
    """Disks that are full, broken, read-only or somebody else's."""

    @pytest.mark.chaos(family="disk and store", fault="ENOSPC from some effect on")
    def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(self, few: Sandbox, crash: Crasher, volume: Path) -> None:
        """Wherever the space ends, the error names place and remedy, nothing half done is left, and room cures it."""
        full = self.sweep(few, crash, volume, points=count(3, 8))
        for place in (r"/staging/", r"~0\.json: ", r"compliance_report", "Catalog "):
            assert any(re.search(place, message) for message in full), (place, full)

    @pytest.mark.long
    @pytest.mark.chaos(family="disk and store", fault="ENOSPC from any effect on")
    def test_a_disk_full_at_any_effect_stops_the_run(self, few: Sandbox, crash: Crasher, volume: Path) -> None:
        """A disk without space from each single effect on stops the run, which goes on once there is room."""
        self.sweep(few, crash, volume, points=count(1))

    def sweep(self, few: Sandbox, crash: Crasher, volume: Path, *, points: Iterable[int]) -> set[str]:
        told: set[str] = set()
        for point in points:
            settings = plain(made(folder := volume / "x"))
            harm = {"kind": "fill", "at": point, "when": "before", "ballast": str(volume / "ballast")}
            ended = crash(few, settings, run_id=RUN, steps=TASKS, harm=harm)
            if ended.effects < point:
                return told
            (volume / "ballast").unlink()
            for kind, message in ended.raised:
                assert kind == "StoreError", message
                assert re.search("free space|check (the )?space", message), message
                told.add(message)
            check_rest(settings, few)
            check_next(settings, few)
            shutil.rmtree(folder)
        raise AssertionError("unreachable")

    @pytest.mark.chaos(family="disk and store", fault="EIO from an effect")
    @pytest.mark.parametrize(
        ("only", "step"), [(["fsync"], 5), (sorted({*EFFECTS} - {"fsync"}), 11)], ids=["fsync", "others"]
    )
    def test_a_broken_disk_never_makes_a_claim(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], only: list[str], step: int
    ) -> None:
        """A system call that fails with EIO ends in an error of ours or in nothing, and promises nothing."""
        self.break_at(few, crash, folders, only=only, points=count(2, step))

    @pytest.mark.long
    @pytest.mark.chaos(family="disk and store", fault="EIO from any effect")
    def test_a_disk_broken_at_any_effect_never_makes_a_claim(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """EIO at each single effect ends in an error of ours or in nothing, and promises nothing."""
        self.break_at(few, crash, folders, only=[*EFFECTS], points=count(1))

    def break_at(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, only: list[str], points: Iterable[int]
    ) -> None:
        for point in points:
            settings = plain(folder := next(folders))
            harm = {"kind": "fail", "at": point, "when": "before", "only": only}
            ended = crash(few, settings, run_id=RUN, steps=TASKS, durable=str(folder), harm=harm)
            if ended.effects < point:
                return
            assert ended.losses == []
            assert {kind for kind, _ in ended.raised} <= {"StoreError"}, ended.raised
            if only == ["fsync"]:
                assert ended.raised or is_unsealed(settings)
            check_rest(settings, few)
            check_next(settings, few)

    @pytest.mark.chaos(family="disk and store", fault="read-only root")
    def test_a_read_only_root_takes_nothing(self, few: Sandbox, volume: Path, tmp_path: Path) -> None:
        """A root that turned read-only is an error with its remedy; made writable it takes what was staged."""
        settings = settings_below(tmp_path).model_copy(update={"url": str(volume / "archive")})
        archive, tasks = open_archive(settings), Tasks(few)
        tasks.query(archive, RUN)
        tasks.download(archive, RUN, 1)
        subprocess.run(["mount", "-o", "remount,ro", str(volume)], check=True)
        with pytest.raises(StoreError, match="mount the volume writable"):
            tasks.gzip(archive, RUN, 1)
        with pytest.raises(StoreError, match="mount the volume writable"):
            tasks.report(archive, RUN)
        check_rest(settings, few)
        archive.catalog.close()
        subprocess.run(["mount", "-o", "remount,rw", str(volume)], check=True)
        check_next(settings, few)

    @pytest.mark.chaos(family="disk and store", fault="staged file vanished or damaged")
    @pytest.mark.parametrize("damage", [Path.unlink, flip, shorten, empty])
    def test_a_staged_file_that_is_not_what_was_downloaded_is_fetched_again(
        self, few: Sandbox, archive: Archive, damage: Callable[[Path], object]
    ) -> None:
        """Staged bytes that are gone or changed are never archived: the part is fetched once more."""
        tasks = Tasks(few)
        tasks.query(archive, RUN)
        tasks.download(archive, RUN, 1)
        staged = archive.settings.staging / RUN / "2.gz"
        staged.chmod(0o600)
        damage(staged)
        few.requests.clear()
        assert tasks.gzip(archive, RUN, 1) == 0
        assert few.requests.counts["media"] == 1
        ended = tasks.report(archive, RUN)
        assert ended.statuses == {"success": 3}
        check_books(archive, ended)
        check_whole(archive, few)

    @pytest.mark.chaos(family="disk and store", fault="root unmounted, or another archive's")
    @pytest.mark.parametrize("what", ["root unmounted", "other root", "other catalog"])
    def test_a_root_that_is_not_the_catalogs_is_refused(self, archived: Archive, tmp_path: Path, what: str) -> None:
        """Root and catalog that do not belong together are named with both ids, and neither is touched."""
        archived.catalog.close()
        other = open_archive(settings_below(made(tmp_path / "other")))
        other.catalog.close()
        mine, theirs = archived.settings, other.settings
        if what == "root unmounted":
            shutil.rmtree(mine.root)
            mine.root.mkdir()
        changed = {"other root": {"url": theirs.url}, "other catalog": {"catalog_url": theirs.catalog_url}}
        ids = {archived.id, other.id if what != "root unmounted" else "none"}
        before = files_of(tmp_path)
        with pytest.raises(StoreError) as caught:
            open_archive(mine.model_copy(update=changed.get(what, {})))
        assert all(named in str(caught.value) for named in ids), caught.value
        assert files_of(tmp_path) == before

    @pytest.mark.chaos(family="disk and store", fault="root unmounted in the middle of a task")
    def test_what_a_mount_point_took_in_is_not_archived(self, few: Sandbox, archive: Archive) -> None:
        """A root that is unmounted while a task runs is noticed before anything is recorded."""
        root, away, tasks = archive.settings.root, archive.settings.root.with_name("away"), Tasks(few)
        tasks.query(archive, RUN)
        tasks.download(archive, RUN, 1)
        root.rename(away)
        root.mkdir()
        with pytest.raises(StoreError, match=f"no longer holds archive {archive.id}"):
            tasks.gzip(archive, RUN, 1)
        shutil.rmtree(root)
        away.rename(root)
        check_rest(archive.settings, few)
        check_next(archive.settings, few)

    @pytest.mark.chaos(family="disk and store", fault="catalog locked")
    def test_a_locked_catalog_is_waited_for_and_then_tried_again(self, few: Sandbox, settings: Settings) -> None:
        """A lock held longer than the timeout in the catalog's URL is a TransientError; the next attempt goes on."""
        brief = settings.model_copy(update={"catalog_url": f"{settings.catalog_url}?timeout=0.2"})
        archive, tasks = open_archive(brief), Tasks(few)
        tasks.query(archive, RUN)
        steps: list[Callable[[], object]] = [
            lambda: tasks.download(archive, RUN, 1),
            lambda: tasks.gzip(archive, RUN, 1),
            lambda: tasks.report(archive, RUN),
        ]
        for step in steps:
            with locked(settings), pytest.raises(TransientError, match="locked"):
                step()
            check_rest(settings, few)
            step()
        with locked(settings), pytest.raises(TransientError, match="locked"):
            open_archive(brief)
        check_whole(archive, few)
        archive.catalog.close()

    @pytest.mark.chaos(family="disk and store", fault="catalog restored from yesterday's backup")
    def test_a_restored_catalog_finds_its_archive_again(self, few: Sandbox, settings: Settings) -> None:
        """Recordings archived after the backup are adopted by the next run, and its report adds up."""
        archive, tasks = open_archive(settings), Tasks(few)
        backup = settings.root.parent / "backup.db"
        with closing(sqlite3.connect(settings.root.parent / "catalog.db")) as catalog:
            catalog.execute("VACUUM INTO ?", (str(backup),))
        tasks(archive, "scheduled__0")
        archive.catalog.close()
        before = files_of(settings.root / "recordings")
        for path in settings.root.parent.glob("catalog.db*"):
            path.unlink()
        backup.rename(settings.root.parent / "catalog.db")
        check_next(settings, few)
        assert files_of(settings.root / "recordings") == before
