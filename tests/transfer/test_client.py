"""The client of a task: connections that transfers share, and the stop."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from recording_archive.errors import Stopped
from recording_archive.transfer.client import BUFFER_BYTES, MediaClient
from recording_archive.transfer.network import Found, Network
from recording_archive.transfer.transfer import MediaRequest, Transfer
from support.media_desk import BIG, BODY, LIMITS, Desk, has_grown, head_of, offsets, wait_for
from support.scripted_host import Answer, Request, ScriptedHost, endless, ranged, raw, reply, sha256


class TestConnections:
    """Connections are kept, and shared by threads."""

    def test_a_connection_serves_many_files(self, desk: Desk) -> None:
        """One thread keeps its connection to a host, and its answers do not mix."""
        host = desk.host(*(reply(200, BODY[:16] + bytes([n]) * 9) for n in range(5)))
        client = desk.client(host)
        for n in range(5):
            Transfer(client, desk.order(host)).run()
            assert desk.target.read_bytes() == BODY[:16] + bytes([n]) * 9
        assert host.connections == 1

    def test_a_connection_that_went_stale_costs_no_attempt(self, desk: Desk) -> None:
        """A host that closes an idle connection is asked again at once."""
        whole = reply(200, BODY)
        host = desk.host(lambda *a: whole(*a) and False, whole)
        client = desk.client(host, limits=replace(LIMITS, attempts=1))
        for _ in range(2):
            Transfer(client, desk.order(host)).run()
        assert (host.connections, desk.slept) == (2, [])

    def test_the_environment_is_not_read(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy in the environment is not used unless it was configured."""
        for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert desk.fetch(desk.host(reply(200, BODY))).size_bytes == 64

    def test_many_threads_share_a_client(self, desk: Desk) -> None:
        """Transfers of one client at the same time do not disturb each other."""
        host = desk.host(_by_path)
        client = desk.client(host)
        orders = [replace(desk.order(host), url=f"{host.base}/{n}", target=desk.folder / f"t{n}") for n in range(40)]
        pending = iter(orders)
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    order = next(pending, None)
                if order is None:
                    return
                Transfer(client, order).run()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for n in range(40):
            assert (desk.folder / f"t{n}").read_bytes() == b"RIFF" + str(n).encode() * 50_000
        assert host.connections <= 8


def _by_path(host: ScriptedHost, request: Request, sock: socket.socket) -> bool:
    return reply(200, b"RIFF" + request.path[1:].encode() * 50_000)(host, request, sock)


class TestStop:
    """A stop ends everything within a second and keeps what can be resumed."""

    @pytest.mark.parametrize("state", ["headers", "body", "trickle", "handshake", "connect", "waiting"])
    def test_a_stop_ends_whatever_it_waits_for(self, desk: Desk, state: str) -> None:
        """Connecting, TLS, headers, body, a trickle or a long Retry-After: all end at once and leave nothing."""
        with ExitStack() as stack:
            host, url = _stuck(desk, stack, state)
            client = desk.client(host, sleep=desk.stop.wait)
            assert _stopped_in(client, desk.order(host, url=url), host, desk) < 1
        assert desk.left() == []

    def test_a_resumable_partial_survives_a_stop(self, desk: Desk) -> None:
        """A large file with an ETag is kept with its note and taken up by the next attempt."""
        host = desk.host(raw(head_of(BIG) + BIG[:-1000], hang=True))
        client = desk.client(host)
        _stopped_in(client, desk.order(host), host, desk, after=lambda: has_grown(desk, len(BIG) - 300_000))
        assert desk.left() == ["17.part", "17.resume"]
        desk.stop.clear()
        size = desk.part.stat().st_size
        again = desk.host(ranged(BIG))
        assert desk.fetch(again).sha256 == sha256(BIG)
        assert (offsets(again), size) == ([size], len(BIG) - 1000)

    def test_a_stop_under_tls_keeps_only_plaintext(self, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
        """The socket is shut down below TLS: no ciphertext gets into the partial."""
        folder = tmp_path_factory.mktemp("tls")
        self_signed = "req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 -subj /CN=x -addext"
        subject = "subjectAltName=IP:127.0.0.1"
        try:
            subprocess.run(["openssl", *self_signed.split(), subject], cwd=folder, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("needs the openssl program")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "c", folder / "k")
        host = desk.host(
            endless(b'HTTP/1.1 200 OK\r\nETag: "e1"\r\nContent-Length: 999999999\r\n\r\n', BIG), tls=context
        )
        client = desk.client(host, network=Network(trusted=Found(str(folder / "c"))))
        order = desk.order(host, url=f"https://127.0.0.1:{host.port}/m")
        _stopped_in(client, order, host, desk, after=lambda: has_grown(desk, 2 * 2**20))
        kept = desk.part.read_bytes()
        assert kept == (BIG * (len(kept) // len(BIG) + 1))[: len(kept)]

    def test_a_stop_is_no_wrong_checksum(self, desk: Desk) -> None:
        """A stop is not taken for the end of a body that only the end of the connection ends."""
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        body = BODY.ljust(BUFFER_BYTES, b"x")  # nothing waits in the buffer when the stop comes
        host = desk.host(raw(head + body), raw(head + body, hang=True))
        client = desk.client(host)
        _stopped_in(
            client,
            desk.order(host, "0" * 64),
            host,
            desk,
            after=lambda: has_grown(desk, len(body) - 1) and len(host.requests) == 2,
        )
        assert desk.left() == []

    def test_after_a_stop_nothing_begins(self, desk: Desk) -> None:
        """A transfer that starts after the stop opens no connection and makes no file."""
        host = desk.host(reply(200, BODY))
        client = desk.client(host)
        client.stop()
        with pytest.raises(Stopped):
            Transfer(client, desk.order(host)).run()
        assert (host.connections, desk.left()) == (0, [])


def _stopped_in(
    client: MediaClient, order: MediaRequest, host: ScriptedHost, desk: Desk, *, after: Callable[[], bool] | None = None
) -> float:
    """Run the order in a thread, stop the client once it is under way, and return the seconds until it ended."""
    ended: list[BaseException] = []

    def work() -> None:
        try:
            Transfer(client, order).run()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(after or (lambda: bool(host.connections) or desk.part.exists()))
    time.sleep(0.1)
    begun = time.monotonic()
    client.stop()
    thread.join(10)
    assert [type(error) for error in ended] == [Stopped]
    return time.monotonic() - begun


def _stuck(desk: Desk, stack: ExitStack, state: str) -> tuple[ScriptedHost, str]:
    """A host that leaves its client in ``state``, and the URL to ask it for."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n"
    answers: dict[str, Answer] = {
        "headers": raw(head, hang=True),
        "body": raw(head + b"\r\nRIFF", hang=True),
        "trickle": _trickle,
        "waiting": reply(503, Retry_After="200"),
    }
    host = desk.host(answers.get(state, raw(b"", hang=True)))
    if state == "connect":
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        host.port = full.getsockname()[1]
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", host.port))
    scheme = "https" if state == "handshake" else "http"
    return host, f"{scheme}://127.0.0.1:{host.port}/m"


def _trickle(host: ScriptedHost, _: Request, sock: socket.socket) -> bool:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6400\r\n\r\nRIFF")
    while not host.leaving.wait(0.05):
        sock.sendall(b"x")
    return False
