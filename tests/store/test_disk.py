"""Refusals of the disk: each names the path and a remedy."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from recording_archive.errors import StoreError
from recording_archive.store.local import LocalStore
from recording_archive.store.staging import LocalStaging
from support.odd_disks import losing_replies, without_links
from support.store_contract import CREATED


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    path = tmp_path / "volume"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_full_disk_is_a_store_error(small_volume: Path) -> None:
    """A full disk stops the run with the remedy, leaves nothing half done, and the store works again with space."""
    store = LocalStore(small_volume / "archive")
    store.found("0" * 32, CREATED)
    with pytest.raises(StoreError, match=r"x\.gz.*free space"), store.begin("x.gz") as draft:
        draft.file.write(b"x" * 2_000_000)
    assert list(store.list("")) == ["archive.json"]
    assert store.put("x.gz", b"x" * 500_000)


def test_a_volume_without_inodes_is_named(small_volume: Path) -> None:
    """Free bytes are no help without inodes: the message says what is used up, in archive and staging."""
    store = LocalStore(small_volume / "archive")
    store.found("0" * 32, CREATED)
    subprocess.run(["mount", "-o", "remount,nr_inodes=8", str(small_volume)], check=True)
    with pytest.raises(StoreError, match=r"d/.*no inodes for new files \(df -i\)"):
        all(store.put(f"d/{number}", b"") for number in range(8))
    with pytest.raises(StoreError, match=r"Staging .*no inodes for new files"):
        LocalStaging(small_volume / "staging").scratch("run")


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK])
def test_a_file_system_without_links_is_named(local: LocalStore, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever number a file system refuses links with, the remedy is another file system; nothing is left behind."""
    without_links(monkeypatch, code)
    with pytest.raises(StoreError, match=r"use a file system"):
        local.put("d/x", b"")
    assert list((local.root / "d").iterdir()) == []


def test_a_link_that_is_told_as_taken_is_recognized(local: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name that the draft has is its own; another's object is not, nor is a name that is not there."""
    local.put("other", b"other")
    with monkeypatch.context() as patch:
        losing_replies(patch)
        assert local.put("d/x", b"x")
        assert not local.put("other", b"x")
    without_links(monkeypatch, errno.EEXIST)
    with pytest.raises(StoreError, match="said to be taken, and nothing has it"):
        local.put("d/y", b"y")
    assert (local.read("d/x"), local.read("other"), local.size("d/y")) == (b"x", b"other", None)


def test_read_only_disk_is_a_store_error(small_volume: Path) -> None:
    """A volume that is mounted read-only is named as such, and stays readable."""
    store = LocalStore(small_volume / "archive")
    store.found("0" * 32, CREATED)
    subprocess.run(["mount", "-o", "remount,ro", str(small_volume)], check=True)
    with pytest.raises(StoreError, match="mount the volume writable"):
        store.put("x.json", b"x")
    assert store.identity() == "0" * 32


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.ENXIO])
def test_every_error_of_the_disk_names_path_and_remedy(
    local: LocalStore, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the operating system refuses becomes a StoreError with the path and something to do."""

    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match=rf"{local.root}/d/x: {os.strerror(number)}: \w+"):
        local.put("d/x", b"")
    assert list((local.root / "d").iterdir()) == []
