"""Files that are packed while their media arrives: every piece, every order, and a bound for what waits."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording_archive.store import bgzf
from recording_archive.store.bgzf import END_MARKER, MEMBER_BYTES
from recording_archive.store.packer import RUN_BYTES, Helpers, Packer

WAIT_S = 30


@pytest.fixture(scope="module")
def helpers() -> Iterator[Helpers]:
    """Two threads that deflate."""
    made = Helpers(2)
    yield made
    made.close()


def mixed(size: int, seed: int = 0) -> bytes:
    """Media of which some runs shrink and others do not."""
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    piece = RUN_BYTES // 2 + 977
    runs = [bytes(piece) if chance.random() < 0.5 else chance.randbytes(piece) for _ in range(size // piece + 1)]
    return b"".join(runs)[:size]


def pack(media: bytes, helpers: Helpers, *, cuts: list[int], large: bool) -> tuple[list[bytes], bytes]:
    """Pack media that comes in pieces of these sizes, over and over; return each write, and the file."""
    writes: list[bytes] = []
    packer, place, turn = Packer(writes.append, helpers), 0, 0
    buffer = bytearray(max(cuts))
    while place < len(media):
        piece = media[place : place + cuts[turn % len(cuts)]]
        buffer[: len(piece)] = piece  # as a transfer does, whose one buffer is filled again and again
        packer.add(memoryview(buffer)[: len(piece)], large=large)
        place, turn = place + len(piece), turn + 1
    packer.end()
    return writes, b"".join(writes)


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(0, 5 * RUN_BYTES),
    cuts=st.lists(st.integers(1, 2 * RUN_BYTES), min_size=1, max_size=4),
    large=st.booleans(),
)
def test_any_pieces_become_the_same_media(helpers: Helpers, size: int, cuts: list[int], large: bool) -> None:
    """However media arrives, members are cut at the same places, in order, and reading back gives it again."""
    media = mixed(size, seed=size)
    _, stored = pack(media, helpers, cuts=[max(cut, size // 200 + 1) for cut in cuts], large=large)
    found = bgzf.read_back(io.BytesIO(stored))
    assert found.size_bytes == size
    assert b"".join(block for _, block in bgzf.whole_members(io.BytesIO(stored))) == media
    assert found.members == -(-size // MEMBER_BYTES)


@pytest.mark.parametrize("large", [False, True])
def test_whatever_is_written_ends_with_a_member(helpers: Helpers, large: bool) -> None:
    """A process that is killed between two writes leaves whole members, and the marker comes last and once."""
    media = mixed(4 * RUN_BYTES + 5)
    writes, stored = pack(media, helpers, cuts=[100_001], large=large)
    end = 0
    for written in writes[:-1]:
        end += len(written)
        assert [place for place, _ in bgzf.whole_members(io.BytesIO(stored[:end]))][-1] == end
    assert writes[-1] == END_MARKER


def test_media_that_does_not_shrink_hardly_costs_deflating(monkeypatch: pytest.MonkeyPatch, helpers: Helpers) -> None:
    """One run in five is tried; a start that does not shrink hides no more than four runs of what follows."""
    tried: list[bool] = []
    real = bgzf.pack

    def counting(run: bytes, *, deflates: bool = True) -> tuple[bytes, int]:
        tried.append(deflates)
        return real(run, deflates=deflates)

    monkeypatch.setattr(bgzf, "pack", counting)
    noise = random.Random(1).randbytes(20 * RUN_BYTES)  # noqa: S311  # test media, not a secret
    _, stored = pack(noise, helpers, cuts=[RUN_BYTES], large=False)
    assert (tried.count(True), len(stored) < 1.001 * len(noise)) == (4, True)
    _, stored = pack(noise[:RUN_BYTES] + bytes(20 * RUN_BYTES), helpers, cuts=[RUN_BYTES], large=False)
    assert len(stored) < 6 * RUN_BYTES


class Slow:
    """Deflating that waits, in a helper, until it is let go."""

    def __init__(self, real: Callable[..., tuple[bytes, int]]) -> None:
        self.go, self._real = threading.Event(), real

    def __call__(self, run: bytes, *, deflates: bool = True) -> tuple[bytes, int]:
        if threading.current_thread().name.startswith("deflate"):
            assert self.go.wait(WAIT_S)
        return self._real(run, deflates=deflates)


def test_what_waits_is_bounded_for_all_files_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the helpers busy on one file, another one packs its own runs, and neither holds more than its share."""
    slow = Slow(bgzf.pack)
    monkeypatch.setattr(bgzf, "pack", slow)
    busy, media = Helpers(1), memoryview(bytes(RUN_BYTES))
    first, second = list[bytes](), list[bytes]()
    one, two = Packer(first.append, busy), Packer(second.append, busy)
    for _ in range(3):
        one.add(media, large=True)
    for _ in range(5):
        two.add(media, large=True)
    assert (len(first), len(second)) == (0, 5)
    slow.go.set()
    one.end()
    two.end()
    assert bgzf.read_back(io.BytesIO(b"".join(first))).size_bytes == 3 * RUN_BYTES
    assert bgzf.read_back(io.BytesIO(b"".join(second))).size_bytes == 5 * RUN_BYTES
    busy.close()


def test_a_file_that_is_given_up_gives_its_places_back(helpers: Helpers) -> None:
    """What was dropped is not written, and the helpers take the runs of others."""
    for _ in range(20):
        writes: list[bytes] = []
        packer = Packer(writes.append, helpers)
        for _ in range(6):
            packer.add(memoryview(bytes(RUN_BYTES)), large=True)
        before = len(writes)
        packer.drop()
        packer.end()
        assert writes[before:] == [END_MARKER]
    future = helpers.submit(bytes(10), deflates=True)
    assert future is not None
    assert future.result()[1] == 1
    helpers.done()


def test_what_the_disk_refuses_reaches_the_file_it_is_about(helpers: Helpers) -> None:
    """A write that fails ends the file; the places of its runs are free again."""

    def refuse(_: bytes) -> None:
        raise OSError("full")

    for _ in range(20):
        packer = Packer(refuse, helpers)
        with pytest.raises(OSError, match="full"):
            packer.add(memoryview(bytes(50 * RUN_BYTES)), large=True)
        packer.drop()
    future = helpers.submit(b"", deflates=True)
    assert future is not None
    helpers.done()
