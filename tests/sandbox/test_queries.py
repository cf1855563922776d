"""The interactions query of the sandbox: pages, order, and the strict reading of its body."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from genesys_sandbox import Sandbox
from support.sandbox_client import TIMEOUT_S, all_ids, bearer, query


def test_pages_cover_all_once_newest_first(sandbox: Sandbox) -> None:
    """Paging gives every recording exactly once, by default newest first."""
    assert all_ids(sandbox, limit=5) == [recording.id for recording in sandbox.library][::-1]


def test_sort_ascending(sandbox: Sandbox) -> None:
    """The other order is oldest first."""
    assert all_ids(sandbox, limit=100, sortBy="interactionDate ASC") == [r.id for r in sandbox.library]


@pytest.mark.parametrize(
    "body",
    [
        {"filter": "nonsense"},
        {"filter": None},
        {"limit": 0},
        {"limit": 101},
        {"limit": "5"},
        {"limit": True},
        {"sortBy": "id"},
        {"pageToken": None},
        {"pageToken": "nonsense"},
        {"pageSize": 5},
    ],
)
def test_malformed_query_gets_400(sandbox: Sandbox, body: dict[str, Any]) -> None:
    """Every member of the body is checked, and unknown ones are refused."""
    reply = query(sandbox, **body)
    assert (reply.status_code, reply.json()["code"]) == (400, "bad.request")


def test_page_token_belongs_to_its_query(sandbox: Sandbox) -> None:
    """A page token does not continue another filter or order."""
    token = query(sandbox, limit=2).json()["nextPageToken"]
    assert query(sandbox, limit=2, pageToken=token).status_code == 200
    assert query(sandbox, limit=2, pageToken=token, sortBy="interactionDate ASC").status_code == 400


def test_query_body_that_is_no_json_gets_400(sandbox: Sandbox) -> None:
    """A body that is not JSON is the client's error, not a crash."""
    url = f"{sandbox.api_base}/api/v2/recording/interactions/query"
    assert requests.post(url, headers=bearer(sandbox), data=b"{", timeout=TIMEOUT_S).status_code == 400
