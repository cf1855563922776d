"""Places for streams: a bounded number at once, waited for in turn, of which no single user holds more than a share.

A burst of downloads waits here without a thread or a connection of the catalog. Users take turns, so that one who
asks for a thousand files does not make the others wait for all of them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

MOST_WAITING = 1000
"""Requests that may wait at once; each costs a connection, and a client that asks again costs no more."""


class NoPlaceError(Exception):
    """No place became free in time, or too many wait already."""


class Places:
    """``most`` places, half of them at most for one user. All calls come from one event loop."""

    def __init__(self, most: int) -> None:
        self._free, self._share = most, max(1, most // 2)
        self._held = Counter[str]()
        self._lines = dict[str, deque[anyio.Event]]()  # whose turn is next comes first

    @asynccontextmanager
    async def place(self, user: str, wait_s: float) -> AsyncIterator[None]:
        """Hold a place for ``user``; raise NoPlaceError when none becomes free within ``wait_s`` seconds."""
        await self._take(user, wait_s)
        try:
            yield
        finally:
            self._give_back(user)

    async def _take(self, user: str, wait_s: float) -> None:
        if sum(map(len, self._lines.values())) >= MOST_WAITING:
            raise NoPlaceError
        turn = anyio.Event()
        self._lines.setdefault(user, deque()).append(turn)
        self._admit()
        try:
            with anyio.move_on_after(wait_s):
                await turn.wait()
        except BaseException:
            self._leave(user, turn)
            raise
        if not turn.is_set():
            self._leave(user, turn)
            raise NoPlaceError

    def _leave(self, user: str, turn: anyio.Event) -> None:
        """Give up waiting, or the place that was given at this very moment."""
        if turn.is_set():
            self._give_back(user)
            return
        self._lines[user].remove(turn)
        if not self._lines[user]:
            del self._lines[user]

    def _give_back(self, user: str) -> None:
        self._free += 1
        self._held[user] -= 1
        self._held += Counter()  # forgets who holds none
        self._admit()

    def _admit(self) -> None:
        """Give free places to those whose turn it is."""
        while self._free and (user := next((each for each in self._lines if self._held[each] < self._share), None)):
            line = self._lines.pop(user)
            line.popleft().set()
            self._free -= 1
            self._held[user] += 1
            if line:
                self._lines[user] = line  # behind all others
