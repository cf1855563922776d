"""Access tokens of the sandbox: client credentials, life, rate limit, scope."""

from __future__ import annotations

import time

import pytest
import requests

from genesys_sandbox import TOKEN_PREFIX, Sandbox, SandboxOptions
from support.sandbox_client import TIMEOUT_S, ask_token, bearer, query


def test_token_is_issued_for_client_credentials(sandbox: Sandbox) -> None:
    """The right secret gives a bearer token with its life and scope."""
    reply = ask_token(sandbox).json()
    assert reply["token_type"] == "bearer"
    assert (reply["expires_in"], reply["scope"]) == (3600, "recording:read interaction:read")
    assert reply["access_token"].startswith(TOKEN_PREFIX)


def test_wrong_secret_gets_401(sandbox: Sandbox) -> None:
    """A wrong secret gives no token but 401 invalid_client."""
    reply = ask_token(sandbox, secret="wrong")
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


def test_other_grant_is_refused(sandbox: Sandbox) -> None:
    """Only client_credentials is a grant here."""
    url, auth = f"{sandbox.login_base}/login/oauth2/token", (sandbox.client_id, sandbox.client_secret)
    reply = requests.post(url, auth=auth, data={"grant_type": "password"}, timeout=TIMEOUT_S)
    assert reply.status_code == 400


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic nonsense", ""])
def test_unknown_token_gets_401(sandbox: Sandbox, header: str) -> None:
    """The API answers only tokens that it issued."""
    reply = query(sandbox, {"Authorization": header})
    assert (reply.status_code, reply.json()["status"]) == (401, 401)


def test_token_expires() -> None:
    """A token older than its life is refused."""
    with Sandbox(SandboxOptions(per_day=0, token_life_s=0.05)) as sandbox:
        headers = bearer(sandbox)
        time.sleep(0.06)
        assert query(sandbox, headers).status_code == 401


def test_rate_limit_is_per_token() -> None:
    """Request 4 of a limit of 3 gets 429 with Retry-After; another token has a minute of its own."""
    with Sandbox(SandboxOptions(per_day=0, rate_per_minute=3)) as sandbox:
        headers = bearer(sandbox)
        replies = [query(sandbox, headers) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert 1 <= int(replies[-1].headers["Retry-After"]) <= 60
        assert query(sandbox).status_code == 200


def test_narrow_scope_is_forbidden() -> None:
    """A token without interaction:read is issued, but the API answers 403 and names what is missing."""
    with Sandbox(SandboxOptions(per_day=0, scope="recording:read")) as sandbox:
        reply = query(sandbox)
    assert (reply.status_code, reply.json()["code"]) == (403, "missing.permissions")
    assert "interaction:read" in reply.json()["message"]


def test_empty_scope_is_left_out() -> None:
    """With no scope configured the token reply has none, and the API asks for none."""
    with Sandbox(SandboxOptions(per_day=0, scope="")) as sandbox:
        assert "scope" not in ask_token(sandbox).json()
        assert query(sandbox).status_code == 200
