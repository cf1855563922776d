"""Objects of the archive: new, adopted, in conflict, damaged; and staged bytes that vanish."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select

from genesys_sandbox import Recording
from recording_archive.archive import Archive
from recording_archive.archiving import compress
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import recordings
from recording_archive.errors import StoreError
from recording_archive.model import State
from recording_archive.store import bgzf
from recording_archive.store.staging import LocalStaging
from support.contents import change
from support.night_runs import snapshot
from support.volumes import another_volume
from support.whole_run import (
    DAY,
    Tasks,
    check_archive,
    check_books,
    objects,
    sidecar_of,
)


def lay(archive: Archive, key: str, media: bytes) -> bytes:
    """Put an object without sidecar under a key, compressed as no run would; return its bytes."""
    half = len(media) // 2
    parts = [BytesIO(), BytesIO()]
    bgzf.compress(BytesIO(media[:half]), parts[0])
    bgzf.compress(BytesIO(media[half:]), parts[1])
    content = parts[0].getvalue().removesuffix(bgzf.END_MARKER) + parts[1].getvalue()
    assert archive.store.put(key, content)
    return content


def key_of(recording: Recording) -> str:
    return f"recordings/org=default/year=2026/month=11/day=20/{recording.id}~{recording.id}~0.wav.gz"


def test_an_object_without_sidecar_is_adopted_as_it_lies_there(tasks: Tasks, archive: Archive) -> None:
    """The same media is not written again: its sidecar tells the stored hash of the object that is there."""
    victim = tasks.cloud.library[0]
    content = lay(archive, key_of(victim), victim.path.read_bytes())
    ended = tasks(archive, "scheduled__1")
    check_books(archive, ended)
    check_archive(archive, tasks.cloud.library)
    assert ended.statuses == {"success": 6}
    assert (archive.settings.root / key_of(victim)).read_bytes() == content
    assert ended.entries[victim.id]["storedBytes"] == len(content)


def test_an_object_with_sidecar_that_the_catalog_forgot_is_taken_over(tasks: Tasks, archived: Archive) -> None:
    """A crash before the catalog's row, or a catalog of yesterday: the sidecar there is the commit, and stays."""
    victim = tasks.cloud.library[0]
    before = snapshot(archived)
    change(archived, victim.id, state=State.DISCOVERED, key=None, sha256=None, stored_sha256=None, archived_by=None)
    ended = tasks(archived, "manual__1", Request(window=DAY))
    check_books(archived, ended)
    assert (ended.statuses, ended.report["alreadyArchived"]) == ({"success": 1}, 5)
    assert snapshot(archived) == before
    with archived.catalog.read() as connection:
        found = select(recordings.c.archived_by).where(recordings.c.interaction_id == victim.id)
        assert connection.execute(found).scalar_one() == "scheduled__first"


