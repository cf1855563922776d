"""Faults of whole replies, and the proof that every kind of fault shows and ends."""

from __future__ import annotations

import gzip
import json
import re
import time
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, IncompleteRead
from urllib.parse import urlsplit

import pytest
import requests

from genesys_sandbox import KINDS, Fault, Sandbox
from genesys_sandbox.settings.fault import PLATFORM
from support.sandbox_client import EVERYTHING, TIMEOUT_S, bearer, body_of, fetch, media_url, query, raw

_CHANGING = re.compile(r"sbxtoken[\w-]+|sbxsignature\w+|expires=[\d.]+|(?<=\d\.)[0-9a-f]{8}(?=\.)")
_WAITS = {"hang", "slow", "trickle"}


def outcome(sandbox: Sandbox, endpoint: str, headers: dict[str, str]) -> object:
    """One request as a client sees it: status, framing, the first 200 kB, and how the body ended."""
    recording = sandbox.library[0]
    if endpoint == "media":
        url = f"{sandbox.media_base}/media/{recording.id}.wav?{urlsplit(media_url(sandbox, recording)).query}"
        headers = {"Range": "bytes=5000-"}
    elif endpoint == "token":
        url = f"{sandbox.login_base}/login/oauth2/token"
    else:
        name = "query" if endpoint == "query" else recording.id
        url = f"{sandbox.api_base}/api/v2/recording/interactions/{name}"
    bodies = {
        "token": b"grant_type=client_credentials",
        "query": json.dumps({"filter": EVERYTHING, "limit": 5}).encode(),
    }
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        method = "POST" if endpoint in bodies else "GET"
        connection.request(method, f"{parts.path}?{parts.query}", bodies.get(endpoint), headers)
        reply = connection.getresponse()
        seen = [reply.status] + [reply.headers[n] for n in ("Content-Type", "Content-Encoding", "ETag", "Location")]
        framing = [reply.headers[n] for n in ("Content-Range", "Transfer-Encoding", "Connection")]
        missing = int(reply.headers["Content-Length"] or -1)
        body = reply.read(200_000)
        text = _CHANGING.sub("", body.decode("latin-1"))
        return seen, framing, text if endpoint != "media" else body, missing > len(body), missing < 0
    except OSError as error:
        return type(error)
    finally:
        connection.close()


@pytest.mark.parametrize(  # at the platform's endpoints whole runs meet them: test_platform_faults
    ("kind", "endpoint"), [(kind, where) for kind, places in KINDS.items() for where in places if where not in PLATFORM]
)
def test_every_fault_shows_and_ends(sandbox: Sandbox, kind: str, endpoint: str) -> None:
    """Each kind changes what the client sees at each of its endpoints, as often as asked, and not after that."""
    basic = "Basic " + b64encode(f"{sandbox.client_id}:{sandbox.client_secret}".encode()).decode()
    headers = {"Authorization": basic} if endpoint == "token" else bearer(sandbox)
    if endpoint == "media":
        fetch(media_url(sandbox, sandbox.library[0]))
    clean = outcome(sandbox, endpoint, headers)
    piece = {"token": 100, "query": 2000, "renew": 400, "media": 10_000}[endpoint]
    size = {"trickle": piece, "cut": 10, "overlap_206": 10}.get(kind)
    values = {"id": "other", "scope": "other"} if kind == "set_fields" else {}
    sandbox.faults.add(Fault(kind, endpoint, times=1, seconds=0.1, size=size, values=values))
    start = time.monotonic()
    faulty = outcome(sandbox, endpoint, headers)
    assert time.monotonic() - start >= 0.1 if kind in _WAITS else faulty != clean
    assert sandbox.faults.hits[kind]
    again = bearer(sandbox) if kind == "token_expired" else headers
    assert outcome(sandbox, endpoint, again) == clean


@pytest.mark.parametrize("size", [0, 1, 1000, 19_999])
def test_cut_delivers_exactly_so_many_bytes(sandbox: Sandbox, size: int) -> None:
    """A cut announces the whole, sends the first n bytes, and closes; every boundary can be tried."""
    sandbox.faults.add(Fault("cut", size=size))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    with pytest.raises(IncompleteRead) as caught:
        reply.read()
    assert caught.value.partial == body_of(sandbox.library[0])[:size]


