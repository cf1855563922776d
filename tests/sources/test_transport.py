"""Single exchanges with a scripted server: redirects, credentials, broken connections and limits."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest
import requests

from recording_archive.errors import ConfigurationError, TransientError
from recording_archive.sources.client import ApiClient
from support.scripted_api import (
    SECRET,
    TOKEN_PATH,
    Answer,
    FakeTime,
    ScriptedServer,
    error_of,
    new_client,
    token,
    unchanged,
)


@pytest.mark.parametrize("path", [TOKEN_PATH, "/x"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_never_followed(
    server: ScriptedServer, other_server: ScriptedServer, client: ApiClient, path: str, status: int
) -> None:
    """The other host sees no request, so neither token nor secret; the message names it without its query."""
    target = f"{other_server.base}/y?sig=canary-sig"
    server.script(path, Answer(status, b"", {"Location": target}))
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, ConfigurationError)
    assert other_server.base.removeprefix("http://") in str(error)
    assert "canary" not in str(error)
    assert other_server.seen == []


@pytest.mark.parametrize("location", ["/elsewhere", "http://[", "", "http://\x01/"])
def test_a_redirect_to_nowhere_is_refused_alike(server: ScriptedServer, client: ApiClient, location: str) -> None:
    """An address that cannot be read is not repeated, and is no other error."""
    server.script("/x", Answer(302, headers={"Location": location}))
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, ConfigurationError)
    assert "redirects to another place" in str(error)


def test_netrc_and_session_authentication_are_not_used(
    server: ScriptedServer, fake_time: FakeTime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the machine or the session would add, the header is ours."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session = requests.Session()
    session.headers["Authorization"] = "Basic c2Vzc2lvbg=="
    for auth in (None, ("client-1", SECRET)):
        session.auth = auth
        server.script("/x", Answer())
        new_client(server, fake_time, session=session).get("/x", unchanged)
    assert {seen.authorization[:19] for seen in server.asked("/x")} == {"Bearer canary-token"}


@pytest.mark.parametrize("fault", ["reset", "cut", "hang"])
@pytest.mark.parametrize("path", [TOKEN_PATH, "/x"])
def test_a_broken_connection_is_tried_again(server: ScriptedServer, fake_time: FakeTime, fault: str, path: str) -> None:
    """A reset before the reply, a reply cut short and no reply at all, of either host."""
    client = new_client(server, fake_time, timeout=(1, 0.2))
    good = {TOKEN_PATH: token(), "/x": Answer(body="ok")}
    for each, answer in good.items():
        server.script(each, *([Answer(fault=fault)] if each == path else []), answer)
    assert client.get("/x", unchanged) == "ok"
    assert len(server.asked(path)) == 2


def test_a_host_that_is_down_is_a_transient_error(server: ScriptedServer, fake_time: FakeTime) -> None:
    """Refused connections end as such, and cost no memory of the request in the error."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = new_client(server, fake_time, api_base=f"http://127.0.0.1:{unused.getsockname()[1]}")
        error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, TransientError)
    assert len(fake_time.slept) == 5


def test_a_reply_that_trickles_is_given_up(server: ScriptedServer, fake_time: FakeTime) -> None:
    """A byte now and then passes every read timeout, but not the time of a whole reply."""
    server.script("/x", Answer(body=b'"' + b"a" * 998 + b'"', fault="trickle"), Answer(body="ok"))
    assert new_client(server, fake_time, reply_max_s=1).get("/x", unchanged) == "ok"
    assert len(server.asked("/x")) >= 2


def test_a_reply_of_any_coding_is_decoded_within_its_cap(server: ScriptedServer, client: ApiClient) -> None:
    """32 KB that become 33 MB are refused before they are parsed."""
    headers = {"Content-Encoding": "gzip"}
    server.script("/x", Answer(body=gzip.compress(b'"' + b"a" * 10**6 + b'"'), headers=headers))
    assert len(client.get("/x", unchanged)) == 10**6
    server.script("/x", Answer(body=gzip.compress(b" " * (32 * 2**20 + 1)), headers=headers))
    assert "larger than" in str(error_of(lambda: client.get("/x", unchanged)))


def test_connections_are_used_again(server: ScriptedServer, client: ApiClient) -> None:
    """Each reply is read to its end, errors included: 50 requests are not 50 handshakes."""
    server.script("/x", Answer(500, {"a": 1}), Answer())
    for _ in range(3):
        client.get("/x", unchanged)
    assert (len(server.seen), server.connections) == (5, 1)


def test_a_request_that_cannot_be_sent_is_a_configuration_error(server: ScriptedServer, fake_time: FakeTime) -> None:
    """A base that is no web address is not tried six times."""
    error = error_of(lambda: new_client(server, fake_time, api_base="ftp://a").get("/x", unchanged))
    assert isinstance(error, ConfigurationError)
    assert fake_time.slept == []
