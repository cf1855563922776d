"""Record of requests: the last ones in full, and counters since the start."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

KEPT = 100_000


@dataclass(slots=True)
class Request:
    """One request; ``status`` 0 means that no status line was sent, ``kind`` is the endpoint or "other".

    ``host`` is the address and port it came in at, whatever its Host header says. ``path`` has no query string, for
    that of media is a secret. ``bytes_sent`` counts the body.
    """

    kind: str
    method: str
    host: str
    path: str
    headers: dict[str, str] = field(repr=False)
    status: int = 0
    bytes_sent: int = 0


class Recorder:
    """Every request but those of the control plane.

    Bytes count just before they leave: a client that has read the last byte finds it counted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Request] = deque(maxlen=KEPT)
        #: Requests since the start by kind: token, query, renew, media, other.
        self.counts: Counter[str] = Counter()
        #: Body bytes since the start by kind.
        self.sent: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Request]:
        with self._lock:
            return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def open(self, request: Request) -> None:
        """Note a request that has just come in."""
        with self._lock:
            self._kept.append(request)
            self.counts[request.kind] += 1

    def count_bytes(self, request: Request, size_bytes: int) -> None:
        """Note body bytes sent; a negative number takes back what did not leave after all."""
        with self._lock:
            request.bytes_sent += size_bytes
            self.sent[request.kind] += size_bytes

    @property
    def api_requests(self) -> int:
        """Requests that count against the API's limits: all but media and tokens."""
        with self._lock:
            return self.counts.total() - self.counts["media"] - self.counts["token"]

    def clear(self) -> None:
        """Forget everything, so that a test counts from zero."""
        with self._lock:
            self._kept.clear()
            self.counts.clear()
            self.sent.clear()

    def statistics(self) -> dict[str, int]:
        """The counters: requests by endpoint, and media bytes."""
        with self._lock:
            requests = {kind: self.counts[kind] for kind in ("token", "query", "renew", "media")}
            return {**requests, "media_bytes": self.sent["media"]}
