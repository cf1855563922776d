"""Faults on demand: what goes wrong, at which endpoint, for which recordings, how often.

A fault is a value; `Faults` counts and says which are due for a request. What the kinds do is in `disturb` (a reply
as a whole), `media_faults` (ranges, ETags, bytes) and `query_faults` (the content of API replies).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genesys_sandbox.library import Recording

_API = ("token", "query", "renew")
#: The endpoints of the platform API.
PLATFORM = ("details", "jobs", "batch", "poll", "playback", "metadata", "restore", "inventory", "orphans", "directory")
_ANYWHERE = (*_API, *PLATFORM, "media")
_LISTED: tuple[tuple[tuple[str, ...], str], ...] = (
    (_ANYWHERE, "status reset reset_midway cut hang slow trickle empty html_200 xml_200 json_200"),
    (_ANYWHERE, "wrong_length no_length chunked gzip_bomb endless redirect redirect_loop"),
    ((*_API, *PLATFORM), "malformed_json wrong_types missing_fields set_fields unauthorized forbidden"),
    (("query", "renew", *PLATFORM), "token_expired not_found"),
    (("query",), "duplicate_entries reordered repeat_page_token empty_page_with_token"),
    (("token",), "scope"),
    (("media",), "wrong_bytes overlap_206 ignore_range range_416 etag_changes weak_etag no_etag expired"),
)
#: Every kind of fault, with the endpoints that know it.
KINDS: Mapping[str, tuple[str, ...]] = {kind: where for where, kinds in _LISTED for kind in kinds.split()}
#: These change a header or a field, so they come on top of another fault instead of taking its turn.
MODIFIERS = frozenset({"etag_changes", "weak_etag", "no_etag", "wrong_types", "missing_fields", "set_fields"})
#: These wait for a request with a Range.
_RANGED = frozenset({"overlap_206", "ignore_range", "range_416"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Where: ``endpoint`` is token, query, renew, media or one of PLATFORM; ``recording`` is an id or a glob of ids. For
    media and renew requests ``times`` counts per recording and ``every`` picks every n-th recording by index and seed;
    for all others both count requests. ``after`` lets that many pass first; ``times=None`` never ends.

    How: ``status`` (default 503; 403 for expired, 302 for redirects) with ``retry_after_s``, as seconds or, with
    ``retry_after_date``, as an HTTP date; ``seconds`` to wait (per piece when trickling); ``size`` in bytes: where to
    cut or to turn a bit, how much to add to Content-Length, to overlap, or to send at a time; ``name`` of the field of
    an API reply to leave out or give a wrong type, or ``values`` to put into fields (in a query reply: of the entries
    that ``recording`` matches); ``location`` of a redirect; ``scope`` that a token reply names.

    Raises ValueError when the kind is unknown or not known at the endpoint, or a value makes no sense.
    """

    kind: str
    endpoint: str = "media"
    recording: str = "*"
    times: int | None = None
    every: int = 1
    after: int = 0
    status: int | None = None
    retry_after_s: float | None = None
    retry_after_date: bool = False
    seconds: float | None = None
    size: int | None = None
    name: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    location: str = "http://127.0.0.1:9/"
    scope: str = "recording:read"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault {self.kind!r} is unknown; known are {', '.join(sorted(KINDS))}")
        if self.endpoint not in KINDS[self.kind]:
            raise ValueError(f"fault {self.kind!r} occurs at {', '.join(KINDS[self.kind])}, not at {self.endpoint!r}")
        if (self.kind == "set_fields") != bool(self.values):
            raise ValueError("values are what set_fields puts into fields: give both or neither")
        if self.every < 1 or self.after < 0 or (self.times is not None and self.times < 1):
            raise ValueError(f"every={self.every}, after={self.after}, times={self.times}: must be at least 1, 0 and 1")


#: Faults by name. All of "transient" is overcome by a client that retries, resumes and renews.
PRESETS: Mapping[str, tuple[Fault, ...]] = {
    "none": (),
    "transient": (
        Fault("reset_midway", every=7, times=1),
        Fault("status", every=11, times=1, status=503, retry_after_s=1),
        Fault("expired", every=13, times=1),
        Fault("reset", every=17, times=1),
        Fault("status", "query", times=1, status=429, retry_after_s=1),
    ),
    "storm": tuple(Fault("status", kind, times=3, status=429, retry_after_s=1) for kind in PLATFORM),
}


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
        """What this request meets: every modifier that is due, and the first other fault, which counts as spent."""
        found: list[Fault] = []
        with self._lock:
            for number, fault in enumerate(self._faults):
                taken = fault.kind not in MODIFIERS and any(other.kind not in MODIFIERS for other in found)
                if taken or fault.endpoint != endpoint or (fault.kind in _RANGED and not ranged):
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
