"""A real HTTP server that answers the API client by script, and time that passes by sleeping."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from recording_archive.errors import ArchiveError
from recording_archive.sources.client import ApiClient

TOKEN_PATH = "/login/oauth2/token"


SECRET = "canary-secret-1"


NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    headers: Any
    body: bytes

    @property
    def authorization(self) -> str:
        """Empty where none came."""
        return str(self.headers.get("Authorization", ""))


@dataclass
class Answer:
    """One reply, or a way of not giving it: reset, cut, hang, trickle."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""


Step = Answer | Callable[[Seen], Answer]


class ScriptedServer(ThreadingHTTPServer):
    """Answers each path by its list of steps, the last one for ever; gives tokens unless scripted otherwise."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self._steps: dict[str, deque[Step]] = {}
        self.connections = 0
        self._tokens = 0
        self._lock = threading.Lock()
        self.script(TOKEN_PATH, self._token)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count the connections."""
        self.connections += 1
        super().process_request(request, client_address)

    def script(self, path: str, *steps: Step) -> None:
        """Set the steps of one path."""
        self._steps[path] = deque(steps)

    def answer(self, seen: Seen) -> Answer:
        """The next step of the path."""
        with self._lock:
            self.seen.append(seen)
            steps = self._steps.get(seen.path, deque([Answer(404)]))
            step = steps.popleft() if len(steps) > 1 else steps[0]
            return step(seen) if callable(step) else step

    def asked(self, path: str) -> list[Seen]:
        """The requests that one path got."""
        return [seen for seen in self.seen if seen.path == path]

    def _token(self, _: Seen) -> Answer:
        self._tokens += 1
        return token(access_token=f"canary-token-{self._tokens}")


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer by script."""
        size = int(self.headers.get("Content-Length", 0))
        answer = self.server.answer(Seen(self.command, self.path, self.headers, self.rfile.read(size)))
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        if answer.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        if answer.fault == "hang":
            self.server.closing.wait(10)
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (answer.fault == "cut")))
        self.end_headers()
        for byte in body if answer.fault == "trickle" else ():
            self.wfile.write(bytes([byte]))
            time.sleep(0.01)
        if answer.fault != "trickle":
            self.wfile.write(body)
        self.close_connection = answer.fault != ""

    do_POST = do_PUT = do_GET  # noqa: N815 - named by http.server


class FakeTime:
    """Time that passes by sleeping: the seconds slept are kept, and nobody waits."""

    def __init__(self, speed: float = 1.0) -> None:
        self.slept: list[float] = []
        self.passed = 0.0
        self._speed = speed

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        self.slept.append(seconds)
        self.passed += seconds

    def clock(self) -> float:
        """Monotonic seconds."""
        return time.monotonic() * self._speed + self.passed


def token(**fields: Any) -> Answer:
    """A token reply with ``fields`` changed; None leaves one out."""
    reply = {"access_token": "canary-token-x", "token_type": "Bearer", "expires_in": 3600, **fields}
    return Answer(body={key: value for key, value in reply.items() if value is not None})


def new_client(server: ScriptedServer, fake_time: FakeTime, **options: Any) -> ApiClient:
    """A client of ``server``, with a session as careless as a session can be."""
    session = options.pop("session", None) or requests.Session()
    bases = {"login_base": server.base, "api_base": server.base, "client_id": "client-1", "client_secret": SECRET}
    times = {"sleep": fake_time.sleep, "clock": fake_time.clock, "now": lambda: NOW}
    return ApiClient(session, **{**bases, **times, **options})


def unchanged(body: Any) -> Any:
    """Read a reply as it is."""
    return body


def error_of(call: Callable[[], object]) -> ArchiveError:
    """The error that ``call`` ends in."""
    with pytest.raises(ArchiveError) as caught:
        call()
    return caught.value
