"""Replies that end: a deadline for the head, a floor for the speed of a body, and budgets for all that is no body.

A timeout of a socket starts again with every byte, so that a byte now and then waits for ever; and `http.client` reads
interim replies, headers, chunk extensions and trailers as long as they come. Here each read of the socket is measured.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

HEAD_MAX_BYTES = 256 * 1024  # interim replies, status and headers together
FRAME_MAX_BYTES = 128 * 1024  # one chunk's extension, or the trailers; `http.client` takes 64 KiB for a line
FRAMING_RATIO, FRAMING_FREE_BYTES = 8, 2**20  # most bytes received for each of a body; a chunk of one costs six
BUFFER_BYTES = 8192
_INTERIM = range(102, 200)


class TooSlowError(TimeoutError):
    """Less came than had to come by now."""


class TooMuchError(OSError):
    """More came than a head, a frame or a reply may have."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one reply.

    ``timeout_s`` is for a read, for the whole head, and for each look at the speed of a body, which may not fall below
    ``min_bytes_per_s`` while we wait for it. ``total_s`` and ``max_bytes`` are for a reply as a whole, where given.
    """

    timeout_s: float
    min_bytes_per_s: float = 0
    total_s: float | None = None
    max_bytes: int | None = None


class Meter:
    """Measures what one reply takes, and ends it when it takes too much; ``received`` counts its bytes so far."""

    def __init__(self, sock: socket.socket, bounds: Bounds, clock: Callable[[], float] = time.monotonic) -> None:
        self.received = 0
        self._sock, self._bounds, self._clock = sock, bounds, clock
        self._ends_at = clock() + bounds.total_s if bounds.total_s is not None else None
        self._head_ends_at: float | None = clock() + bounds.timeout_s
        self._may_receive = HEAD_MAX_BYTES
        self._waited_s = self._came = 0.0

    def begin_body(self) -> None:
        """Note that the head is complete."""
        self._head_ends_at = None
        self.expect(BUFFER_BYTES, 0)

    def expect(self, size: int, useful: int) -> None:
        """Allow one more read of ``size`` bytes of a body, with its frame; ``useful`` bytes of body came by now.

        A reply that is bounded as a whole needs no such permission.
        """
        if self._bounds.max_bytes is not None:
            self._may_receive = self._bounds.max_bytes
            return
        if self.received > FRAMING_RATIO * useful + FRAMING_FREE_BYTES:
            raise TooMuchError(f"{self.received} bytes for {useful} of media")
        self._may_receive = self.received + size + FRAME_MAX_BYTES

    def read(self, read: Callable[[], int]) -> int:
        """Do one read of the socket; raise TooSlowError or TooMuchError."""
        began = self._clock()
        count = self._in_time(read, began)
        self.received += count
        if self.received > self._may_receive:
            raise TooMuchError(f"{self.received} bytes without an end of the {self._phase}")
        if self._head_ends_at is None:
            self._look_at_speed(self._clock() - began, count)
        return count

    @property
    def _phase(self) -> str:
        return "reply" if self._head_ends_at is None else "headers"

    def _in_time(self, read: Callable[[], int], now: float) -> int:
        """Read before the nearest deadline, if there is one; the socket has its own timeout again afterwards."""
        deadline = min((at for at in (self._head_ends_at, self._ends_at) if at is not None), default=None)
        if deadline is None:
            return read()
        usual_s = self._sock.gettimeout()
        left_s = deadline - now
        if left_s > 0 and (usual_s is None or usual_s <= left_s):
            return read()
        late = TooSlowError(f"no complete {self._phase} in time")
        if left_s <= 0:
            raise late
        self._sock.settimeout(left_s)
        try:
            return read()
        except TimeoutError as error:
            if self.received == 0:  # silence, which has its own name
                raise
            raise late from error
        finally:
            self._sock.settimeout(usual_s)

    def _look_at_speed(self, waited_s: float, count: int) -> None:
        """Compare the speed with the floor after each stretch of waiting; our own work in between does not count."""
        self._waited_s += waited_s
        self._came += count
        if self._waited_s >= self._bounds.timeout_s:
            if self._came < self._bounds.min_bytes_per_s * self._waited_s:
                raise TooSlowError(f"only {self._came:.0f} bytes in {self._waited_s:.1f} s")
            self._waited_s = self._came = 0.0


class BoundedResponse(http.client.HTTPResponse):
    """A reply within bounds. Interim replies are passed over, and a head that breaks off is an error.

    `http.client` takes the end of the connection for the blank line that ends a head.
    """

    def __init__(self, sock: socket.socket, *args: object, bounds: Bounds, **kwargs: object) -> None:
        super().__init__(sock, *args, **kwargs)  # type: ignore[arg-type]  # debuglevel, method and url, as they come
        self.meter = Meter(sock, bounds)
        self.fp.close()
        self.fp = io.BufferedReader(_Measured(sock.makefile("rb", buffering=0), self.meter), BUFFER_BYTES)

    def begin(self) -> None:
        """Read status and headers; IncompleteRead when they break off."""
        if self.headers is not None:
            return
        stream = self.fp
        lines = cast("io.BufferedReader", _Lines(stream))  # begin() only reads lines, or closes
        self.fp = lines
        try:
            super().begin()
            while self.status in _INTERIM:
                self.headers = self.msg = None  # else begin() returns at once
                super().begin()
        finally:
            if self.fp is lines:  # on a broken status line begin() has closed and dropped it
                self.fp = stream
        self.meter.begin_body()


def bounded(bounds: Bounds) -> Callable[..., BoundedResponse]:
    """Make the ``response_class`` of a connection."""
    return partial(BoundedResponse, bounds=bounds)


class _Measured(io.RawIOBase):
    """The socket's file, each of whose reads goes past the meter."""

    def __init__(self, raw: io.RawIOBase, meter: Meter) -> None:
        self._raw, self._meter = raw, meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return self._meter.read(lambda: self._raw.readinto(buffer) or 0)  # type: ignore[arg-type]  # a buffer, as given

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Lines:
    """Reads lines of a head, of which the last may not be missing."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._begun = False

    def readline(self, limit: int = -1) -> bytes:
        """One whole line; nothing at all is passed on only where a status line would begin."""
        line = self._stream.readline(limit)
        if not line.endswith(b"\n") and len(line) != limit and (line or self._begun):
            raise http.client.IncompleteRead(b"")
        self._begun = True
        return line

    def close(self) -> None:
        self._stream.close()
