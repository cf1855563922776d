"""The API client against a real HTTP server that answers by script."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import socket
import struct
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from recording_archive.errors import AccessError, ArchiveError, ConfigurationError, PermanentError, TransientError
from recording_archive.sources.client import ApiClient
from recording_archive.sources.contracts import INTERACTIONS
from recording_archive.sources.replies import MalformedReplyError, NotFoundError, RejectedError

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

    do_POST = do_GET  # noqa: N815 - named by http.server


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


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


other_server = server


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def client(server: ScriptedServer, fake_time: FakeTime) -> ApiClient:
    return new_client(server, fake_time)


def new_client(server: ScriptedServer, fake_time: FakeTime, **options: Any) -> ApiClient:
    """A client of ``server``, with a session as careless as a session can be."""
    session = options.pop("session", None) or requests.Session()
    bases = {"login_base": server.base, "api_base": server.base, "client_id": "client-1", "client_secret": SECRET}
    times = {"sleep": fake_time.sleep, "clock": fake_time.clock, "now": lambda: NOW}
    return ApiClient(session, **{**bases, **times, **options})


def same(body: Any) -> Any:
    """Read a reply as it is."""
    return body


def error_of(call: Callable[[], object]) -> ArchiveError:
    """The error that ``call`` ends in."""
    with pytest.raises(ArchiveError) as caught:
        call()
    return caught.value


def test_one_token_serves_many_requests(server: ScriptedServer, client: ApiClient) -> None:
    """Asked for by HTTP Basic and client credentials, once; each request counts."""
    server.script("/x", Answer(body={"n": 1}))
    assert [client.get("/x", same), client.post("/x", {"limit": 1}, same)] == [{"n": 1}, {"n": 1}]
    (asked,) = server.asked(TOKEN_PATH)
    assert requests.auth._basic_auth_str("client-1", SECRET) == asked.authorization
    assert asked.body == b"grant_type=client_credentials"
    assert [seen.authorization for seen in server.asked("/x")] == ["Bearer canary-token-1"] * 2
    assert json.loads(server.asked("/x")[1].body) == {"limit": 1}
    assert client.requests == 3


@pytest.mark.parametrize(("passed_s", "tokens"), [(3230, 1), (3241, 2)])
def test_a_token_is_renewed_at_nine_tenths_of_its_life(
    server: ScriptedServer, client: ApiClient, fake_time: FakeTime, passed_s: float, tokens: int
) -> None:
    """3,600 s of life: kept before 3,240 s, renewed after."""
    server.script("/x", Answer())
    client.get("/x", same)
    fake_time.passed += passed_s
    client.get("/x", same)
    assert len(server.asked(TOKEN_PATH)) == tokens
    assert server.seen[-1].authorization == f"Bearer canary-token-{tokens}"


def test_a_token_refused_in_mid_run_is_renewed_once(server: ScriptedServer, client: ApiClient) -> None:
    """A 401 costs a new token and a repetition, no wait and no error."""
    server.script("/x", Answer(body=1), Answer(401), Answer(body=2))
    assert [client.get("/x", same), client.get("/x", same)] == [1, 2]
    assert [seen.authorization[-1] for seen in server.asked("/x")] == ["1", "1", "2"]


def test_a_new_token_refused_as_well_is_an_access_error(
    server: ScriptedServer, client: ApiClient, fake_time: FakeTime
) -> None:
    """401 twice is final, and the message says what to set where."""
    server.script("/x", Answer(401, {"code": "bad.credentials"}))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, AccessError)
    assert all(word in str(error) for word in ("401 bad.credentials", "Admin > Integrations > OAuth", "GENESYS_REGION"))
    assert (len(server.asked("/x")), len(server.asked(TOKEN_PATH)), fake_time.slept) == (2, 2, [])


@pytest.mark.parametrize("why", ["used up", "refused"])
def test_sixteen_threads_cause_one_renewal(
    server: ScriptedServer, client: ApiClient, fake_time: FakeTime, why: str
) -> None:
    """Token requests are themselves limited, so they are not made once per thread."""
    barrier = threading.Barrier(16, timeout=5)

    def refuse_the_first(seen: Seen) -> Answer:
        return Answer(401 if seen.authorization.endswith("-1") else 200)

    def call(_: int) -> None:
        barrier.wait()
        client.get("/y", same)

    server.script("/x", Answer())
    client.get("/x", same)
    server.script("/y", refuse_the_first)
    fake_time.passed += 3600 if why == "used up" else 0
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(call, range(16)))
    assert len(server.asked(TOKEN_PATH)) == 2
    assert client.requests == len(server.seen)


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ("recording:read", "interaction:read"),
        ("interaction:read x", "recording:read"),
        ("", "interaction:read and recording:read"),
    ],
)
def test_a_missing_scope_is_an_access_error(
    server: ScriptedServer, client: ApiClient, scope: str, missing: str
) -> None:
    """The message names it, and the place to set it, before any request goes out."""
    server.script(TOKEN_PATH, token(scope=scope))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, AccessError)
    assert f"lacks the scope {missing}." in str(error)
    assert "Admin > Integrations > OAuth" in str(error)
    assert not server.asked("/x")


def test_scopes_are_those_of_the_token(server: ScriptedServer, client: ApiClient, fake_time: FakeTime) -> None:
    """A reply that names none is not refused: scopes are None."""
    assert client.scopes() is None
    server.script(TOKEN_PATH, token(scope="interaction:read recording:read more"))
    assert new_client(server, fake_time).scopes() == INTERACTIONS.scopes | {"more"}


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_client_is_an_access_error(server: ScriptedServer, client: ApiClient, status: int) -> None:
    """OAuth answers an unknown client with 400 or 401; the remedy is the same, and one request is enough."""
    server.script(TOKEN_PATH, Answer(status, {"error": "invalid_client", "error_description": f"bad {SECRET}"}))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, AccessError)
    assert f'{status} invalid_client "bad …"' in str(error)
    assert "Client Credentials" in str(error)
    assert len(server.seen) == 1


def test_a_login_host_without_a_token_path_is_a_configuration_error(server: ScriptedServer, client: ApiClient) -> None:
    """404 there means the wrong host."""
    server.script(TOKEN_PATH, Answer(404))
    assert "login_base" in str(error_of(lambda: client.get("/x", same)))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"access_token": None}, "access_token"),
        ({"access_token": 7}, "access_token"),
        ({"access_token": ""}, "access_token"),
        ({"access_token": "canary-token-x\r\nX: y"}, "access_token"),
        ({"token_type": "mac"}, "token_type"),
        ({"token_type": None}, "token_type"),
        ({"expires_in": "3600"}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": 0}, "expires_in"),
        ({"scope": ["recording:read"]}, "scope"),
    ],
)
def test_a_token_reply_of_wrong_types_is_asked_again_then_an_error_that_names_the_field(
    server: ScriptedServer, client: ApiClient, fields: dict[str, Any], named: str
) -> None:
    """Three requests, then a PermanentError; no request is made with half a token."""
    server.script(TOKEN_PATH, token(**fields))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, PermanentError)
    assert named in str(error)
    assert len(server.seen) == 3


def test_an_immense_life_is_cut_to_what_genesys_cloud_grants(server: ScriptedServer, client: ApiClient) -> None:
    """An integer that no float can hold does not break the arithmetic."""
    server.script(TOKEN_PATH, token(expires_in=10**400))
    assert client.scopes() is None


def test_a_refused_permission_is_an_access_error(server: ScriptedServer, client: ApiClient) -> None:
    """403 is final at once and says which permission, and where to give it."""
    server.script("/x", Answer(403, {"code": "missing.permissions", "message": "Unable: [recording:recording:view]"}))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, AccessError)
    for part in ('403 missing.permissions "Unable: [recording:recording:view]"', "Roles", "recording:read"):
        assert part in str(error)
    assert len(server.asked("/x")) == 1


@pytest.mark.parametrize("path", [TOKEN_PATH, "/x"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_never_followed(
    server: ScriptedServer, other_server: ScriptedServer, client: ApiClient, path: str, status: int
) -> None:
    """The other host sees no request, so neither token nor secret; the message names it without its query."""
    target = f"{other_server.base}/y?sig=canary-sig"
    server.script(path, Answer(status, b"", {"Location": target}))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, ConfigurationError)
    assert other_server.base.removeprefix("http://") in str(error)
    assert "canary" not in str(error)
    assert other_server.seen == []


@pytest.mark.parametrize("location", ["/elsewhere", "http://[", "", "http://\x01/"])
def test_a_redirect_to_nowhere_is_refused_alike(server: ScriptedServer, client: ApiClient, location: str) -> None:
    """An address that cannot be read is not repeated, and is no other error."""
    server.script("/x", Answer(302, headers={"Location": location}))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, ConfigurationError)
    assert "redirects to another place" in str(error)


def test_the_token_goes_to_the_api_and_the_secret_to_the_login_host(
    server: ScriptedServer, other_server: ScriptedServer, fake_time: FakeTime
) -> None:
    """Neither host ever sees the other's credentials."""
    other_server.script("/x", Answer())
    new_client(server, fake_time, api_base=other_server.base).get("/x", same)
    assert [seen.authorization[:5] for seen in server.seen] == ["Basic"]
    assert [seen.authorization for seen in other_server.seen] == ["Bearer canary-token-1"]


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
        new_client(server, fake_time, session=session).get("/x", same)
    assert {seen.authorization[:19] for seen in server.asked("/x")} == {"Bearer canary-token"}


