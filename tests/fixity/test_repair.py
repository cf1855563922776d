"""Repair: what rots becomes whole again while it can, what cannot is left as it is, and nothing bad is thrown away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import traceback
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, delete

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import work
from recording_archive.errors import ConfigurationError, PermanentError, StoreError
from recording_archive.fixity import repair, strays_and_ledger
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.report import FixityReport
from recording_archive.fixity.verify import verify
from recording_archive.model import PartId
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from recording_archive.store import bgzf, sidecar
from recording_archive.store.base import LocalStore
from recording_archive.store.sidecar import rejected_of
from support.contents import all_rows, change, damage, details_of, flip, overwrite
from support.fixity_run import ALL, Verifying, document, found, kept
from support.runner import settings_below

NOW = datetime(2027, 1, 1, tzinfo=UTC)
HEADER_TIME = 4  # a byte of the first member's header that no reader of audio looks at


@pytest.fixture
def verifying(cloud: Sandbox) -> Verifying:
    """Runs of `verify_archive` whose repairs ask the sandbox."""
    return Verifying(cloud)


def path_of(archive: Archive, row: Row[Any]) -> Path:
    return archive.settings.root / row.key


def sidecar_of(archive: Archive, row: Row[Any]) -> Path:
    return archive.settings.root / sidecar.beside(row.key)


def check_whole(archive: Archive, ended: FixityReport) -> None:
    """The run succeeded, everything reads well, and anybody's tools agree with the manifest of the first run."""
    assert not ended.failed, ended.problems
    assert all(row.verified_ok for row in all_rows(archive))
    assert [each for each in verify(archive) if each.problem] == []
    assert not [path for path in archive.settings.staging.rglob("*") if path.is_file()]


def check_manifest(archive: Archive) -> None:
    (manifest,) = archive.settings.root.glob("manifests/*/*/manifest-sha256.txt")
    checked = subprocess.run(["sha256sum", "--quiet", "-c", manifest], cwd=archive.settings.root, check=False)
    assert checked.returncode == 0


def check_untouched(archive: Archive, ended: FixityReport, row: Row[Any], why: str) -> None:
    """The run failed by the recording's name and the reason; what lies there is what lay there."""
    assert ended.problems[0] == "1 recordings are damaged and were not repaired"
    assert ended.named[0].startswith(f"{PartId(*row[:3])}: ")
    assert why in ended.named[0]
    (entry,) = document(archive, ended)["findings"]
    assert (entry["interactionId"], entry["outcome"], why in entry["why"]) == (row.interaction_id, "escalated", True)
    assert found(archive, ended.run_id) == {row.interaction_id: "bad"}
    assert kept(archive) == {}
    assert details_of(archive, "repaired") == []


# From the source


