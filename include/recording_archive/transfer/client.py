"""The client that the transfers of one task share: connections, limits, and the stop."""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from recording_archive.errors import Stopped
from recording_archive.store.packer import RUN_BYTES, Helpers
from recording_archive.transfer.allowed_hosts import CheckedHost, MediaHosts
from recording_archive.transfer.bounds import Bounds
from recording_archive.transfer.limits import TransferLimits
from recording_archive.transfer.network import DIRECT, Network
from recording_archive.transfer.pinned import PinnedConnection

CONNECTIONS_PER_THREAD = 4
BUFFER_BYTES = RUN_BYTES  # about 256 KiB, measured: docs/decisions/0002-media-client.md


class MediaClient:
    """The shared part of the transfers of one task: guard, limits, and a kept connection per thread and host.

    Thread-safe. ``sleep`` and ``clock`` are for tests; the default sleep ends when ``stop()`` is called. ``network``
    tells which hosts a proxy tunnels to, and which CAs are trusted; plain http (private hosts) goes direct.
    """

    def __init__(
        self,
        hosts: MediaHosts,
        limits: TransferLimits,
        *,
        stop: threading.Event,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
        network: Network = DIRECT,
    ) -> None:
        self.limits, self.clock, self.jitter = limits, clock, jitter
        self.helpers = Helpers(limits.helpers)
        self._hosts, self._stopping, self._sleep = hosts, stop, sleep or stop.wait
        self._network = network
        self._tls: ssl.SSLContext | None = None
        self._mine = threading.local()
        self._lock = threading.RLock()  # re-entrant: a signal may call stop() while its own thread holds it
        self._connections: set[PinnedConnection] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self) -> None:
        """End every transfer within a second or so, by shutting down the sockets they wait for."""
        self._stopping.set()
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:
            connection.interrupt()

    def close(self) -> None:
        """Close all connections, when no transfer runs any more."""
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            connection.close()
        self.helpers.close()

    def check_stop(self) -> None:
        """Raise Stopped after a stop was requested."""
        if self._stopping.is_set():
            raise Stopped("stopped")

    def pause(self, seconds: float) -> None:
        """Sleep, but not through a stop."""
        self._sleep(seconds)
        self.check_stop()

    def check(self, url: str) -> CheckedHost:
        """Ask the guard where ``url`` leads."""
        return self._hosts.check(url, proxied=lambda host, port: self._network.proxy_for(host, port) is not None)

    def buffer(self) -> memoryview:
        """Give the calling thread its buffer, made once."""
        if not hasattr(self._mine, "buffer"):
            self._mine.buffer = memoryview(bytearray(BUFFER_BYTES))
        buffer: memoryview = self._mine.buffer
        return buffer

    def connection(self, place: CheckedHost) -> PinnedConnection:
        """Give the calling thread its connection to the place's host, kept from an earlier file or new.

        A kept one goes to the address that was checked when it was opened. Few hosts are kept per thread: a signed
        URL may name one of very many.
        """
        mine: dict[tuple[str, int, bool], PinnedConnection] = self._mine.__dict__.setdefault("connections", {})
        key = (place.host, place.port, place.tls)
        connection = mine.get(key)
        if connection is not None and connection.is_open:
            return connection
        if connection is not None:
            self._discard(mine.pop(key))
        while len(mine) >= CONNECTIONS_PER_THREAD:
            self._discard(mine.pop(next(iter(mine))))
        mine[key] = self._opened(place)
        return mine[key]

    def _opened(self, place: CheckedHost) -> PinnedConnection:
        connection = PinnedConnection(
            place,
            tls=self._context() if place.tls else None,
            connect_timeout_s=self.limits.connect_timeout_s,
            bounds=Bounds(self.limits.read_timeout_s, self.limits.min_bytes_per_s),
            proxy=self._network.proxy_for(place.host, place.port) if place.tls else None,
            stopping=self._stopping,
        )
        with self._lock:
            self._connections.add(connection)
        return connection

    def _context(self) -> ssl.SSLContext:
        """The TLS context, made when it is first needed: reading certificates takes a while."""
        with self._lock:
            if self._tls is None:
                self._tls = self._network.context()
            return self._tls

    def _discard(self, connection: PinnedConnection) -> None:
        with self._lock:
            self._connections.discard(connection)
        connection.close()