@pytest.mark.parametrize(
    ("headers", "least_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Sat, 21 Nov 2026 12:00:09 GMT"}, 9),
        ({"Retry-After": "Sat, 21 Nov 2026 12:00:09 GMT", "Date": "Sat, 21 Nov 2026 12:00:04 GMT"}, 5),
        ({"Retry-After": "Sat, 21 Nov 2020 12:00:00 GMT"}, 0),
        ({"Retry-After": "9" * 400}, 300),
        ({"Retry-After": "soon"}, 1),
        ({}, 1),
    ],
)
def test_retry_after_is_waited_for(
    server: ScriptedServer, client: ApiClient, fake_time: FakeTime, headers: Any, least_s: int
) -> None:
    """Seconds, or a date counted from the server's own clock, capped; with neither, the usual backoff."""
    for status in (429, 503):
        server.script("/x", Answer(status, headers=headers), Answer(body="ok"))
        assert client.get("/x", same) == "ok"
        assert least_s <= fake_time.slept.pop() <= least_s + 1
        assert fake_time.slept == []


def test_a_wait_holds_for_every_request_of_the_client(server: ScriptedServer, fake_time: FakeTime) -> None:
    """After a 429 that was given up, the next request waits for the time that was named."""
    client = new_client(server, fake_time, attempts=1)
    server.script("/x", Answer(429, headers={"Retry-After": "30"}), Answer(body="ok"))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, TransientError)
    assert error.retry_after_s == 30
    assert client.get("/x", same) == "ok"
    assert [round(seconds) for seconds in fake_time.slept] == [30]


