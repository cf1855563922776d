"""The control plane of the sandbox."""

from __future__ import annotations

import pytest
import requests

from genesys_sandbox import Sandbox
from genesys_sandbox.hosts.control import control
from support.sandbox_client import TIMEOUT_S, fetch, media_url


def test_control_plane_is_for_this_machine(sandbox: Sandbox) -> None:
    """A caller from another address gets 403, for the control plane has no credentials."""
    cloud = sandbox._cloud  # no other machine is at hand to call from
    assert control(cloud, "GET", "/sandbox/statistics", b"", caller="192.0.2.1").status == 403
    assert control(cloud, "GET", "/sandbox/statistics", b"", caller="127.0.0.1").status == 200


def test_control_plane_over_http(sandbox: Sandbox) -> None:
    """Another process can switch faults on and off, read the counters and the truth; none of that is counted."""
    base = f"{sandbox.api_base}/sandbox"
    fault: dict[str, str | int] = {"kind": "status", "endpoint": "media", "status": 500}
    assert requests.post(f"{base}/faults", json=[fault], timeout=TIMEOUT_S).status_code == 201
    url = media_url(sandbox, sandbox.library[0])
    assert fetch(url).status_code == 500
    assert requests.delete(f"{base}/faults", timeout=TIMEOUT_S).status_code == 204
    assert fetch(url).status_code == 200
    statistics = requests.get(f"{base}/statistics", timeout=TIMEOUT_S).json()
    assert (statistics["token"], statistics["renew"], statistics["media"]) == (1, 1, 2)
    truth_told = requests.get(f"{base}/recordings", timeout=TIMEOUT_S).json()
    assert {entry["id"]: entry["sha256"] for entry in truth_told} == {r.id: r.sha256 for r in sandbox.library}
    parts = requests.get(f"{base}/truth", timeout=TIMEOUT_S).json()
    told = {(each["conversationId"], each["recordingId"], each["part"]): each["sha256"] for each in parts}
    assert told == {name: media.sha256 for name, media in sandbox.world.truth().items()}


@pytest.mark.parametrize(
    "wrong", ["[", "3", '{"kind": "x"}', '{"kind": "cut", "x": 1}', '{"kind": "cut", "times": "1"}']
)
def test_control_plane_refuses_unknown_faults(sandbox: Sandbox, wrong: str) -> None:
    """A fault that cannot be made gets 400."""
    assert requests.post(f"{sandbox.api_base}/sandbox/faults", data=wrong, timeout=TIMEOUT_S).status_code == 400
