"""One place to order media from: a scripted host, a client that does not really sleep, and a staging folder."""

from __future__ import annotations

import gzip
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recording_archive.model import Fetched
from recording_archive.store import bgzf
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits
from recording_archive.transfer.transfer import MediaRequest, Transfer
from support.scripted_host import Answer, ScriptedHost

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BODY = b"RIFF\x2c\x00\x00\x00WAVEfmt " + bytes(range(48))  # 64 bytes
BIG = b"RIFF" + os.urandom(2**20) * 9  # over the 8 MiB from which a partial outlives its process
LIMITS = TransferLimits(
    connect_timeout_s=5, read_timeout_s=5, attempts=4, retry_after_max_s=300, free_space_reserve_bytes=0
)


@dataclass
class Desk:
    """One place to order media from: a scripted host, a client that does not really sleep, and a staging folder."""

    folder: Path
    stack: ExitStack
    slept: list[float] = field(default_factory=list)
    renewals: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    last: Transfer | None = None
    packed: bool = False

    @property
    def target(self) -> Path:
        return self.folder / ("17.gz" if self.packed else "17")

    @property
    def part(self) -> Path:
        return self.folder / f"{self.target.name}.part"

    @property
    def note(self) -> Path:
        return self.folder / f"{self.target.name}.resume"

    def media(self) -> bytes:
        """The media that arrived; of a packed file only when it is one that the archive would take."""
        if not self.packed:
            return self.target.read_bytes()
        with self.target.open("rb") as file:
            bgzf.read_back(file)
        return gzip.decompress(self.target.read_bytes())

    def host(self, *answers: Answer, **more: Any) -> ScriptedHost:
        return self.stack.enter_context(ScriptedHost(list(answers), **more))

    def client(self, *hosts: ScriptedHost, limits: TransferLimits = LIMITS, **more: Any) -> MediaClient:
        patterns = [f"127.0.0.1:{host.port}" for host in hosts]
        options: dict[str, Any] = {
            "sleep": self.slept.append,
            "clock": lambda: NOW,
            "jitter": lambda: 1.0,
            "stop": self.stop,
        } | more
        return self.stack.enter_context(MediaClient(MediaHosts(patterns, True), limits, **options))

    def order(self, host: ScriptedHost, checksum: str | None = None, **more: Any) -> MediaRequest:
        def renew() -> str:
            self.renewals.append("renewed")
            return f"{host.base}/m?sig=SECRET-{len(self.renewals)}"

        order = MediaRequest("i~r~0", f"{host.base}/m?sig=SECRET-0", self.target, checksum, renew, packed=self.packed)
        return replace(order, **more)

    def fetch(
        self, host: ScriptedHost, checksum: str | None = None, *, limits: TransferLimits = LIMITS, **more: Any
    ) -> Fetched:
        self.last = Transfer(self.client(host, limits=limits, **more), self.order(host, checksum))
        return self.last.run()

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def offsets(host: ScriptedHost) -> list[int | None]:
    return [request.offset for request in host.requests]


def chunked(body: bytes, *, etag: str = '"e1"', size: int = 16) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nETag: {etag}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    blocks = [body[start : start + size] for start in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks) + b"0\r\n\r\n"


def head_of(body: bytes) -> bytes:
    return f'HTTP/1.1 200 OK\r\nETag: "e1"\r\nContent-Length: {len(body)}\r\n\r\n'.encode()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)


def has_grown(desk: Desk, size: int) -> bool:
    return desk.part.exists() and desk.part.stat().st_size > size
