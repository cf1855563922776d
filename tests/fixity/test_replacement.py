"""Replacing damaged files: no race and no crash loses a byte, and nothing purged comes back."""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from recording_archive.archive import Archive, open_archive
from recording_archive.errors import StoreError
from recording_archive.fixity import repair
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.verify import verify
from recording_archive.model import PartId
from recording_archive.store import bgzf
from recording_archive.store.sidecar import rejected_of
from support.contents import all_rows, change, damage, details_of, flip, overwrite
from support.fixity_run import ALL, Verifying, kept
from support.repairs import HEADER_TIME, check_whole, path_of, repack
from support.runner import settings_below

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def test_a_second_repair_keeps_what_the_first_one_kept(archived: Archive, verifying: Verifying) -> None:
    """Bad bytes of the same object on the same day lie side by side."""
    row = all_rows(archived)[2]
    for place in (900, 1000, 1100):
        damage(path_of(archived, row), flip(place))
        check_whole(archived, verifying(archived, ALL))
    assert len(list(archived.store.list("rejected/"))) == 3
    assert sorted(rejected_of(archived.store, {row.key})) == sorted(archived.store.list("rejected/"))
    assert list(rejected_of(archived.store, {"recordings/other.wav.gz"})) == []


class PurgedOrigin(Origin):
    """The recording goes while it is fetched again."""

    archive: Archive
    gone: Path
    purge: dict[str, Any]

    def fetch(self, part: PartId, sha256: str, target: Path) -> None:
        super().fetch(part, sha256, target)
        change(self.archive, part.interaction_id, **self.purge)
        self.gone.unlink()


@pytest.mark.parametrize("purge", [{"state": "purged"}, {"deleting_at": NOW}])
def test_what_is_purged_while_it_is_fetched_does_not_come_back(
    archived: Archive, verifying: Verifying, purge: dict[str, Any]
) -> None:
    """The row decides in the transaction that puts the object in place."""
    row = all_rows(archived)[2]
    damage(path_of(archived, row), flip(1000))
    verifying.read_all(archived, "r", ALL)
    origin = PurgedOrigin(verifying.connect)
    origin.archive, origin.gone, origin.purge = archived, path_of(archived, row), purge
    repair.repair(archived, "r", origin, stop=verifying.stop)
    assert not path_of(archived, row).exists()
    assert details_of(archived, "repaired") == []


def test_an_unmounted_root_gets_no_repair(archived: Archive, verifying: Verifying) -> None:
    """What is left under the mount point is not the archive."""
    row = all_rows(archived)[2]
    damage(path_of(archived, row), flip(1000))
    verifying.read_all(archived, "r", ALL)
    root = archived.settings.root
    root.rename(root.with_name("elsewhere"))
    root.mkdir()
    with pytest.raises(StoreError, match="still mounted"):
        verifying.repair(archived, "r")
    assert not list(root.rglob("*.gz"))


def test_a_repair_done_again_does_nothing(archived: Archive, verifying: Verifying) -> None:
    """A second attempt of the task finds everything done."""
    row = all_rows(archived)[2]
    damage(path_of(archived, row), flip(1000))
    verifying.read_all(archived, "r", ALL)
    verifying.repair(archived, "r")
    verifying.repair(archived, "r")
    assert len(details_of(archived, "repaired")) == 1
    assert len(kept(archived)) == 1


EFFECTS = ("open", "write", "fchmod", "fsync", "link", "rename", "unlink", "mkdir", "rmdir")


def die_at(effect: int, work: Callable[[], None]) -> bool:
    """Do ``work`` in a fork that is killed right after its n-th effect on the disk; False when it lived to the end."""
    pid = os.fork()
    if pid == 0:
        try:
            count = iter(range(1, 10_000))
            for name in EFFECTS:
                setattr(os, name, _deadly(getattr(os, name), count, effect))
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in {0, 9}
    return os.waitstatus_to_exitcode(status) == 9


def _deadly(real: Callable[..., Any], count: Iterator[int], effect: int) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return real(*arguments, **named)
        finally:
            if next(count) == effect:
                os._exit(9)

    return call


@pytest.mark.parametrize("other_bytes", [False, True])
def test_a_crash_at_any_point_leaves_the_key_named_and_the_next_run_whole(
    archived: Archive, verifying: Verifying, tmp_path: Path, other_bytes: bool
) -> None:
    """Killed after any effect: the key names the bad object or the new one, whole, and repair comes to its end."""
    if other_bytes:
        repack(archived, all_rows(archived)[2])
    row = all_rows(archived)[2]
    bad = flip(HEADER_TIME)(path_of(archived, row).read_bytes())
    overwrite(path_of(archived, row), bad)
    verifying.read_all(archived, "r", ALL)
    archived.catalog.close()
    effect, alive = 0, True
    while alive:
        effect += 1
        place = tmp_path / f"killed{effect}"
        shutil.copytree(archived.settings.root.parent, place, ignore=shutil.ignore_patterns("killed*"))

        def work(place: Path = place) -> None:
            verifying.repair(open_archive(settings_below(place)), "r")

        alive = die_at(effect, work)
        again = open_archive(settings_below(place))
        with path_of(again, row).open("rb") as file:
            media = sha256(b"".join(bgzf.media_range(file, 0, row.size_bytes))).hexdigest()
        assert media == row.sha256, effect
        assert path_of(again, row).read_bytes() == bad or bad in kept(again).values(), effect
        verifying.repair(again, "r")
        assert [each for each in verify(again) if each.problem] == [], effect
        assert bad in kept(again).values(), effect
        again.catalog.close()
        shutil.rmtree(place)
    assert effect > 15
