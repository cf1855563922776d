"""The local store: the contract of every store, then what a local disk must withstand."""

from __future__ import annotations

import multiprocessing
import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recording_archive.errors import PermanentError, StoreError
from recording_archive.store.base import Store
from recording_archive.store.local import LocalStore
from support.store_contract import CREATED, KEY, StoreContract
from support.volumes import another_volume

PROGRAMS = Path(__file__).parents[1] / "programs"


@pytest.fixture
def store(local: LocalStore) -> Store:
    """The store that the contract is held by."""
    return local


class TestContract(StoreContract):
    """The contract of every store, held by the local disk."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "damaged"),
        (b"[]", "damaged"),
        (b'{"id": "a"}', "damaged"),
        (b'{"id": "a", "formatVersion": 2}', "format version 2"),
    ],
)
def test_unreadable_identity_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    """A damaged or newer archive.json is never taken for a place without an archive."""
    (tmp_path / "archive.json").write_bytes(content)
    with pytest.raises(StoreError, match=message):
        LocalStore(tmp_path).identity()


def test_missing_root_is_no_new_archive(tmp_path: Path) -> None:
    """An unmounted volume holds nothing and takes nothing; only founding makes a root."""
    store = LocalStore(tmp_path / "mnt" / "archive")
    assert store.identity() is None
    assert list(store.list("")) == []
    with pytest.raises(StoreError, match="mounted"):
        store.put("a.json", b"")
    assert not (tmp_path / "mnt").exists()
    store.found("0" * 32, CREATED)
    assert store.identity() == "0" * 32


def test_objects_are_read_only(local: LocalStore) -> None:
    """A published file has mode 0440 and exactly one name."""
    local.put(KEY, b"x")
    found = (local.root / KEY).stat()
    assert stat.S_IMODE(found.st_mode) == 0o440
    assert found.st_nlink == 1


def test_free_bytes_are_those_of_the_volume(local: LocalStore) -> None:
    """Free space is what an unprivileged user may still write."""
    volume = os.statvfs(local.root)
    assert abs(local.free_bytes() - volume.f_bavail * volume.f_frsize) < 2**30


def _publish_and_report(root: str, start: float, results: multiprocessing.Queue[bool]) -> None:
    while datetime.now(UTC).timestamp() < start:
        pass
    results.put(LocalStore(Path(root)).put(KEY, str(os.getpid()).encode()))


def test_of_racing_processes_exactly_one_wins(local: LocalStore) -> None:
    """Two processes that make the same folders and key at once end with one object and one winner."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[bool] = context.Queue()
    start = datetime.now(UTC).timestamp() + 0.2
    processes = [context.Process(target=_publish_and_report, args=(str(local.root), start, results)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert sorted(results.get(timeout=5) for _ in processes) == [False, True]
    assert local.read(KEY).decode() in {str(process.pid) for process in processes}


def test_killed_at_any_step_leaves_a_whole_object_or_none(tmp_path: Path) -> None:
    """SIGKILL before each system call leaves at most a temporary name, and an object only when it is whole."""
    step, killed = 0, True
    while killed:
        store = LocalStore(tmp_path / str(step))
        store.found("0" * 32, CREATED)
        done = subprocess.run(
            [sys.executable, PROGRAMS / "publish_and_die.py", str(store.root), str(step)], check=False
        )
        killed = done.returncode != 0
        if store.size("d/e/f.json") is not None:
            assert store.read("d/e/f.json") == b"x" * 100_000
        assert store.sweep(datetime.now(UTC) + timedelta(days=1)) <= int(killed)
        assert not list(store.root.rglob(".*"))
        step += 1
    assert step > 6
    assert store.size("d/e/f.json") == 100_000


def test_sweep_removes_only_stale_temporary_names(local: LocalStore) -> None:
    """Left-overs older than the limit go; objects, younger ones, and hidden files of others stay."""
    local.put(KEY, b"x")
    folder = (local.root / KEY).parent
    stale, young, foreign = folder / f".{'a' * 32}.tmp", folder / f".{'b' * 32}.tmp", folder / ".nfs0001"
    for path in (stale, young, foreign):
        path.write_bytes(b"")
    for path in (stale, foreign, local.root / KEY):
        os.utime(path, (0, 0))
    assert local.sweep(datetime.now(UTC) - timedelta(days=1)) == 1
    assert sorted(path.name for path in folder.iterdir()) == sorted([foreign.name, young.name, "a~b~0.wav.gz"])


def test_what_belongs_to_the_file_system_is_not_listed(local: LocalStore) -> None:
    """A root that is a mount point has a lost+found of its own, which only the superuser may read."""
    (local.root / "lost+found").mkdir()
    (local.root / "lost+found" / "#12").write_bytes(b"")
    assert list(local.list("")) == ["archive.json"]


def test_root_may_be_a_link(tmp_path: Path) -> None:
    """The operator may put the root behind a symbolic link: everything works, sweeping as well."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    store = LocalStore(tmp_path / "link")
    store.found("0" * 32, CREATED)
    (tmp_path / "real" / f".{'a' * 32}.tmp").write_bytes(b"")
    assert store.sweep(datetime.now(UTC) + timedelta(days=1)) == 1
    assert list(store.list("")) == ["archive.json"]


def test_linked_folder_is_refused(local: LocalStore, tmp_path: Path) -> None:
    """A symbolic link in the place of a folder is not followed, neither to write nor to read nor to list."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (local.root / "recordings").symlink_to(outside)
    for use in (
        lambda: local.put("recordings/x", b""),
        lambda: local.open("recordings/secret"),
        lambda: local.size("recordings/secret"),
        lambda: local.sync(["recordings/x"]),
    ):
        with pytest.raises(StoreError, match=r"recordings.*symbolic link"):
            use()
    assert list(local.list("")) == ["archive.json"]
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_folder_swapped_for_a_link_later_is_refused(local: LocalStore, tmp_path: Path) -> None:
    """A folder that was good once is checked again every time."""
    local.put("d/x", b"")
    (local.root / "d").rename(tmp_path / "moved")
    (local.root / "d").symlink_to(tmp_path / "moved")
    with pytest.raises(StoreError, match="symbolic link"):
        local.put("d/y", b"")


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "socket"])
def test_only_regular_files_are_objects(local: LocalStore, tmp_path: Path, kind: str) -> None:
    """What is planted under a key and is no file is refused without hanging, and is never listed as an object."""
    path, outside = local.root / "x.json", tmp_path / "outside"
    outside.write_bytes(b"secret")
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.relpath(path))
    for use in (local.open, local.size):
        with pytest.raises(StoreError, match=r"x\.json"):
            use("x.json")
    assert not local.put("x.json", b"mine")
    assert list(local.list("")) == ["archive.json"]


