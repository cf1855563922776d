"""Tokens, their path and their secrecy: the API client against a real HTTP server that answers by script."""

from __future__ import annotations

import base64
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from recording_archive.errors import AccessError, ArchiveError, PermanentError
from recording_archive.sources.client import ApiClient
from recording_archive.sources.contracts import INTERACTIONS
from support.scripted_api import (
    SECRET,
    TOKEN_PATH,
    Answer,
    FakeTime,
    ScriptedServer,
    Seen,
    Step,
    error_of,
    new_client,
    token,
    unchanged,
)


def test_one_token_serves_many_requests(server: ScriptedServer, client: ApiClient) -> None:
    """Asked for by HTTP Basic and client credentials, once; each request counts."""
    server.script("/x", Answer(body={"n": 1}))
    assert [client.get("/x", unchanged), client.post("/x", {"limit": 1}, unchanged)] == [{"n": 1}, {"n": 1}]
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
    client.get("/x", unchanged)
    fake_time.passed += passed_s
    client.get("/x", unchanged)
    assert len(server.asked(TOKEN_PATH)) == tokens
    assert server.seen[-1].authorization == f"Bearer canary-token-{tokens}"


def test_a_token_refused_in_mid_run_is_renewed_once(server: ScriptedServer, client: ApiClient) -> None:
    """A 401 costs a new token and a repetition, no wait and no error."""
    server.script("/x", Answer(body=1), Answer(401), Answer(body=2))
    assert [client.get("/x", unchanged), client.get("/x", unchanged)] == [1, 2]
    assert [seen.authorization[-1] for seen in server.asked("/x")] == ["1", "1", "2"]


def test_a_new_token_refused_as_well_is_an_access_error(
    server: ScriptedServer, client: ApiClient, fake_time: FakeTime
) -> None:
    """401 twice is final, and the message says what to set where."""
    server.script("/x", Answer(401, {"code": "bad.credentials"}))
    error = error_of(lambda: client.get("/x", unchanged))
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
        client.get("/y", unchanged)

    server.script("/x", Answer())
    client.get("/x", unchanged)
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
    error = error_of(lambda: client.get("/x", unchanged))
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
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, AccessError)
    assert f'{status} invalid_client "bad …"' in str(error)
    assert "Client Credentials" in str(error)
    assert len(server.seen) == 1


def test_a_login_host_without_a_token_path_is_a_configuration_error(server: ScriptedServer, client: ApiClient) -> None:
    """404 there means the wrong host."""
    server.script(TOKEN_PATH, Answer(404))
    assert "login_base" in str(error_of(lambda: client.get("/x", unchanged)))


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
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, PermanentError)
    assert named in str(error)
    assert len(server.seen) == 3


def test_an_immense_life_is_cut_to_what_genesys_cloud_grants(server: ScriptedServer, client: ApiClient) -> None:
    """An integer that no float can hold does not break the arithmetic."""
    server.script(TOKEN_PATH, token(expires_in=10**400))
    assert client.scopes() is None


def test_the_token_goes_to_the_api_and_the_secret_to_the_login_host(
    server: ScriptedServer, other_server: ScriptedServer, fake_time: FakeTime
) -> None:
    """Neither host ever sees the other's credentials."""
    other_server.script("/x", Answer())
    new_client(server, fake_time, api_base=other_server.base).get("/x", unchanged)
    assert [seen.authorization[:5] for seen in server.seen] == ["Basic"]
    assert [seen.authorization for seen in other_server.seen] == ["Bearer canary-token-1"]


def test_the_path_cannot_name_another_host(server: ScriptedServer, client: ApiClient) -> None:
    """``@evil.example`` after the base would make the base a user name."""
    with pytest.raises(ValueError, match="api_base"):
        client.get("@127.0.0.1/x", unchanged)
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
    error = error_of(lambda: client.get("/x", unchanged))
    shown = "".join([*traceback.format_exception(error), repr(error), repr(client), repr(client._token), caplog.text])
    assert "canary" not in shown
    assert encoded not in shown
    assert all(isinstance(each, ArchiveError) for each in chain_of(error))


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """The exceptions that a trace of ``error`` shows."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