def test_another_object_under_the_key_is_a_conflict_with_both_hashes(tasks: Tasks, archive: Archive) -> None:
    """The object there stays, no sidecar claims it, the recording fails by name, the others are archived."""
    victim, media = tasks.cloud.library[0], b"RIFF\0\0\0\0WAVE of somebody else"
    content = lay(archive, key_of(victim), media)
    ended = tasks(archive, "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    error = ended.entries[victim.id]["error"]
    assert victim.sha256 in error
    assert hashlib.sha256(media).hexdigest() in error
    assert (archive.settings.root / key_of(victim)).read_bytes() == content
    assert archive.store.size(sidecar_of(key_of(victim))) is None
    assert not any(archive.settings.staging.rglob("*"))


def test_a_damaged_object_under_the_key_fails_by_name(tasks: Tasks, archive: Archive) -> None:
    """What cannot be read is neither adopted nor replaced."""
    victim = tasks.cloud.library[0]
    archive.store.put(key_of(victim), b"not gzip at all")
    ended = tasks(archive, "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    assert "damaged" in ended.entries[victim.id]["error"]
    assert archive.store.read(key_of(victim)) == b"not gzip at all"
    assert not any(archive.settings.staging.rglob("*"))


def test_a_damaged_sidecar_under_the_key_fails_by_name(tasks: Tasks, archive: Archive) -> None:
    """A sidecar that cannot be read is neither believed nor replaced."""
    victim = tasks.cloud.library[0]
    archive.store.put(sidecar_of(key_of(victim)), b"{")
    ended = tasks(archive, "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    assert "is damaged" in ended.entries[victim.id]["error"]
    assert archive.store.read(sidecar_of(key_of(victim))) == b"{"


def test_a_sidecar_that_tells_of_another_object_fails_by_name(tasks: Tasks, archived: Archive) -> None:
    """An object that was replaced behind the catalog's back is not taken over under the old sidecar."""
    victim = tasks.cloud.library[0]
    (archived.settings.root / key_of(victim)).unlink()
    content = lay(archived, key_of(victim), victim.path.read_bytes())
    change(archived, victim.id, state=State.DISCOVERED, key=None, sha256=None, stored_sha256=None, archived_by=None)
    ended = tasks(archived, "manual__1", Request(window=DAY))
    error = ended.entries[victim.id]["error"]
    assert "names an object with SHA-256" in error
    assert hashlib.sha256(content).hexdigest() in error


def test_staged_bytes_that_vanish_or_rot_are_fetched_again(tasks: Tasks, archive: Archive) -> None:
    """`compress` archives the sound ones and counts the lost; the next download fetches those and no others."""
    (batch,) = tasks.query(archive, "scheduled__1")
    assert tasks.download(archive, "scheduled__1", batch.number) == 6
    vanished, rotten, *_ = sorted((archive.settings.staging / "scheduled__1").iterdir())
    vanished.unlink()
    content = rotten.read_bytes()
    rotten.chmod(0o600)
    rotten.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    lost = compress.compress(archive, "scheduled__1", batch.number, stop=threading.Event())
    assert (lost, len(objects(archive))) == (2, 4)
    assert tasks.download(archive, "scheduled__1", batch.number) == 2
    assert tasks.gzip(archive, "scheduled__1", batch.number) == 0
    assert [path for path in archive.settings.staging.rglob("*") if path.is_file()] == []
    ended = tasks.report(archive, "scheduled__1")
    check_books(archive, ended)
    check_archive(archive, tasks.cloud.library)
    assert (ended.statuses, tasks.cloud.requests.counts["media"]) == ({"success": 6}, 8)


def test_a_staging_folder_that_vanished_is_made_again(tasks: Tasks, archive: Archive) -> None:
    """Another machine's disk, or a cleaner: the gzip task fetches everything again and the run is whole."""
    (batch,) = tasks.query(archive, "scheduled__1")
    tasks.download(archive, "scheduled__1", batch.number)
    for path in sorted(archive.settings.staging.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    archive.settings.staging.rmdir()
    assert tasks.gzip(archive, "scheduled__1", batch.number) == 0
    assert tasks.report(archive, "scheduled__1").statuses == {"success": 6}
    check_archive(archive, tasks.cloud.library)


def test_what_is_staged_is_the_object_that_is_archived(tasks: Tasks, archive: Archive) -> None:
    """No byte is written twice: the file of the download gets its name in the archive, and loses the other one."""
    (batch,) = tasks.query(archive, "scheduled__1")
    tasks.download(archive, "scheduled__1", batch.number)
    staged = sorted((archive.settings.staging / "scheduled__1").iterdir())
    inodes = {path.stat().st_ino for path in staged}
    assert [path.name for path in staged] == [f"{number}.gz" for number in range(1, 7)]
    tasks.gzip(archive, "scheduled__1", batch.number)
    assert {(archive.settings.root / key).stat().st_ino for key in objects(archive)} == inodes
    check_books(archive, tasks.report(archive, "scheduled__1"))
    check_archive(archive, tasks.cloud.library)


@pytest.mark.parametrize("raw", [1, 6], ids=["some raw", "all raw"])
def test_a_run_that_an_older_version_left_half_way_is_finished(tasks: Tasks, archive: Archive, raw: int) -> None:
    """Raw media in staging, as versions before packed staging leave it, becomes objects without being fetched again."""
    (batch,) = tasks.query(archive, "scheduled__1")
    tasks.download(archive, "scheduled__1", batch.number)
    for path in sorted((archive.settings.staging / "scheduled__1").iterdir())[:raw]:
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert tasks.gzip(archive, "scheduled__1", batch.number) == 0
    ended = tasks.report(archive, "scheduled__1")
    check_books(archive, ended)
    check_archive(archive, tasks.cloud.library)
    assert (ended.statuses, tasks.cloud.requests.counts["media"]) == ({"success": 6}, 6)


@pytest.fixture
def elsewhere(archive: Archive) -> Iterator[Archive]:
    """The archive with staging on a volume of its own."""
    with another_volume(archive.settings.root.parent) as folder:
        moved = archive.settings.model_copy(update={"staging_url": str(folder)})
        yield replace(archive, settings=moved, staging=LocalStaging(moved.staging))


def test_staging_on_another_volume_holds_raw_media(tasks: Tasks, elsewhere: Archive) -> None:
    """Nothing can be linked from there: media is staged as it comes, and its object is written into the archive."""
    (batch,) = tasks.query(elsewhere, "scheduled__1")
    tasks.download(elsewhere, "scheduled__1", batch.number)
    staged = sorted(elsewhere.settings.staging.rglob("*"))[1:]
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in staged} == {
        each.sha256 for each in tasks.cloud.library
    }
    tasks.gzip(elsewhere, "scheduled__1", batch.number)
    check_books(elsewhere, tasks.report(elsewhere, "scheduled__1"))
    check_archive(elsewhere, tasks.cloud.library)


def test_what_was_packed_and_cannot_be_linked_is_copied(
    tasks: Tasks, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staging was moved to another volume between two tasks: its objects are copied and read back there."""
    (batch,) = tasks.query(archive, "scheduled__1")
    tasks.download(archive, "scheduled__1", batch.number)
    real = os.link

    def within_a_folder(source: str, *rest: Any, **named: Any) -> None:
        if source.startswith("/proc"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, *rest, **named)

    monkeypatch.setattr(os, "link", within_a_folder)
    assert tasks.gzip(archive, "scheduled__1", batch.number) == 0
    check_books(archive, tasks.report(archive, "scheduled__1"))
    check_archive(archive, tasks.cloud.library)


def unavailable(*_: object) -> None:
    raise StoreError("no power")


def test_a_gzip_that_died_after_the_link_goes_on_there(
    tasks: Tasks, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object has both its names and no sidecar: the next attempt finds its own file there, and ends the same."""
    (batch,) = tasks.query(archive, "scheduled__1")
    tasks.download(archive, "scheduled__1", batch.number)
    monkeypatch.setattr(archive.store.__class__, "sync", unavailable)
    with pytest.raises(StoreError, match="no power"):
        compress.compress(archive, "scheduled__1", batch.number, stop=threading.Event())
    monkeypatch.undo()
    assert len(objects(archive)) == len(list((archive.settings.staging / "scheduled__1").iterdir())) == 6
    assert tasks.gzip(archive, "scheduled__1", batch.number) == 0
    check_books(archive, tasks.report(archive, "scheduled__1"))
    check_archive(archive, tasks.cloud.library)
