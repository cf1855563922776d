"""Replacing an object of the store: the old one keeps a name, whatever happens on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recording_archive.errors import PermanentError
from recording_archive.store.local import LocalStore


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
