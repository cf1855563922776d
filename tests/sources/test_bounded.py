"""Replies of the API within bounds, through whichever adapters a session has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests_toolbelt.adapters.socket_options import TCPKeepAliveAdapter

from recording_archive.errors import TransientError
from recording_archive.sources.transport import Transport
from recording_archive.transfer.bounds import BoundedResponse
from support.scripted_host import PATIENCE_S, Answer, ScriptedHost, raw, reply
from support.waiting_games import GAMES

TOKEN = "Bearer canary"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What must be closed."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def session(stack: ExitStack) -> requests.Session:
    """A session that keeps its connections alive, as Airflow's hook makes it."""
    session = stack.enter_context(requests.Session())
    session.trust_env = False
    session.mount("http://", TCPKeepAliveAdapter())
    return session


def asked(stack: ExitStack, session: requests.Session, *answers: Answer, count: int = 1) -> list[bytes]:
    """Ask a scripted host so many times; return the bodies."""
    host = stack.enter_context(ScriptedHost(list(answers)))
    transport = Transport(session, (5, 0.3), 1)
    return [transport.send("GET", f"{host.base}/x?secret=1", TOKEN).body for _ in range(count)]


@pytest.mark.parametrize("game", GAMES)
def test_no_reply_is_waited_for_for_ever(stack: ExitStack, session: requests.Session, game: str) -> None:
    """Whatever the API keeps sending, the request ends as one that may be repeated."""
    begun = time.monotonic()
    with pytest.raises(TransientError, match="GET http://127") as failed:
        asked(stack, session, GAMES[game])
    assert time.monotonic() - begun < PATIENCE_S  # after which the host itself would have ended
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("scheme", "game"),
    [
        ("http", "a body that drips"),
        ("http", "headers, slow"),
        ("https", "interim replies, fast"),
        ("https", "headers, slow"),
    ],
)
def test_a_proxy_is_bounded_as_well(stack: ExitStack, session: requests.Session, scheme: str, game: str) -> None:
    """Plain requests that a proxy passes on, and the tunnels it opens for others."""
    proxy = stack.enter_context(ScriptedHost([GAMES[game]]))
    session.proxies = {scheme: f"http://127.0.0.1:{proxy.port}"}
    transport = Transport(session, (5, 0.3), 1)
    with pytest.raises(TransientError):
        transport.send("GET", f"{scheme}://api.test/x", TOKEN)
    assert len(proxy.requests) == 1


def test_good_replies_are_as_they_were(stack: ExitStack, session: requests.Session) -> None:
    """Lengths, chunks, trailers, and interim replies before them."""
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    chunks = interim + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n"
    assert asked(stack, session, reply(200, b"[1]"), raw(chunks), reply(404, b""), count=3) == [b"[1]", b"{}", b""]


def test_adapters_of_others_stay(stack: ExitStack, session: requests.Session) -> None:
    """Neither keep-alive nor what else an adapter adds is lost, and binding twice does no harm."""
    before = dict(session.adapters)
    for _ in range(2):
        assert asked(stack, session, reply(200, b"{}")) == [b"{}"]
    assert dict(session.adapters) == before
    adapter = session.adapters["http://"]
    assert isinstance(adapter, HTTPAdapter)
    made = adapter.poolmanager.connection_from_url("http://127.0.0.1:1").ConnectionCls("127.0.0.1")
    assert made.response_class.func is BoundedResponse
