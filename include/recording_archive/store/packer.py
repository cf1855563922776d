"""Media packed as it arrives: members of a BGZF file, written in order while the rest is still on its way.

A small file is deflated by the thread that receives it. Runs of a large one go to `Helpers`, threads that all files of
a task share, with a bound for all of them together: so one file can use every core, and many cost no more memory than
one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from recording_archive.store import bgzf

__all__ = ["RUN_BYTES", "Helpers", "Packer"]

RUN_BYTES = 4 * bgzf.MEMBER_BYTES
"""Media bytes in one step: what a transfer receives before it hands it on, and a whole number of members."""

_STORED_RUNS = 4  # runs taken to shrink as little as the last one did; then it is tried again
_RUNS_PER_HELPER = 3


class Helpers:
    """Threads that deflate runs of large files; started when they are first needed."""

    def __init__(self, threads: int) -> None:
        self._threads = max(1, threads)
        self._slots = threading.Semaphore(_RUNS_PER_HELPER * self._threads)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def submit(self, run: bytes, *, deflates: bool) -> Future[tuple[bytes, int]] | None:
        """Begin with a run; None when all that may be under way is. Who has taken the result says `done`."""
        if not self._slots.acquire(blocking=False):
            return None
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, "deflate")
        return self._pool.submit(bgzf.pack, run, deflates=deflates)

    def done(self) -> None:
        """Give the place of a run to another one."""
        self._slots.release()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


class Packer:
    """One file that grows by whole members, in the order of its media, until `end`.

    ``write`` must take all that it is given. What is not yet written when an attempt fails is dropped with `drop`.
    """

    def __init__(self, write: Callable[[bytes], object], helpers: Helpers) -> None:
        self._write, self._helpers = write, helpers
        self._rest = bytearray()  # media of a member that is not full yet
        self._waiting: deque[Future[tuple[bytes, int]]] = deque()
        self._stored_runs = 0  # runs to store without trying

    def add(self, media: memoryview, *, large: bool) -> None:
        """Pack what arrived, but for what does not fill a member; ``large`` media may wait for helpers."""
        if self._rest or len(media) % bgzf.MEMBER_BYTES:
            self._rest += media
            cut = len(self._rest) - len(self._rest) % bgzf.MEMBER_BYTES
            whole, self._rest = bytes(memoryview(self._rest)[:cut]), self._rest[cut:]
            media = memoryview(whole)
        for start in range(0, len(media), RUN_BYTES):
            self._put(media[start : start + RUN_BYTES], large=large)

    def end(self) -> None:
        """Write what is left, and the end marker."""
        self._settle()
        if self._rest:
            self._write(bgzf.pack(bytes(self._rest))[0])
            self._rest.clear()
        self._write(bgzf.END_MARKER)

    def drop(self) -> None:
        """Forget what is not written yet."""
        self._rest.clear()
        while self._waiting:
            self._waiting.popleft().cancel()
            self._helpers.done()

    def _put(self, run: memoryview, *, large: bool) -> None:
        deflates = self._stored_runs <= 0
        self._stored_runs -= 1
        if large and deflates and self._hand_over(bytes(run)):  # the buffer behind it is filled again at once
            return
        self._settle()
        packed, _ = bgzf.pack(run, deflates=deflates)
        self._judge(len(packed), len(run), tried=deflates)
        self._write(packed)

    def _hand_over(self, run: bytes) -> bool:
        """Let a helper pack the run; False when the helpers are busy with other files."""
        while (future := self._helpers.submit(run, deflates=True)) is None:
            if not self._waiting:
                return False
            self._take()
        self._waiting.append(future)
        while self._waiting[0].done() and len(self._waiting) > 1:
            self._take()
        return True

    def _settle(self) -> None:
        while self._waiting:
            self._take()

    def _take(self) -> None:
        """Write the oldest of the runs that helpers have."""
        future = self._waiting.popleft()
        try:
            packed, members = future.result()
        finally:
            self._helpers.done()
        self._judge(len(packed), members * bgzf.MEMBER_BYTES, tried=True)
        self._write(packed)

    def _judge(self, packed: int, media: int, *, tried: bool) -> None:
        if tried and packed * 32 > media * 31:
            self._stored_runs = _STORED_RUNS
