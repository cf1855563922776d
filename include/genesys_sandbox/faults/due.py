"""The faults that are switched on, and which of them are due for a request."""

from __future__ import annotations

import threading
from collections import Counter
from fnmatch import fnmatchcase

from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.settings.fault import MODIFIERS, PRESETS, RANGED, Fault


class Faults:
    """The faults that are switched on, in order, and how often each has hit."""

    def __init__(self, *, seed: int = 0, preset: str = "none") -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._faults: list[Fault] = list(PRESETS[preset])
        self._seen: Counter[tuple[int, str]] = Counter()
        self._spent: Counter[tuple[int, str]] = Counter()
        #: How often each kind has hit since the start; `clear` leaves it.
        self.hits: Counter[str] = Counter()

    def add(self, *faults: Fault) -> None:
        """Switch faults on, after those that already are."""
        with self._lock:
            self._faults += faults

    def clear(self) -> None:
        """Switch every fault off and forget what was counted for it."""
        with self._lock:
            self._faults.clear()
            self._seen.clear()
            self._spent.clear()

    def due(self, endpoint: str, recording: Recording | None = None, *, ranged: bool = False) -> list[Fault]:
        """Every modifier that is due for this request, and the first other fault, which counts as spent."""
        found: list[Fault] = []
        with self._lock:
            for number, fault in enumerate(self._faults):
                taken = fault.kind not in MODIFIERS and any(other.kind not in MODIFIERS for other in found)
                if taken or fault.endpoint != endpoint or (fault.kind in RANGED and not ranged):
                    continue
                if self._hits(number, fault, recording):
                    found.append(fault)
                    self.hits[fault.kind] += 1
        return found

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
