"""The record of requests, and counters of what was sent."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from support.sandbox_client import expect_cut, fetch, media_url, query, raw


def test_requests_are_recorded_without_secrets(sandbox: Sandbox) -> None:
    """Each request is kept with kind, host, path, headers, status and body bytes, but never the query string."""
    url = media_url(sandbox, sandbox.library[0])
    fetch(url, Range="bytes=0-99")
    token, renewal, media = sandbox.requests
    assert [request.kind for request in (token, renewal, media)] == ["token", "renew", "media"]
    assert (media.method, media.status, media.bytes_sent) == ("GET", 206, 100)
    assert (media.host, media.path) == (urlsplit(url).netloc, f"/media/{sandbox.library[0].id}.wav")
    assert media.headers["Range"] == "bytes=0-99"


def test_statistics_count_what_was_sent(sandbox: Sandbox) -> None:
    """Counters by endpoint, and media bytes as they went over the wire, cuts included."""
    size = sandbox.library[0].size_bytes
    sandbox.faults.add(Fault("cut", size=1000, times=1))
    url = media_url(sandbox, sandbox.library[0])
    expect_cut(raw(url), 1000)
    fetch(url)
    query(sandbox)
    expected = {"token": 2, "query": 1, "renew": 1, "media": 2, "media_bytes": size + 1000}
    assert sandbox.requests.statistics() == expected


def test_bytes_that_never_left_do_not_count() -> None:
    """Bytes that a client did not take before it went away are taken back from the counters."""
    options = SandboxOptions(days=1, per_day=1, min_bytes=20_000_000, max_bytes=20_000_000)
    with Sandbox(options) as sandbox, socket.socket() as client:
        url = urlsplit(media_url(sandbox, sandbox.library[0]))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((url.hostname, url.port))
        client.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.close()
        deadline = time.monotonic() + 5
        while not 0 < sandbox.requests.statistics()["media_bytes"] < 8 * 2**20:
            assert time.monotonic() < deadline
            time.sleep(0.005)
