"""Faults in the content of API replies."""

from __future__ import annotations

from datetime import datetime

import pytest

from genesys_sandbox import Fault, Sandbox
from support.sandbox_client import all_ids, ask_token, bearer, query


def test_malformed_json_is_cut_but_whole_on_the_wire(sandbox: Sandbox) -> None:
    """The body is as long as announced and still no JSON."""
    sandbox.faults.add(Fault("malformed_json", "query"))
    reply = query(sandbox)
    assert (reply.status_code, len(reply.content)) == (200, int(reply.headers["Content-Length"]))
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        reply.json()


def test_fields_of_one_entry_can_be_anything(sandbox: Sandbox) -> None:
    """Fields of single entries are replaced, dropped or of a wrong type, several faults in one page."""
    first, second, third = (sandbox.library[i].id for i in (0, 1, 2))
    sandbox.faults.add(
        Fault("set_fields", "query", recording=first, values={"id": "../../etc", "interactionDate": None}),
        Fault("missing_fields", "query", recording=second, name="mediaUrl"),
        Fault("wrong_types", "query", recording=third, name="checksum"),
    )
    one, two, three, four = query(sandbox, limit=4, sortBy="interactionDate ASC").json()["results"]
    assert (one["id"], one["interactionDate"]) == ("../../etc", None)
    assert "mediaUrl" not in two
    assert three["checksum"] == 12345
    assert datetime.fromisoformat(four["interactionDate"]) == sandbox.library[3].date


def test_duplicates_lose_nothing(sandbox: Sandbox) -> None:
    """Entries come twice, and the last of a page again on the next; none is missing."""
    sandbox.faults.add(Fault("duplicate_entries", "query"))
    ids = all_ids(sandbox, limit=10)
    assert len(ids) == 2 * len(sandbox.library) + 2
    assert set(ids) == {recording.id for recording in sandbox.library}


def test_reordered_pages_lose_nothing(sandbox: Sandbox) -> None:
    """Pages in no order of dates still cover everything once."""
    sandbox.faults.add(Fault("reordered", "query"))
    ids, dates = all_ids(sandbox, limit=5), [recording.id for recording in sandbox.library]
    assert ids not in (dates, dates[::-1])
    assert sorted(ids) == sorted(dates)


def test_page_token_that_repeats(sandbox: Sandbox) -> None:
    """The next token of page two is page two's own."""
    sandbox.faults.add(Fault("repeat_page_token", "query", after=1))
    token = query(sandbox, limit=5).json()["nextPageToken"]
    assert query(sandbox, limit=5, pageToken=token).json()["nextPageToken"] == token


def test_empty_page_goes_on(sandbox: Sandbox) -> None:
    """An empty page with a fresh token comes in between, and nothing is lost after it."""
    sandbox.faults.add(Fault("empty_page_with_token", "query", times=1))
    page = query(sandbox, limit=100).json()
    assert page["results"] == []
    after = query(sandbox, limit=100, pageToken=page["nextPageToken"]).json()
    assert len(after["results"]) == len(sandbox.library)


def test_token_expires_mid_run(sandbox: Sandbox) -> None:
    """401 comes once and the old token stays dead; a new one works."""
    headers = bearer(sandbox)
    sandbox.faults.add(Fault("token_expired", "query", after=1, times=1))
    assert [query(sandbox, headers).status_code for _ in range(3)] == [200, 401, 401]
    assert query(sandbox).status_code == 200


def test_token_reply_can_lack_a_scope(sandbox: Sandbox) -> None:
    """The scope fault issues a token for less than what is needed, and says so."""
    sandbox.faults.add(Fault("scope", "token"))
    assert ask_token(sandbox).json()["scope"] == "recording:read"


def test_forbidden_has_genesys_code(sandbox: Sandbox) -> None:
    """403 names the missing permission in Genesys' own shape."""
    sandbox.faults.add(Fault("forbidden", "query"))
    reply = query(sandbox)
    assert (reply.status_code, reply.json()["code"]) == (403, "missing.permissions")
    assert "recording:recording:view" in reply.json()["message"]