def test_reset_comes_before_the_first_byte(sandbox: Sandbox) -> None:
    """A reset is a connection error without a status line, not an orderly close."""
    sandbox.faults.add(Fault("reset"))
    url = media_url(sandbox, sandbox.library[0])
    with pytest.raises(ConnectionResetError):
        raw(url)


def test_reset_midway_breaks_the_body(sandbox: Sandbox) -> None:
    """Half of the body arrives, then the connection breaks."""
    sandbox.faults.add(Fault("reset_midway"))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    with pytest.raises(ConnectionResetError):
        reply.read()


@pytest.mark.parametrize("error", [-100, 100])
def test_wrong_length_lies_about_the_body(sandbox: Sandbox, error: int) -> None:
    """Content-Length is larger or smaller than what follows; the body itself is whole."""
    sandbox.faults.add(Fault("wrong_length", size=error))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    body = body_of(sandbox.library[0])
    assert int(reply.headers["Content-Length"]) == len(body) + error
    assert reply.read(len(body)) == body[: len(body) + min(error, 0)]


@pytest.mark.parametrize(("kind", "header"), [("no_length", "Connection"), ("chunked", "Transfer-Encoding")])
def test_body_without_length_is_whole(sandbox: Sandbox, kind: str, header: str) -> None:
    """Close-delimited and chunked bodies have no Content-Length, but all bytes."""
    sandbox.faults.add(Fault(kind))
    reply = fetch(media_url(sandbox, sandbox.library[0]))
    assert "Content-Length" not in reply.headers
    assert header in reply.headers
    assert reply.content == body_of(sandbox.library[0])


def test_gzip_bomb_is_small_on_the_wire_only(sandbox: Sandbox) -> None:
    """About 48 KB with Content-Encoding: gzip become 50 MB when a client decodes them."""
    sandbox.faults.add(Fault("gzip_bomb"))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    packed = reply.read()
    assert reply.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 60_000
    assert len(gzip.decompress(packed)) > 50 * 2**20


def test_endless_body_goes_on(sandbox: Sandbox) -> None:
    """The body does not end after the recording's own bytes."""
    sandbox.faults.add(Fault("endless"))
    reply = raw(media_url(sandbox, sandbox.library[0]))
    assert len(reply.read(5_000_000)) == 5_000_000
    reply.close()


@pytest.mark.parametrize(
    ("kind", "start"), [("html_200", b"<!DOCTYPE html"), ("xml_200", b"<?xml"), ("json_200", b"{"), ("empty", b"")]
)
def test_wrong_page_has_status_200(sandbox: Sandbox, kind: str, start: bytes) -> None:
    """An error page, or nothing at all, comes as success."""
    sandbox.faults.add(Fault(kind))
    reply = fetch(media_url(sandbox, sandbox.library[0]), Range="bytes=100-")
    assert reply.status_code == 200
    assert reply.content.startswith(start) if start else reply.content == b""


def test_redirects(sandbox: Sandbox) -> None:
    """A redirect goes wherever the test says; a loop leads to itself."""
    url = media_url(sandbox, sandbox.library[0])
    sandbox.faults.add(Fault("redirect", location="http://169.254.169.254/", times=1), Fault("redirect_loop"))
    assert fetch(url).headers["Location"] == "http://169.254.169.254/"
    assert fetch(url).headers["Location"] in url


@pytest.mark.parametrize("endpoint", ["media", "query"])
def test_status_with_retry_after(sandbox: Sandbox, endpoint: str) -> None:
    """Retry-After comes as seconds, as an HTTP date not before that time, or not at all."""

    def ask() -> requests.Response:
        return query(sandbox) if endpoint == "query" else fetch(media_url(sandbox, sandbox.library[0]))

    sandbox.faults.add(
        Fault("status", endpoint, times=1, status=429, retry_after_s=2),
        Fault("status", endpoint, times=1, retry_after_s=2, retry_after_date=True),
        Fault("status", endpoint, times=1, status=500),
    )
    seconds, moment, bare = ask(), ask(), ask()
    assert (seconds.status_code, seconds.headers["Retry-After"]) == (429, "2")
    wait_s = (parsedate_to_datetime(moment.headers["Retry-After"]) - datetime.now(UTC)).total_seconds()
    assert 1 <= wait_s <= 3
    assert (bare.status_code, "Retry-After" in bare.headers) == (500, False)