@pytest.mark.parametrize(
    "change",
    [
        flip(1000),
        lambda content: content[: len(content) // 2],
        lambda _: b"",
        lambda content: bytes(len(content)),
        lambda content: content[::-1],
    ],
    ids=["flipped", "cut", "emptied", "zeroed", "reversed"],
)
def test_a_lost_object_comes_back_from_the_source(
    archived: Archive, verifying: Verifying, change: Callable[[bytes], bytes]
) -> None:
    """It gets the very bytes of old under its old name, the bad ones are kept, and an event tells all hashes."""
    row = all_rows(archived)[2]
    path, before = path_of(archived, row), path_of(archived, row).read_bytes()
    damage(path, change)
    bad = path.read_bytes()
    ended = verifying(archived, ALL)
    check_whole(archived, ended)
    check_manifest(archived)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o440
    assert kept(archived) == {row.key: bad}
    (event,) = details_of(archived, "repaired", row.interaction_id)
    (rejected,) = event["rejected"]
    assert event["files"] == {row.key: row.stored_sha256, rejected: sha256(bad).hexdigest()}
    assert (event["mediaFrom"], event["stored_sha256"]) == ("source", row.stored_sha256)
    assert (ended.totals["damaged"], ended.totals["repaired"], ended.totals["escalated"]) == (1, 1, 0)
    (entry,) = document(archived, ended)["findings"]
    assert (entry["outcome"], entry["filePath"]) == ("repaired", row.key)
    assert verifying.cloud.requests.counts["media"] == 1


def test_a_deleted_object_comes_back(archived: Archive, verifying: Verifying) -> None:
    """Where nothing lies there is nothing to keep."""
    row = all_rows(archived)[0]
    before = path_of(archived, row).read_bytes()
    path_of(archived, row).unlink()
    check_whole(archived, verifying(archived, ALL))
    assert path_of(archived, row).read_bytes() == before
    assert kept(archived) == {}


def test_swapped_objects_get_their_places_back(archived: Archive, verifying: Verifying) -> None:
    """Each of two swapped objects is made anew; both wrong ones are kept."""
    one, two = all_rows(archived)[:2]
    first, second = path_of(archived, one).read_bytes(), path_of(archived, two).read_bytes()
    overwrite(path_of(archived, one), second)
    overwrite(path_of(archived, two), first)
    check_whole(archived, verifying(archived, ALL))
    check_manifest(archived)
    assert kept(archived) == {one.key: second, two.key: first}


def test_everything_at_once(archived: Archive, verifying: Verifying) -> None:
    """A folder that rotted as a whole comes back as a whole, sidecars included."""
    for row in all_rows(archived):
        damage(path_of(archived, row), flip(500))
        sidecar_of(archived, row).unlink()
    ended = verifying(archived, ALL)
    check_whole(archived, ended)
    check_manifest(archived)
    assert ended.totals["repaired"] == 6


# From the archive itself


@pytest.mark.parametrize("change", [flip(HEADER_TIME), lambda content: content[:-28], lambda content: content + b"\0"])
def test_damaged_wrapping_needs_no_source(
    archived: Archive, verifying: Verifying, change: Callable[[bytes], bytes]
) -> None:
    """Where the object still gives its media, it is made anew from that, though the source is gone for good."""
    row = all_rows(archived)[1]
    before = path_of(archived, row).read_bytes()
    damage(path_of(archived, row), change)
    verifying.cloud.faults.add(Fault("status", "renew", status=404))
    check_whole(archived, verifying(archived, ALL))
    assert path_of(archived, row).read_bytes() == before
    assert verifying.cloud.requests.counts["media"] == 0
    (event,) = details_of(archived, "repaired")
    assert event["mediaFrom"] == "archive"


@pytest.mark.parametrize("change", [flip(100), lambda content: content + b"\n", lambda _: b"", None])
def test_a_sidecar_becomes_what_it_was(
    archived: Archive, verifying: Verifying, change: Callable[[bytes], bytes] | None
) -> None:
    """The catalog gives its very bytes; what it had become is kept, and no media is fetched."""
    row = all_rows(archived)[4]
    path = sidecar_of(archived, row)
    before = path.read_bytes()
    if change:
        damage(path, change)
    bad = path.read_bytes() if change else None
    if not change:
        path.unlink()
    check_whole(archived, verifying(archived, ALL))
    assert path.read_bytes() == before
    assert kept(archived) == ({sidecar.beside(row.key): bad} if change else {})
    assert verifying.cloud.requests.counts["media"] == 0


def test_a_sidecar_of_another_version_becomes_what_it_was(archived: Archive, verifying: Verifying) -> None:
    """The version of the software that wrote it can be read in what is left of it."""
    row = all_rows(archived)[4]
    path = sidecar_of(archived, row)
    old = json.loads(path.read_bytes()) | {"softwareVersion": "0.0.7-beta"}
    content = (json.dumps(old, ensure_ascii=False, indent=1) + "\n").encode()
    overwrite(path, content)
    change(archived, row.interaction_id, sidecar_sha256=sha256(content).hexdigest())
    damage(path, flip(40))
    verifying.read_all(archived, "r", ALL)
    verifying.repair(archived, "r")
    assert path.read_bytes() == content


def test_object_and_sidecar_damaged_together(archived: Archive, verifying: Verifying) -> None:
    """Both become what they were, and both bad ones are kept."""
    row = all_rows(archived)[3]
    damage(path_of(archived, row), flip(2000))
    damage(sidecar_of(archived, row), flip(200))
    check_whole(archived, verifying(archived, ALL))
    check_manifest(archived)
    assert set(kept(archived)) == {row.key, sidecar.beside(row.key)}


# Other stored bytes


def repack(archive: Archive, row: Row[Any]) -> None:
    """Make the object one that a machine with another deflate wrote: same media, other bytes, all of it consistent."""
    path = path_of(archive, row)
    with path.open("rb") as file:
        media = b"".join(bgzf.media_range(file, 0, row.size_bytes))
    pieces = []
    for start in range(0, len(media), bgzf.MEMBER_BYTES):
        block = media[start : start + bgzf.MEMBER_BYTES]
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packer.compress(block) + packer.flush()
        size = (18 + len(body) + 8 - 1).to_bytes(2, "little")
        trailer = zlib.crc32(block).to_bytes(4, "little") + len(block).to_bytes(4, "little")
        pieces += [bgzf.END_MARKER[:16], size, body, trailer]
    content = b"".join([*pieces, bgzf.END_MARKER])
    overwrite(path, content)
    stored = {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
    told = json.loads(sidecar_of(archive, row).read_bytes())
    told["object"] |= stored
    document = (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()
    overwrite(sidecar_of(archive, row), document)
    facts = {"stored_sha256": stored["sha256"], "stored_bytes": stored["bytes"]}
    change(archive, row.interaction_id, **facts, sidecar_sha256=sha256(document).hexdigest())


def test_other_stored_bytes_get_a_sidecar_that_tells_of_it(
    archived: Archive, verifying: Verifying, run: Callable[..., Any]
) -> None:
    """The promise is the media: object and sidecar are new, both old ones are kept, catalog and reindex know it."""
    repack(archived, all_rows(archived)[2])
    row = all_rows(archived)[2]
    old = json.loads(sidecar_of(archived, row).read_bytes())
    damage(path_of(archived, row), flip(1000))
    verifying.read_all(archived, "r", ALL)
    verifying.repair(archived, "r")
    assert found(archived, "r")[row.interaction_id] == "repaired"

    after, new = all_rows(archived)[2], json.loads(sidecar_of(archived, row).read_bytes())
    assert [each for each in verify(archived) if each.problem] == []
    assert (after.sha256, after.key) == (row.sha256, row.key)
    assert after.stored_sha256 == new["object"]["sha256"] != row.stored_sha256
    (repaired,) = new.pop("repairs")
    assert (repaired["object"], repaired["sidecar"], repaired["runId"]) == (old["object"], row.sidecar_sha256, "r")
    assert {**new, "object": old["object"]} == old
    assert set(kept(archived)) == {row.key, sidecar.beside(row.key)}
    (event,) = details_of(archived, "repaired")
    assert (event["before"]["stored_sha256"], event["stored_sha256"]) == (row.stored_sha256, after.stored_sha256)
    assert strays_and_ledger.verify_ledger(archived, "r") == 0  # it vouches for the new sidecar

    assert run(archived, "scheduled__again").counts["alreadyArchived"] == 6
    archived.catalog.close()
    for file in archived.settings.root.parent.glob("catalog.db*"):
        file.unlink()
    assert not [each for each in reindex(archived.settings) if each.result is IndexResult.BAD]
    rebuilt = open_archive(archived.settings)
    assert all_rows(rebuilt)[2].sidecar_sha256 == after.sidecar_sha256
    rebuilt.catalog.close()


def test_a_second_repair_keeps_what_the_first_one_kept(archived: Archive, verifying: Verifying) -> None:
    """Bad bytes of the same object on the same day lie side by side."""
    row = all_rows(archived)[2]
    for place in (900, 1000, 1100):
        damage(path_of(archived, row), flip(place))
        check_whole(archived, verifying(archived, ALL))
    assert len(list(archived.store.list("rejected/"))) == 3
    assert sorted(rejected_of(archived.store, {row.key})) == sorted(archived.store.list("rejected/"))
    assert list(rejected_of(archived.store, {"recordings/other.wav.gz"})) == []


# Beyond repair


def test_other_media_at_the_source_is_refused(archived: Archive, verifying: Verifying) -> None:
    """What the source gives now is not what was archived: the damaged object stays, both hashes are told."""
    row = all_rows(archived)[2]
    damage(path_of(archived, row), flip(1000))
    verifying.cloud.faults.add(Fault("wrong_bytes", recording=row.interaction_id))
    check_untouched(archived, verifying(archived, ALL), row, f"expected {row.sha256}")


def test_what_the_source_no_longer_has_is_escalated(archived: Archive, verifying: Verifying) -> None:
    """It is named with the reason, in this run and in the next, until somebody puts it right."""
    row = all_rows(archived)[2]
    damage(path_of(archived, row), flip(1000))
    verifying.cloud.faults.add(Fault("not_found", "renew"))
    check_untouched(archived, verifying(archived, ALL), row, "the source no longer has it")
    check_untouched(archived, verifying(archived), row, "the source no longer has it")
    verifying.cloud.faults.clear()
    check_whole(archived, verifying(archived))


def test_without_a_connection_only_the_source_is_missing(archived: Archive, verifying: Verifying) -> None:
    """A connection that is not defined stops no repair that needs none, and is told where it is needed."""
    lost, wrapping = all_rows(archived)[:2]
    damage(path_of(archived, lost), flip(1000))
    damage(path_of(archived, wrapping), flip(HEADER_TIME))
    verifying.read_all(archived, "r", ALL)

    def connect() -> Any:
        raise ConfigurationError("Connection genesys_cloud_default is not defined")

    repair.repair(archived, "r", Origin(connect), stop=verifying.stop)
    assert found(archived, "r")[wrapping.interaction_id] == "repaired"
    assert found(archived, "r")[lost.interaction_id] == "bad"


def test_a_source_that_refuses_the_client_is_asked_once(archived: Archive, verifying: Verifying) -> None:
    """Wrong credentials are not tried for each of a thousand recordings."""
    for row in all_rows(archived):
        damage(path_of(archived, row), flip(1000))
    verifying.cloud.faults.add(Fault("forbidden", "renew"))
    one_by_one = replace(archived, settings=archived.settings.model_copy(update={"transfers": 1}))
    ended = verifying(one_by_one, ALL)
    assert ended.totals["escalated"] == 6
    assert verifying.cloud.requests.counts["renew"] == 1


def test_what_is_in_quarantine_is_verified_but_not_repaired(archived: Archive, verifying: Verifying) -> None:
    """It is on its way out; damage is told all the same."""
    row = all_rows(archived)[2]
    change(archived, row.interaction_id, state="quarantined")
    damage(path_of(archived, row), flip(1000))
    check_untouched(archived, verifying(archived, ALL), row, "it is quarantined")


def test_a_catalog_that_differs_is_no_repair(archived: Archive, verifying: Verifying) -> None:
    """Row and sidecar disagree and both look sound: a person must say which is right."""
    row = all_rows(archived)[2]
    change(archived, row.interaction_id, agent_name="somebody else")
    check_untouched(archived, verifying(archived, ALL), row, "find out which of the two was changed")


def test_a_changed_hash_in_the_catalog_replaces_nothing(archived: Archive, verifying: Verifying) -> None:
    """Who forges the catalog's hash of the media does not get the recording replaced."""
    row = all_rows(archived)[2]
    before = path_of(archived, row).read_bytes()
    change(archived, row.interaction_id, sha256="0" * 64)
    check_untouched(archived, verifying(archived, ALL), row, "find out which of the two was changed")
    assert path_of(archived, row).read_bytes() == before


def test_a_sidecar_that_nothing_gives_back_is_escalated(archived: Archive, verifying: Verifying) -> None:
    """After a rebuild the catalog knows too little to write the sidecar anew; then nothing is touched."""
    row = all_rows(archived)[2]
    with archived.catalog.write() as connection:
        connection.execute(delete(work))
    damage(sidecar_of(archived, row), flip(100))
    ended = verifying(archived, ALL)
    check_untouched(archived, ended, row, "does not give the very bytes")
    assert sidecar.beside(row.key) in ended.problems[1]  # the ledger vouches for other bytes


def test_an_object_is_repaired_even_where_its_sidecar_is_not(archived: Archive, verifying: Verifying) -> None:
    """What can be saved is saved while the source has it; the recording stays bad for its sidecar."""
    row = all_rows(archived)[2]
    before = path_of(archived, row).read_bytes()
    with archived.catalog.write() as connection:
        connection.execute(delete(work))
    damage(path_of(archived, row), flip(1000))
    damage(sidecar_of(archived, row), flip(100))
    ended = verifying(archived, ALL)
    assert path_of(archived, row).read_bytes() == before
    assert "its object is whole again, but the catalog does not give" in ended.named[0]
    assert all_rows(archived)[2].verified_ok is False
    assert set(kept(archived)) == {row.key}


def test_no_sidecar_for_other_stored_bytes_means_no_repair(archived: Archive, verifying: Verifying) -> None:
    """An object that cannot be made as it was needs a sidecar to tell of it; without one it stays as it is."""
    repack(archived, all_rows(archived)[2])
    row = all_rows(archived)[2]
    bad = flip(1000)(path_of(archived, row).read_bytes())
    with archived.catalog.write() as connection:
        connection.execute(delete(work))
    overwrite(path_of(archived, row), bad)
    damage(sidecar_of(archived, row), flip(100))
    verifying.read_all(archived, "r", ALL)
    verifying.repair(archived, "r")
    assert found(archived, "r")[row.interaction_id] == "bad"
    assert path_of(archived, row).read_bytes() == bad
    assert kept(archived) == {}


def test_a_link_in_its_place_stops_no_other_repair(archived: Archive, verifying: Verifying, tmp_path: Path) -> None:
    """What is no regular file is never touched, and the next recording is repaired."""
    linked, lost = all_rows(archived)[:2]
    elsewhere = tmp_path / "elsewhere"
    path_of(archived, linked).rename(elsewhere)
    path_of(archived, linked).symlink_to(elsewhere)
    damage(path_of(archived, lost), flip(1000))
    ended = verifying(archived, ALL)
    assert (ended.totals["repaired"], ended.totals["escalated"]) == (1, 1)
    assert path_of(archived, linked).is_symlink()


def test_more_than_rot_waits_for_a_person(archived: Archive, verifying: Verifying) -> None:
    """One run repairs a bounded number; the rest is told, and taken up by the next run."""
    verifying.limits = {"most": 2, "page_size": 1}
    for row in all_rows(archived)[:3]:
        damage(path_of(archived, row), flip(1000))
    ended = verifying(archived, ALL)
    assert (ended.totals["repaired"], ended.totals["escalated"]) == (2, 1)
    assert "left for the next run" in ended.named[0]
    check_whole(archived, verifying(archived))


# Races and crashes


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


# The store's own operation


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A root with one object."""
    made = LocalStore(tmp_path / "root")
    made.root.mkdir()
    made.put("a/b", b"old")
    return made


def put_new(store: LocalStore, kept_as: str, content: bytes = b"new") -> bool:
    with store.begin("a/b") as draft:
        draft.file.write(content)
        return draft.replace(kept_as)


def test_replacing_keeps_what_was_there(store: LocalStore) -> None:
    """The key names the new object, the other key the old one, and no temporary name is left."""
    assert put_new(store, "rejected/1/a/b")
    assert (store.read("a/b"), store.read("rejected/1/a/b")) == (b"new", b"old")
    assert sorted(path.name for path in store.root.rglob("*") if path.is_file()) == ["b", "b"]


def test_replacing_never_overwrites_what_was_kept(store: LocalStore) -> None:
    """Where another object has the key, nothing changes."""
    store.put("rejected/1/a/b", b"of yesterday")
    assert not put_new(store, "rejected/1/a/b")
    assert (store.read("a/b"), store.read("rejected/1/a/b")) == (b"old", b"of yesterday")


def test_replacing_goes_on_after_a_crash(store: LocalStore) -> None:
    """A first attempt came to keeping the old object and no further."""
    (store.root / "rejected/1/a").mkdir(parents=True)
    os.link(store.root / "a/b", store.root / "rejected/1/a/b")
    assert put_new(store, "rejected/1/a/b")
    assert (store.read("a/b"), store.read("rejected/1/a/b")) == (b"new", b"old")


def test_there_must_be_something_to_replace(store: LocalStore) -> None:
    """Replacing is no way to publish."""
    store.remove("a/b")
    with pytest.raises(PermanentError, match="is not there"):
        put_new(store, "rejected/1/a/b")
    assert store.size("a/b") is None
    assert list(store.list("rejected/")) == []


def test_an_unreadable_object_is_kept_too(store: LocalStore) -> None:
    """It is kept by its name, not by its bytes, which a dying disk may no longer give."""
    (store.root / "a/b").chmod(0)
    inode = (store.root / "a/b").stat().st_ino
    assert put_new(store, "rejected/1/a/b")
    assert (store.root / "rejected/1/a/b").stat().st_ino == inode


def test_each_name_is_durable_before_the_next_one_changes(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kept name is synced before the key moves, and the key's folder after it: a power cut loses neither."""
    calls = []

    def watched(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            folder = arguments[0] if name == "fsync" else named["dst_dir_fd"]
            calls.append((name, str(Path(f"/proc/self/fd/{folder}").readlink().relative_to(store.root))))
            return real(*arguments, **named)

        return call

    for name in ("fsync", "link", "rename"):
        monkeypatch.setattr(os, name, watched(name))
    assert put_new(store, "rejected/1/a/b")
    linked, moved = calls.index(("link", "rejected/1/a")), calls.index(("rename", "a"))
    synced = [number for number, call in enumerate(calls) if call[0] == "fsync" and call[1] in {"rejected/1/a", "."}]
    assert linked < min(synced) < max(synced) < moved
    assert calls[-1] == ("fsync", "a")
