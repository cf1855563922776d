"""A media host that plays a script: one answer per request, the last one for ever; it records what it was asked."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Self

PATIENCE_S = 30


@dataclass(frozen=True)
class Request:
    """One request as it arrived; header names in lower case."""

    line: str
    headers: Mapping[str, str]
    connection: int

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def offset(self) -> int | None:
        """The N of ``Range: bytes=N-``."""
        text = self.headers.get("range")
        return int(text.removeprefix("bytes=").removesuffix("-")) if text else None


Answer = Callable[["ScriptedHost", Request, socket.socket], bool]
"""Writes to the socket; True keeps the connection."""


@dataclass
class ScriptedHost:
    """Serves on loopback until the ``with`` block ends."""

    answers: list[Answer]
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)
    connections: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close alone leaves it listening while accept() waits
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        self._open.append(sock)
        with contextlib.suppress(OSError):
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            with sock, sock.makefile("rb") as stream:
                while (request := _read(stream, number)) is not None:
                    self.requests.append(request)
                    answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
                    if not answer(self, request, sock):
                        return


def _read(stream: IO[bytes], number: int) -> Request | None:
    line = stream.readline().decode("latin-1").strip()
    headers = {}
    while (header := stream.readline().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Request(line, headers, number) if line else None


def reply(status: int = 200, body: bytes = b"", *, cut: int | None = None, **headers: str | None) -> Answer:
    """A fixed answer; ``cut`` ends it after so many body bytes; a header of None is left out; ``_`` means ``-``."""
    fields: dict[str, str | None] = {"Content_Length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value is not None]
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode()

    def answer(_: ScriptedHost, __: Request, sock: socket.socket) -> bool:
        sock.sendall(head + body[:cut])
        return cut is None and fields["Content_Length"] is not None

    return answer


def ranged(body: bytes, etag: str = '"e1"', *, cut: int | None = None, **headers: str | None) -> Answer:
    """An honest host: honours Range with If-Range; ``cut`` ends each answer after so many bytes."""

    def answer(host: ScriptedHost, request: Request, sock: socket.socket) -> bool:
        start = request.offset
        if start is None or request.headers.get("if-range", etag) != etag:
            return reply(200, body, cut=cut, ETag=etag, **headers)(host, request, sock)
        if start >= len(body):
            return reply(416, Content_Range=f"bytes */{len(body)}")(host, request, sock)
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return reply(206, body[start:], cut=cut, ETag=etag, Content_Range=span, **headers)(host, request, sock)

    return answer


def raw(text: bytes, *, hang: bool = False) -> Answer:
    """Bytes as they are; then the end, or nothing more until the host leaves."""

    def answer(host: ScriptedHost, _: Request, sock: socket.socket) -> bool:
        sock.sendall(text)
        if hang:
            host.leaving.wait(20)
        return False

    return answer


def drip(head: bytes, pieces: Iterable[bytes], *, every_s: float = 0.05) -> Answer:
    """``head``, then one piece after the other with a pause between; not for ever, so that who waits is found out."""

    def answer(host: ScriptedHost, _: Request, sock: socket.socket) -> bool:
        sock.sendall(head)
        ends_at = time.monotonic() + PATIENCE_S
        for piece in pieces:
            if host.leaving.wait(every_s) or time.monotonic() > ends_at:
                break
            sock.sendall(piece)
        return False

    return answer


def endless(head: bytes, block: bytes) -> Answer:
    """``head``, then ``block`` again and again, but not for ever."""

    def answer(host: ScriptedHost, _: Request, sock: socket.socket) -> bool:
        sock.sendall(head)
        ends_at = time.monotonic() + PATIENCE_S
        while not host.leaving.is_set() and time.monotonic() < ends_at:
            sock.sendall(block)
        return False

    return answer


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
