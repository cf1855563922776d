"""Partial files: locks, resume after a crash, and a disk that refuses."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from recording_archive.errors import PermanentError, StoreError
from recording_archive.store import bgzf
from recording_archive.transfer.limits import TransferLimits
from recording_archive.transfer.transfer import Transfer
from support.media_desk import BIG, BODY, LIMITS, Desk, head_of, offsets, wait_for
from support.scripted_host import Answer, Request, ScriptedHost, ranged, raw, reply, sha256

FETCH = Path(__file__).parents[1] / "programs" / "fetch_one.py"
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class TestDisk:
    """Partial files, locks, and a disk that refuses."""

    def leave(self, desk: Desk, size: int, **note: object) -> None:
        desk.part.write_bytes(BIG[:size])
        if note:
            desk.note.write_text(json.dumps({"etag": '"e1"', "total": len(BIG), "boot": BOOT} | note))

    def test_a_partial_of_a_dead_process_is_adopted(self, desk: Desk) -> None:
        """Bytes of an earlier attempt are hashed from byte 0 and only the rest is fetched."""
        self.leave(desk, 5_000_000, total=len(BIG))
        host = desk.host(ranged(BIG))
        fetched = desk.fetch(host)
        assert (offsets(host), fetched.sha256) == ([5_000_000], sha256(BIG))
        assert fetched.wire_bytes == len(BIG) - 5_000_000
        assert (desk.target.read_bytes() == BIG, desk.left()) == (True, ["17"])

    def test_a_killed_process_leaves_a_partial_that_is_adopted(self, either: Desk) -> None:
        """SIGKILL in the middle of a body costs only what was missing, and what no whole member had room for."""
        desk = either
        silent = desk.host(raw(head_of(BIG) + BIG[:-1000], hang=True))
        victim = subprocess.Popen([sys.executable, FETCH, silent.base, str(desk.target), "0"])
        wait_for(lambda: desk.part.exists() and desk.part.stat().st_size > 8 * 2**20 and desk.note.exists())
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        size = media_in(desk.part) if desk.packed else desk.part.stat().st_size
        host = desk.host(ranged(BIG))
        assert desk.fetch(host).sha256 == sha256(BIG)
        assert offsets(host) == [size]
        assert desk.media() == BIG

    def test_a_changed_file_replaces_the_partial(self, desk: Desk) -> None:
        """Nothing of the partial remains when the media changed after the crash."""
        self.leave(desk, 5_000_000, total=len(BIG))
        other = BIG[::-1]
        assert desk.fetch(desk.host(ranged(other, etag='"e2"'))).sha256 == sha256(other)
        assert desk.target.read_bytes() == other

    def test_a_spoiled_partial_is_found_by_the_checksum(self, desk: Desk) -> None:
        """A flipped byte in what was left costs a second fetch, never a wrong file."""
        self.leave(desk, 5_000_000, total=len(BIG))
        with desk.part.open("r+b") as file:
            file.write(b"X")
        host = desk.host(ranged(BIG))
        assert desk.fetch(host, sha256(BIG)).sha256 == sha256(BIG)
        assert offsets(host) == [5_000_000, None]

    @pytest.mark.parametrize(
        "note",
        [
            {},
            {"boot": "another start of this machine"},
            {"boot": ""},
            {"etag": 'W/"e1"'},
            {"etag": None},
            {"total": 10},
            {"total": "many"},
        ],
        ids=str,
    )
    def test_a_partial_of_unknown_origin_is_not_adopted(self, desk: Desk, note: dict[str, object]) -> None:
        """Without a strong ETag and a length, or after a restart of the machine, the file is fetched from byte 0."""
        self.leave(desk, 1000, **note)
        host = desk.host(ranged(BIG))
        assert desk.fetch(host).sha256 == sha256(BIG)
        assert offsets(host) == [None]

    def test_a_complete_partial_is_confirmed_not_fetched(self, desk: Desk) -> None:
        """A crash between the last byte and the rename costs one request."""
        self.leave(desk, len(BIG), total=len(BIG))
        assert desk.fetch(desk.host(ranged(BIG))).wire_bytes == 0
        assert desk.target.read_bytes() == BIG

    def test_a_partial_in_use_is_left_alone(self, desk: Desk) -> None:
        """While another attempt holds the lock, this one works under a name of its own."""
        self.leave(desk, 1000, total=len(BIG))
        with desk.part.open("r+b") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            host = desk.host(ranged(BIG, cut=2**20), ranged(BIG))
            assert desk.fetch(host).sha256 == sha256(BIG)
            assert (desk.part.read_bytes(), desk.note.exists()) == (BIG[:1000], True)
        assert (offsets(host), desk.left()) == ([None, 2**20], ["17", "17.part", "17.resume"])

    def test_a_failure_beside_another_attempt_leaves_nothing_of_its_own(self, desk: Desk) -> None:
        """The partial and the note of the attempt that holds the lock survive the failure of the other."""
        self.leave(desk, 1000, total=len(BIG))
        with desk.part.open("r+b") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(PermanentError):
                desk.fetch(desk.host(reply(400)))
        assert desk.left() == ["17.part", "17.resume"]

    def test_a_symlink_is_not_written_through(self, desk: Desk) -> None:
        """A link under the partial's name does not lead the bytes elsewhere."""
        victim = desk.folder / "victim"
        victim.write_text("precious")
        desk.part.symlink_to(victim)
        with pytest.raises(StoreError, match="STAGING"):
            desk.fetch(desk.host(reply(200, BODY)))
        assert victim.read_text() == "precious"

    def test_a_missing_folder_is_a_store_error(self, desk: Desk) -> None:
        """A vanished staging folder concerns the whole run and names the setting."""
        host = desk.host(reply(200, BODY))
        with pytest.raises(StoreError, match="RECORDING_ARCHIVE_STAGING_URL"):
            Transfer(desk.client(host), desk.order(host, target=desk.folder / "gone" / "17")).run()

    def test_the_free_space_reserve_is_kept(self, desk: Desk) -> None:
        """A file that would eat into the reserve is refused before its first byte."""
        free = os.statvfs(desk.folder)
        reserve = free.f_bavail * free.f_frsize - 10**6
        with pytest.raises(StoreError, match="RESERVE"):
            desk.fetch(desk.host(reply(200, BODY, Content_Length=str(10**12))), limits=_reserve(10**8, 10**13))
        with pytest.raises(StoreError, match="RESERVE"):
            desk.fetch(desk.host(reply(200, BODY)), limits=_reserve(reserve * 4, 10**13))
        assert desk.left() == []

    def test_the_reserve_is_looked_at_again_on_the_way(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body of unknown length meets the reserve while it grows."""
        looked: list[int] = []
        real = os.fstatvfs
        monkeypatch.setattr(os, "fstatvfs", lambda fd: looked.append(fd) or real(fd))  # type: ignore[func-returns-value]  # counts
        desk.fetch(desk.host(ranged(BIG)), limits=replace(LIMITS, room_check_bytes=2**20))
        assert 8 <= len(looked) <= 11

    def test_a_disk_that_refuses_is_a_store_error(self, desk: Desk) -> None:
        """A write that fails in the middle stops the run with its remedy and frees the space."""
        host = desk.host(reply(200, BIG))
        command = ["prlimit", "--fsize=1000000", sys.executable, FETCH, host.base, str(desk.target), "0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "StoreError" in done.stderr
        assert "RECORDING_ARCHIVE_STAGING_URL" in done.stderr
        assert desk.left() == []

    def test_bytes_are_durable_before_they_are_visible(self, either: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file is synced, whole, while it still has its temporary name."""
        desk = either
        seen: list[tuple[int, bool]] = []
        real = os.fsync

        def fsync(descriptor: int) -> None:
            seen.append((os.fstat(descriptor).st_size, desk.target.exists()))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        desk.fetch(desk.host(reply(200, BODY)))
        assert seen == [(desk.target.stat().st_size, False)]
        assert desk.media() == BODY

    def test_staged_bytes_are_private(self, desk: Desk) -> None:
        """Nobody but the worker's user reads staged recordings."""
        desk.fetch(desk.host(reply(200, BODY)))
        assert desk.target.stat().st_mode & 0o777 == 0o600

    def test_a_packed_file_has_the_rights_of_an_object(self, packing: Desk) -> None:
        """What becomes an object by a link is one before it has a name that somebody looks for."""
        packing.fetch(packing.host(reply(200, BODY)))
        assert packing.target.stat().st_mode & 0o777 == 0o440

    def test_memory_does_not_grow_with_the_file(self, either: Desk) -> None:
        """120 MB take as much memory as 1 MB, give or take 16 MB."""
        desk = either
        peaks = [_peak(desk, desk.host(_zeros(size))) for size in (10**6, 120 * 10**6)]
        assert peaks[1] - peaks[0] < 16 * 1024


class TestPacked:
    """Packed files of a dead process: whole members stay, and nothing is trusted that does not add up."""

    def leave(self, desk: Desk, stored: bytes) -> ScriptedHost:
        desk.part.write_bytes(stored)
        desk.note.write_text(json.dumps({"etag": '"e1"', "total": len(BIG), "boot": BOOT}))
        return desk.host(ranged(BIG))

    @pytest.mark.parametrize("more", [0, 1, 17, 18, 30_000, 65_000], ids=lambda more: f"{more} bytes of the next")
    def test_a_cut_within_a_member_goes_on_at_the_one_before(self, packing: Desk, more: int) -> None:
        """Bytes of a member that is not whole are dropped; the transfer goes on where the last whole one ends."""
        whole, _ = bgzf.pack(BIG[: 20 * bgzf.MEMBER_BYTES])
        next_one, _ = bgzf.pack(BIG[20 * bgzf.MEMBER_BYTES : 21 * bgzf.MEMBER_BYTES])
        host = self.leave(packing, whole + next_one[:more])
        fetched = packing.fetch(host, sha256(BIG))
        assert offsets(host) == [20 * bgzf.MEMBER_BYTES]
        assert fetched.wire_bytes == len(BIG) - 20 * bgzf.MEMBER_BYTES
        assert (packing.media() == BIG, packing.left()) == (True, ["17.gz"])

    @pytest.mark.parametrize("marker", [0, 10, 28], ids=lambda size: f"{size} bytes of the end marker")
    def test_a_crash_before_the_sync_costs_one_request(self, packing: Desk, marker: int) -> None:
        """All media lies there, with the end marker or half of it: it is confirmed, not fetched, and ended once."""
        host = self.leave(packing, bgzf.pack(BIG)[0] + bgzf.END_MARKER[:marker])
        assert packing.fetch(host, sha256(BIG)).wire_bytes == 0
        assert packing.media() == BIG

    @pytest.mark.parametrize("alive", [False, True], ids=["of a dead process", "in use"])
    def test_a_file_that_was_ended_is_taken_up_by_who_is_not_root(self, packing: Desk, alive: bool) -> None:
        """It is read-only by then: that does not stop the next attempt, which leaves alone what another one locks."""
        host = self.leave(packing, bgzf.pack(BIG)[0] + bgzf.END_MARKER)
        packing.part.chmod(0o440)
        plain = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        with packing.part.open("rb") as other:
            if alive:
                fcntl.flock(other, fcntl.LOCK_EX)
            fetch = [*plain, sys.executable, FETCH, host.base, str(packing.target), "0"]
            subprocess.run(fetch, check=True, capture_output=True)
            assert stat.S_IMODE(os.fstat(other.fileno()).st_mode) == 0o440
        assert offsets(host) == [None if alive else len(BIG)]
        assert (packing.media() == BIG, packing.part.exists()) == (True, alive)

    @pytest.mark.parametrize("place", [0, 12, 16, 70_000, -1])
    def test_what_does_not_add_up_is_dropped(self, packing: Desk, place: int) -> None:
        """One wrong bit in what was left, and everything is fetched from byte 0."""
        stored = bytearray(bgzf.pack(BIG[: 20 * bgzf.MEMBER_BYTES])[0])
        stored[place] ^= 1
        host = self.leave(packing, bytes(stored))
        assert packing.fetch(host, sha256(BIG)).sha256 == sha256(BIG)
        assert offsets(host) == [None]
        assert packing.media() == BIG

    def test_more_than_the_file_has_is_dropped(self, packing: Desk) -> None:
        """Members that hold more media than the note tells of are somebody else's."""
        host = self.leave(packing, bgzf.pack(BIG + BIG)[0])
        assert packing.fetch(host, sha256(BIG)).sha256 == sha256(BIG)
        assert packing.media() == BIG

    def test_a_late_attempt_works_beside_the_next(self, packing: Desk) -> None:
        """An attempt that is still alive keeps its own file; both end whole, and the later name wins."""
        whole, _ = bgzf.pack(BIG[: 20 * bgzf.MEMBER_BYTES])
        host = self.leave(packing, whole)
        with packing.part.open("r+b") as late:
            fcntl.flock(late, fcntl.LOCK_EX)
            assert packing.fetch(host).sha256 == sha256(BIG)
            assert packing.media() == BIG
            late.seek(0, os.SEEK_END)
            late.write(bgzf.pack(BIG[20 * bgzf.MEMBER_BYTES :])[0] + bgzf.END_MARKER)
            late.flush()
            packing.part.rename(packing.target)
        assert packing.media() == BIG

    def test_a_format_behind_the_head_is_found_in_what_is_packed(self, packing: Desk) -> None:
        """Tags of 200 kB stand before FLAC: its first bytes are in the fourth member."""
        body = b"ID3\x04\0\0" + bytes((0, 12, 34, 10)) + bytes(200_970) + b"fLaC" + bytes(100_000)
        assert packing.fetch(packing.host(reply(200, body))).format.extension == "flac"


def media_in(path: Path) -> int:
    """How many bytes of media the whole members of a file hold."""
    with path.open("rb") as file:
        return sum(len(media) for _, media in bgzf.whole_members(file))


def _reserve(reserve: int, largest: int) -> TransferLimits:
    return replace(LIMITS, free_space_reserve_bytes=reserve, max_media_bytes=largest)


def _zeros(size: int) -> Answer:
    def answer(_: ScriptedHost, __: Request, sock: socket.socket) -> bool:
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        block = bytes(10**6)
        for _step in range(size // 10**6):
            sock.sendall(block)
        return True

    return answer


def _peak(desk: Desk, host: ScriptedHost) -> int:
    command = [sys.executable, FETCH, host.base, str(desk.target), "0"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