@pytest.mark.parametrize(("writes", "size"), [(3, 50_000), (150, 1_000), (1, 200_000), (1, 100_001)])
def test_write_that_does_not_fit_is_a_store_error(local: LocalStore, writes: int, size: int) -> None:
    """A limit met in any write, or only in the last buffered bytes, names file and remedy and leaves nothing."""
    command = [sys.executable, PROGRAMS / "publish_under_a_limit.py", str(local.root), str(writes), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert str(local.root / "d/x.gz") in done.stdout
    assert "ulimit -f" in done.stdout
    assert list((local.root / "d").iterdir()) == []


class Recorder:
    """Records the system calls that make things durable or visible, in order, with the place each one concerns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, Path]] = []
        for name in ("fsync", "fchmod", "link", "mkdir", "unlink"):
            monkeypatch.setattr(os, name, self._recorded(name, getattr(os, name)))

    def _recorded(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name in {"fsync", "fchmod"}:
                place = self._path(args[0])
            else:
                folder = kwargs.get("dst_dir_fd", kwargs.get("dir_fd"))
                target = args[1] if name == "link" else args[0]
                place = target if folder is None else self._path(folder) / target
            self.calls.append((name, place))
            return real(*args, **kwargs)

        return call

    @staticmethod
    def _path(descriptor: int) -> Path:
        return Path(f"/proc/self/fd/{descriptor}").readlink()

    def at(self, name: str, place: Path) -> list[int]:
        """When ``name`` was called on ``place``."""
        return [index for index, call in enumerate(self.calls) if call == (name, place)]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Watches the operating system's calls; none is replaced."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to name descriptors")
    return Recorder(monkeypatch)


def test_content_is_durable_before_it_is_visible(local: LocalStore, recorder: Recorder) -> None:
    """The file is synced, with its final mode, before it is linked to its key."""
    with local.begin(KEY) as draft:
        draft.file.write(b"x")
        temporary = Path(f"/proc/self/fd/{draft.file.fileno()}").readlink()
        draft.publish()
    (readable,), (synced,) = recorder.at("fchmod", temporary), recorder.at("fsync", temporary)
    (linked,) = recorder.at("link", local.root / KEY)
    assert readable < synced < linked


def test_sync_makes_names_and_new_folders_durable(local: LocalStore, recorder: Recorder) -> None:
    """After sync, the folder was synced after the link, and every new folder's parent after it was made."""
    key = local.root / KEY
    with local.begin(KEY) as draft:
        draft.publish()
    local.sync([KEY])
    assert recorder.at("fsync", key.parent)[-1] > recorder.at("link", key)[0]
    made = [place for name, place in recorder.calls if name == "mkdir"]
    assert len(made) == 5
    for folder in made:
        assert recorder.at("fsync", folder.parent)[-1] > recorder.at("mkdir", folder)[0]


def test_sync_covers_folders_another_process_made(local: LocalStore, recorder: Recorder) -> None:
    """Folders that were there already are synced once too: their maker may have died before it did."""
    with LocalStore(local.root).begin(KEY) as draft:
        draft.publish()
    fresh = LocalStore(local.root)
    recorder.calls.clear()
    fresh.sync([KEY])
    synced = {place for name, place in recorder.calls if name == "fsync"}
    assert synced == {local.root, *(local.root / KEY).parents} - set(local.root.parents)


def test_sync_touches_each_folder_once(local: LocalStore, recorder: Recorder) -> None:
    """A group costs one sync per folder; ancestors that are known to be durable cost nothing more."""
    keys = [f"d/e/{n}" for n in range(5)]
    local.put("d/e/first", b"")
    for key in keys:
        with local.begin(key) as draft:
            draft.publish()
    recorder.calls.clear()
    local.sync(keys)
    assert recorder.calls == [("fsync", local.root / "d/e")]


def test_folder_made_anew_is_synced_anew(local: LocalStore, recorder: Recorder) -> None:
    """A folder that was removed by somebody and made again is not taken for durable."""
    local.put("d/x", b"")
    (local.root / "d/x").unlink()
    (local.root / "d").rmdir()
    recorder.calls.clear()
    local.put("d/x", b"")
    assert recorder.at("fsync", local.root)


def test_losing_put_makes_the_winner_durable(local: LocalStore, recorder: Recorder) -> None:
    """Who adopts another's object may record it: its name is synced before put returns False."""
    with LocalStore(local.root).begin("d/x") as draft:
        draft.publish()
    recorder.calls.clear()
    assert not local.put("d/x", b"")
    assert recorder.at("fsync", local.root / "d")


def test_root_is_durable_when_founded(tmp_path: Path, recorder: Recorder) -> None:
    """Every folder that founding made is synced in its parent, and the identity in the root."""
    root = tmp_path / "a" / "archive"
    LocalStore(root).found("0" * 32, CREATED)
    for folder in (root, root.parent):
        assert recorder.at("fsync", folder.parent)[-1] > recorder.at("mkdir", folder)[0]
    assert recorder.at("fsync", root)[-1] > recorder.at("link", root / "archive.json")[0]


def test_handles_are_not_leaked(local: LocalStore) -> None:
    """A long-lived process ends every operation with as many open files as before, errors included."""
    (local.root / "link").symlink_to("/")

    def use_everything() -> None:
        local.put("d/x", b"")
        local.put("d/x", b"")
        list(local.list(""))
        local.sweep(CREATED)
        for failing in (lambda: local.open("d/absent"), lambda: local.open("d"), lambda: local.put("link/x", b"")):
            with pytest.raises(PermanentError):
                failing()

    use_everything()
    before = os.listdir("/proc/self/fd") if Path("/proc/self/fd").is_dir() else []  # noqa: PTH208  # counts, no paths
    use_everything()
    after = os.listdir("/proc/self/fd") if before else []  # noqa: PTH208  # see above
    assert len(after) == len(before)


def test_a_finished_file_gets_its_key_without_a_copy(local: LocalStore, tmp_path: Path) -> None:
    """The file itself is the object, once: the same file again is no conflict, another one leaves it as it is."""
    mine, other = staged(tmp_path / "1.gz", b"mine"), staged(tmp_path / "2.gz", b"other")
    with mine.open("rb") as file, other.open("rb") as rival:
        assert local.link(file, "d/x") is True
        assert local.link(file, "d/x") is True
        assert local.link(rival, "d/x") is False
        assert os.path.samestat(os.fstat(file.fileno()), (local.root / "d/x").stat())
    mine.unlink()
    assert (local.read("d/x"), list(local.list(""))) == (b"mine", ["archive.json", "d/x"])


def test_what_was_read_is_linked_whatever_has_its_name_by_now(local: LocalStore, tmp_path: Path) -> None:
    """An attempt that wakes up late puts its own file under the staged name: the one that is open gets the key."""
    path = staged(tmp_path / "1.gz", b"read back")
    with path.open("rb") as file:
        os.link(path, tmp_path / "kept")
        staged(tmp_path / "late", b"not looked at").replace(path)
        assert local.link(file, "d/x") is True
    assert local.read("d/x") == b"read back"


def test_where_no_link_can_be_made_a_draft_is_asked_for(local: LocalStore, tmp_path: Path) -> None:
    """Another volume, a file without any name left, and folders that give their files rights of their own."""
    with another_volume(tmp_path) as folder, staged(folder / "1.gz", b"elsewhere").open("rb") as file:
        assert local.link(file, "d/x") is None
    path = staged(tmp_path / "1.gz", b"here")
    with path.open("rb") as file:
        (local.root / "group").mkdir()
        os.chown(local.root / "group", -1, 1)
        (local.root / "group").chmod(0o2750)
        assert local.link(file, "group/x") is None
        path.unlink()
        assert local.link(file, "d/x") is None
    assert list(local.list("")) == ["archive.json"]


def test_a_folder_with_an_access_list_gets_a_draft(local: LocalStore, tmp_path: Path) -> None:
    """A list that new files inherit is kept: a linked file would not have it."""
    rules = [(0x01, 7, -1), (0x04, 5, -1), (0x08, 5, 1), (0x10, 7, -1), (0x20, 0, -1)]
    (local.root / "listed").mkdir()
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *rule) for rule in rules)
    try:
        os.setxattr(local.root / "listed", "system.posix_acl_default", packed)
    except OSError as error:
        pytest.skip(f"no access lists here: {error}")
    with staged(tmp_path / "1.gz", b"here").open("rb") as file:
        assert local.link(file, "listed/x") is None


def staged(path: Path, content: bytes) -> Path:
    """A file as a finished download leaves it."""
    path.write_bytes(content)
    path.chmod(0o440)
    return path
