"""The login and API host of the sandbox: entries, and paths that it does not have."""

from __future__ import annotations

from datetime import datetime

import pytest
import requests

from genesys_sandbox import Sandbox, SandboxOptions
from support.sandbox_client import TIMEOUT_S, renew


def test_entry_has_every_field(sandbox: Sandbox) -> None:
    """An entry names the recording's facts, in ISO 8601 and hex."""
    recording = sandbox.library[0]
    entry = renew(sandbox, recording.id).json()
    assert entry["id"] == recording.id
    assert datetime.fromisoformat(entry["interactionDate"]) == recording.date
    assert entry["checksum"].lower() == recording.sha256
    known = "agentId agentName queueId queueName ani dnis direction mediaType durationMs division wrapUpCode language"
    assert all(entry[name] is not None for name in known.split())


def test_checksums_come_in_both_cases(sandbox: Sandbox) -> None:
    """Some checksums are in capitals, for a client must take both."""
    checksums = [recording.fields["checksum"] for recording in sandbox.library]
    assert any(c.isupper() for c in checksums)
    assert any(c.islower() for c in checksums)


def test_checksums_can_be_missing() -> None:
    """Every n-th recording has no checksum when that is asked for."""
    with Sandbox(SandboxOptions(days=1, per_day=4, min_bytes=50, max_bytes=50, checksum_missing_every=2)) as sandbox:
        assert [recording.fields["checksum"] is None for recording in sandbox.library] == [False, True, False, True]


def test_unknown_interaction_gets_404(sandbox: Sandbox) -> None:
    """An id that does not exist cannot be renewed."""
    assert renew(sandbox, "no-such").json()["code"] == "not.found"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/login/oauth2/token", 405),
        ("GET", "/", 404),
        ("PUT", "/api/v2/recording/interactions/x", 405),
        ("GET", "/sandbox/x", 404),
    ],
)
def test_other_paths_and_methods_are_refused(sandbox: Sandbox, method: str, path: str, status: int) -> None:
    """The API has three endpoints and a control plane, no more."""
    assert requests.request(method, sandbox.api_base + path, timeout=TIMEOUT_S).status_code == status
