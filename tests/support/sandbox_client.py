"""A plain HTTP client of the sandbox, independent of the archive's own."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from genesys_sandbox import Recording, Sandbox

EVERYTHING = "(interactionDate >= '2026-01-01T00:00:00Z' AND interactionDate <= '2027-01-01T00:00:00Z')"
TIMEOUT_S = 10


def ask_token(sandbox: Sandbox, secret: str | None = None) -> requests.Response:
    return requests.post(
        f"{sandbox.login_base}/login/oauth2/token",
        auth=(sandbox.client_id, secret or sandbox.client_secret),
        data={"grant_type": "client_credentials"},
        timeout=TIMEOUT_S,
    )


def bearer(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {ask_token(sandbox).json()['access_token']}"}


def query(sandbox: Sandbox, headers: dict[str, str] | None = None, **body: Any) -> requests.Response:
    return requests.post(
        f"{sandbox.api_base}/api/v2/recording/interactions/query",
        headers=headers or bearer(sandbox),
        json={"filter": EVERYTHING, **body},
        timeout=TIMEOUT_S,
    )


def all_ids(sandbox: Sandbox, **body: Any) -> list[str]:
    """Page to the end, at most 20 times."""
    headers, ids = bearer(sandbox), []
    for _ in range(20):
        page = query(sandbox, headers, **body).json()
        ids += [entry["id"] for entry in page["results"]]
        if page["nextPageToken"] is None:
            return ids
        body["pageToken"] = page["nextPageToken"]
    raise AssertionError("the pages do not end")


def renew(sandbox: Sandbox, recording_id: str, headers: dict[str, str] | None = None) -> requests.Response:
    url = f"{sandbox.api_base}/api/v2/recording/interactions/{recording_id}"
    return requests.get(url, headers=headers or bearer(sandbox), timeout=TIMEOUT_S)


def media_url(sandbox: Sandbox, recording: Recording) -> str:
    return str(renew(sandbox, recording.id).json()["mediaUrl"])


def fetch(url: str, **headers: str) -> requests.Response:
    """One GET as a client should make it: no decoding asked for, redirects not followed."""
    sent = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(url, headers=sent, timeout=TIMEOUT_S, allow_redirects=False)


def raw(url: str, **headers: str) -> HTTPResponse:
    """A response whose body is still on the socket."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    connection.request(
        "GET", f"{parts.path}?{parts.query}", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    return connection.getresponse()


def body_of(recording: Recording) -> bytes:
    return recording.path.read_bytes()


def expect_cut(reply: HTTPResponse, size: int) -> None:
    with pytest.raises(IncompleteRead) as caught:
        reply.read()
    assert len(caught.value.partial) == size
