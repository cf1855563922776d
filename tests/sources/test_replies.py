"""Replies of a scripted server: JSON that is read, and refusals that become errors with a remedy."""

from __future__ import annotations

import pytest

from recording_archive.errors import AccessError, PermanentError, TransientError
from recording_archive.sources.client import ApiClient
from recording_archive.sources.replies import NotFoundError, RejectedError, UnreadableError, as_object
from support.scripted_api import SECRET, Answer, ScriptedServer, error_of, unchanged


def test_a_refused_permission_is_an_access_error(server: ScriptedServer, client: ApiClient) -> None:
    """403 is final at once and says which permission, and where to give it."""
    server.script("/x", Answer(403, {"code": "missing.permissions", "message": "Unable: [recording:recording:view]"}))
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, AccessError)
    for part in ('403 missing.permissions "Unable: [recording:recording:view]"', "Roles", "recording:read"):
        assert part in str(error)
    assert len(server.asked("/x")) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"a": NaN}', b"\xff\xfe\xfd", b"[" * 200_000])
def test_a_malformed_reply_is_asked_again_then_an_error(server: ScriptedServer, client: ApiClient, body: bytes) -> None:
    """Once is an accident; three times is a PermanentError."""
    server.script("/x", Answer(body=body), Answer(body="ok"))
    assert client.get("/x", unchanged) == "ok"
    server.script("/x", Answer(body=body))
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, PermanentError)
    assert "not JSON" in str(error)
    assert len(server.asked("/x")) == 5


def test_other_refusals_are_final_and_say_why(server: ScriptedServer, client: ApiClient) -> None:
    """Status, Genesys' code and message and the correlation id that their support asks for."""
    headers = {"ININ-Correlation-Id": "corr-1"}
    server.script("/x", Answer(400, {"code": "bad.request", "message": "Invalid filter"}, headers))
    error = error_of(lambda: client.post("/x", {}, unchanged))
    assert type(error) is RejectedError
    expected = f'POST {server.base}/x: 400 bad.request "Invalid filter" (ININ-Correlation-Id corr-1)'
    assert str(error) == expected
    server.script("/x", Answer(404, [1]))
    assert isinstance(error_of(lambda: client.get("/x", unchanged)), NotFoundError)
    assert len(server.asked("/x")) == 2


def test_the_words_of_the_other_side_are_cut_and_cleaned(server: ScriptedServer, client: ApiClient) -> None:
    """No secret it echoes, no query string, no line break, and no end of a secret that the cut would leave."""
    echo = f"https://m/x?sig=canary-sig Bearer canary-a\nBasic canary-b {SECRET} "
    text = echo + "x" * (300 - len(echo)) + "canary-token-1" + "y" * 9999
    server.script("/x", Answer(400, {"code": f"c?{SECRET}", "message": text}, {"ININ-Correlation-Id": SECRET}))
    message = str(error_of(lambda: client.get("/x", unchanged)))
    assert "canary" not in message
    assert "\n" not in message
    assert len(message) < 500


def test_a_202_has_no_result_whatever_it_holds(server: ScriptedServer, client: ApiClient) -> None:
    """Its status decides: a list without entries is not the end of a list; only what was to be queued is."""
    server.script("/x", Answer(202, {"jobId": "a"}))
    assert client.get("/x", unchanged) is None
    assert client.post("/x", {}, unchanged) is None
    assert client.post("/x", {}, unchanged, queued=True) == {"jobId": "a"}
    error = error_of(lambda: client.get("/x", as_object))
    assert isinstance(error, TransientError)
    assert "202, the service has no result yet" in str(error)


def test_an_empty_reply_to_a_put_says_that_it_is_done(server: ScriptedServer, client: ApiClient) -> None:
    """Whatever the status of success; for others nothing is known."""
    server.script("/x", Answer(200, b""))
    assert client.put("/x", {}, unchanged) is None
    assert "not JSON" in str(error_of(lambda: client.post("/x", {}, unchanged)))


def test_an_unreadable_reply_still_names_its_conversations(server: ScriptedServer, client: ApiClient) -> None:
    """By the ids in its text, so that one of them can be told."""
    server.script("/x", Answer(body=b'[{"conversationId": "a", "x": NaN}, {"conversationId" : "b"}]'))
    error = error_of(lambda: client.get("/x", unchanged))
    assert isinstance(error, UnreadableError)
    assert error.names == ("a", "b")