def test_a_used_up_allowance_is_waited_out(server: ScriptedServer, client: ApiClient, fake_time: FakeTime) -> None:
    """The rate-limit headers say when the window ends; the request that would be refused is not sent."""
    limits = {"inin-ratelimit-allowed": "300", "inin-ratelimit-reset": "12"}
    for count, slept_s in (("299", []), ("300", [12]), ("x", [12])):
        server.script("/x", Answer(headers={**limits, "inin-ratelimit-count": count}))
        client.get("/x", same)
        server.script("/x", Answer())
        client.get("/x", same)
        assert [round(seconds) for seconds in fake_time.slept] == slept_s


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_server_errors_back_off_exponentially_then_stay_transient(
    server: ScriptedServer, client: ApiClient, fake_time: FakeTime, status: int
) -> None:
    """Six attempts; the error says that a later try may help."""
    server.script("/x", Answer(status, b"<html>"))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, TransientError)
    assert f"GET {server.base}/x: {status}" in str(error)
    assert [int(seconds) for seconds in fake_time.slept] == [1, 2, 4, 8, 16]
    assert len(server.asked("/x")) == 6


@pytest.mark.parametrize("fault", ["reset", "cut", "hang"])
@pytest.mark.parametrize("path", [TOKEN_PATH, "/x"])
def test_a_broken_connection_is_tried_again(server: ScriptedServer, fake_time: FakeTime, fault: str, path: str) -> None:
    """A reset before the reply, a reply cut short and no reply at all, of either host."""
    client = new_client(server, fake_time, timeout=(1, 0.2))
    good = {TOKEN_PATH: token(), "/x": Answer(body="ok")}
    for each, answer in good.items():
        server.script(each, *([Answer(fault=fault)] if each == path else []), answer)
    assert client.get("/x", same) == "ok"
    assert len(server.asked(path)) == 2


