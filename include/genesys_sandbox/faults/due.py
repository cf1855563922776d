"""The faults that are switched on, and which of them are due for a request."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import replace
from fnmatch import fnmatchcase

from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.settings.fault import MODIFIERS, RANGED, Fault


class Faults:
    """The faults that are switched on, in order, and how often each has hit; ``conversations`` lists ids by number."""

    def __init__(self, conversations: Sequence[str] = (), *, seed: int = 0) -> None:
        self._conversations = conversations
        self._seed = seed
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._seen: Counter[tuple[int, str]] = Counter()
        self._spent: Counter[tuple[int, str]] = Counter()
        #: How often each kind has hit since the start; `clear` leaves it.
        self.hits: Counter[str] = Counter()

    def add(self, *faults: Fault) -> None:
        """Switch faults on, after those that already are; ValueError for a conversation that does not exist."""
        named = [self._named(fault) for fault in faults]
        with self._lock:
            self._faults += named

    def clear(self) -> None:
        """Switch every fault off and forget what was counted for it."""
        with self._lock:
            self._faults.clear()
            self._seen.clear()
            self._spent.clear()

    def due(
        self,
        endpoint: str,
        recording: Recording | None = None,
        *,
        ranged: bool = False,
        route: str = "",
        concerns: Set[str] | None = None,
    ) -> list[Fault]:
        """Every modifier that is due for this request, and the first other fault, which counts as spent.

        ``route`` is method and path; ``concerns`` are the ids of all conversations and recordings that the request is
        about, where it may be about many.
        """
        found: list[Fault] = []
        with self._lock:
            for number, fault in enumerate(self._faults):
                taken = fault.kind not in MODIFIERS and any(other.kind not in MODIFIERS for other in found)
                elsewhere = fault.endpoint != endpoint or not fnmatchcase(route, fault.route)
                if taken or elsewhere or (fault.kind in RANGED and not ranged):
                    continue
                if concerns is not None and not _meets(fault, concerns):
                    continue
                if self._hits(number, fault, recording):
                    found.append(fault)
                    self.hits[fault.kind] += 1
        return found

    def _named(self, fault: Fault) -> Fault:
        """The fault with the id of the conversation that ``#3`` stands for."""
        number = fault.recording.removeprefix("#")
        if number == fault.recording:
            return fault
        if not number.isdecimal() or int(number) >= len(self._conversations):
            last = len(self._conversations) - 1
            raise ValueError(f"recording {fault.recording!r}: the conversations are #0 to #{last}")
        return replace(fault, recording=self._conversations[int(number)])

    def _hits(self, number: int, fault: Fault, recording: Recording | None) -> bool:
        key = (number, recording.id if recording else "")
        if recording and not fnmatchcase(recording.id, fault.recording):
            return False
        self._seen[key] += 1
        nth = recording.index + self._seed if recording else self._seen[key]
        hit = self._seen[key] > fault.after and nth % fault.every == 0
        if not hit or (fault.times is not None and self._spent[key] >= fault.times):
            return False
        self._spent[key] += 1
        return True


def _meets(fault: Fault, concerns: Set[str]) -> bool:
    return fault.recording == "*" or any(fnmatchcase(name, fault.recording) for name in concerns)
