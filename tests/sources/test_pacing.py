"""Waits and repeated requests of the client, against a scripted server."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.errors import PermanentError, TransientError
from recording_archive.sources.client import ApiClient
from recording_archive.sources.replies import MalformedReplyError
from support.scripted_api import Answer, FakeTime, ScriptedServer, error_of, new_client, unchanged


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
        assert client.get("/x", unchanged) == "ok"
        assert least_s <= fake_time.slept.pop() <= least_s + 1
        assert fake_time.slept == []


def test_a_wait_holds_for_every_request_of_the_client(server: ScriptedServer, fake_time: FakeTime) -> None:
    """After a 429 that was given up, the next request waits for the time that was named."""
    client = new_client(server, fake_time, attempts=1)
    server.script("/x", Answer(429, headers={"Retry-After": "30"}), Answer(body="ok"))
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, TransientError)
    assert error.retry_after_s == 30
    assert client.get("/x", unchanged) == "ok"
    assert [round(seconds) for seconds in fake_time.slept] == [30]


def test_a_used_up_allowance_is_waited_out(server: ScriptedServer, client: ApiClient, fake_time: FakeTime) -> None:
    """The rate-limit headers say when the window ends; the request that would be refused is not sent."""
    limits = {"inin-ratelimit-allowed": "300", "inin-ratelimit-reset": "12"}
    for count, slept_s in (("299", []), ("300", [12]), ("x", [12])):
        server.script("/x", Answer(headers={**limits, "inin-ratelimit-count": count}))
        client.get("/x", unchanged)
        server.script("/x", Answer())
        client.get("/x", unchanged)
        assert [round(seconds) for seconds in fake_time.slept] == slept_s


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_server_errors_back_off_exponentially_then_stay_transient(
    server: ScriptedServer, client: ApiClient, fake_time: FakeTime, status: int
) -> None:
    """Six attempts; the error says that a later try may help."""
    server.script("/x", Answer(status, b"<html>"))
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, TransientError)
    assert f"GET {server.base}/x: {status}" in str(error)
    assert [int(seconds) for seconds in fake_time.slept] == [1, 2, 4, 8, 16]
    assert len(server.asked("/x")) == 6


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


def test_a_conflict_is_asked_again_and_then_permanent(
    server: ScriptedServer, client: ApiClient, fake_time: FakeTime
) -> None:
    """What is at work elsewhere is free a moment later; what is refused three times stays refused."""
    server.script("/x", Answer(409), Answer(body="ok"))
    assert client.get("/x", unchanged) == "ok"
    assert len(fake_time.slept) == 1
    server.script("/x", *(Answer(409, {"code": "conflict", "message": "busy"}) for _ in range(3)))
    error = error_of(lambda: client.get("/x", unchanged))
    assert type(error) is PermanentError
    assert '409 conflict "busy"; asked 3 times' in str(error)