def test_a_host_that_is_down_is_a_transient_error(server: ScriptedServer, fake_time: FakeTime) -> None:
    """Refused connections end as such, and cost no memory of the request in the error."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = new_client(server, fake_time, api_base=f"http://127.0.0.1:{unused.getsockname()[1]}")
        error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, TransientError)
    assert len(fake_time.slept) == 5


def test_a_reply_that_trickles_is_given_up(server: ScriptedServer) -> None:
    """A byte now and then passes every read timeout; five minutes for one reply do not."""
    hurried = FakeTime(speed=10_000)
    server.script(TOKEN_PATH, token(expires_in=172_800))
    server.script("/x", Answer(body=b'"' + b"a" * 98 + b'"', fault="trickle"), Answer(body="ok"))
    assert new_client(server, hurried).get("/x", same) == "ok"
    assert len(server.asked("/x")) == 2


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"a": NaN}', b"\xff\xfe\xfd", b"[" * 200_000])
def test_a_malformed_reply_is_asked_again_then_an_error(server: ScriptedServer, client: ApiClient, body: bytes) -> None:
    """Once is an accident; three times is a PermanentError."""
    server.script("/x", Answer(body=body), Answer(body="ok"))
    assert client.get("/x", same) == "ok"
    server.script("/x", Answer(body=body))
    error = error_of(lambda: client.get("/x", same))
    assert isinstance(error, PermanentError)
    assert "not JSON" in str(error)
    assert len(server.asked("/x")) == 5


def test_what_the_reader_finds_malformed_is_treated_alike(server: ScriptedServer, client: ApiClient) -> None:
    """The field that the reader names is in the message; accidents of other kinds between do not count."""

    def read(body: Any) -> Any:
        if body != "ok":
            raise MalformedReplyError("results[3].id is missing")
        return body

    bad, busy = Answer(body="?"), Answer(500)
    server.script("/x", bad, busy, bad, busy, Answer(body="ok"))
    assert client.get("/x", read) == "ok"
    server.script("/x", bad)
    assert f"GET {server.base}/x: results[3].id is missing" in str(error_of(lambda: client.get("/x", read)))


def test_a_reply_of_any_coding_is_decoded_within_its_cap(server: ScriptedServer, client: ApiClient) -> None:
    """32 KB that become 33 MB are refused before they are parsed."""
    headers = {"Content-Encoding": "gzip"}
    server.script("/x", Answer(body=gzip.compress(b'"' + b"a" * 10**6 + b'"'), headers=headers))
    assert len(client.get("/x", same)) == 10**6
    server.script("/x", Answer(body=gzip.compress(b" " * (32 * 2**20 + 1)), headers=headers))
    assert "larger than" in str(error_of(lambda: client.get("/x", same)))


def test_connections_are_used_again(server: ScriptedServer, client: ApiClient) -> None:
    """Each reply is read to its end, errors included: 50 requests are not 50 handshakes."""
    server.script("/x", Answer(500, {"a": 1}), Answer())
    for _ in range(3):
        client.get("/x", same)
    assert (len(server.seen), server.connections) == (5, 1)


def test_other_refusals_are_final_and_say_why(server: ScriptedServer, client: ApiClient) -> None:
    """Status, Genesys' code and message and the correlation id that their support asks for."""
    headers = {"ININ-Correlation-Id": "corr-1"}
    server.script("/x", Answer(400, {"code": "bad.request", "message": "Invalid filter"}, headers))
    error = error_of(lambda: client.post("/x", {}, same))
    assert type(error) is RejectedError
    expected = f'POST {server.base}/x: 400 bad.request "Invalid filter" (ININ-Correlation-Id corr-1)'
    assert str(error) == expected
    server.script("/x", Answer(404, [1]))
    assert isinstance(error_of(lambda: client.get("/x", same)), NotFoundError)
    assert len(server.asked("/x")) == 2


def test_the_words_of_the_other_side_are_cut_and_cleaned(server: ScriptedServer, client: ApiClient) -> None:
    """No secret it echoes, no query string, no line break, and no end of a secret that the cut would leave."""
    echo = f"https://m/x?sig=canary-sig Bearer canary-a\nBasic canary-b {SECRET} "
    text = echo + "x" * (300 - len(echo)) + "canary-token-1" + "y" * 9999
    server.script("/x", Answer(400, {"code": f"c?{SECRET}", "message": text}, {"ININ-Correlation-Id": SECRET}))
    message = str(error_of(lambda: client.get("/x", same)))
    assert "canary" not in message
    assert "\n" not in message
    assert len(message) < 500


def test_a_request_that_cannot_be_sent_is_a_configuration_error(server: ScriptedServer, fake_time: FakeTime) -> None:
    """A base that is no web address is not tried six times."""
    error = error_of(lambda: new_client(server, fake_time, api_base="ftp://a").get("/x", same))
    assert isinstance(error, ConfigurationError)
    assert fake_time.slept == []


def test_the_path_cannot_name_another_host(server: ScriptedServer, client: ApiClient) -> None:
    """``@evil.example`` after the base would make the base a user name."""
    with pytest.raises(ValueError, match="api_base"):
        client.get("@127.0.0.1/x", same)
    assert server.seen == []


encoded = base64.b64encode(f"client-1:{SECRET}".encode()).decode()
FINE = {("401 later", TOKEN_PATH), ("no token", "/x")}  # what a host cannot say, and what is no fault there
FAULTS: dict[str, tuple[Step, ...]] = {
    "401": (Answer(401, {"message": f"{SECRET} with {encoded}"}),),
    "401 later": (Answer(401, {"message": "canary-token-1"}), Answer(401, {"message": "canary-token-1, -2"})),
    "403": (Answer(403, {"message": "Bearer canary-token-1"}),),
    "400": (Answer(400, {"message": "https://m/?sig=canary-sig"}),),
    "302": (Answer(302, headers={"Location": "https://u:canary-pw@m/canary-path?sig=canary-sig"}),),
    "429": (Answer(429, {"message": f"Basic canary-b {SECRET}"}),),
    "500": (Answer(500, {"code": SECRET}),),
    "reset": (Answer(fault="reset"),),
    "cut": (Answer(body={"mediaUrl": "https://m/?sig=canary-sig"}, fault="cut"),),
    "no token": (token(access_token="canary-token-x", token_type="?"),),
    "malformed": (Answer(body=b'{"mediaUrl": "https://m/?sig=canary-sig"'),),
}


@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name in FAULTS for path in (TOKEN_PATH, "/x") if (name, path) not in FINE]
)
def test_no_fault_shows_a_secret(
    server: ScriptedServer, client: ApiClient, caplog: pytest.LogCaptureFixture, name: str, path: str
) -> None:
    """Canaries in token, secret, signature and echo are in no message, trace, representation or log line.

    Nor is any exception of a lower layer, which could carry them.
    """
    caplog.set_level(logging.DEBUG)
    server.script(path, *FAULTS[name])
    error = error_of(lambda: client.get("/x", same))
    shown = "".join([*traceback.format_exception(error), repr(error), repr(client), repr(client._token), caplog.text])
    assert "canary" not in shown
    assert encoded not in shown
    assert all(isinstance(each, ArchiveError) for each in chain_of(error))


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """The exceptions that a trace of ``error`` shows."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
