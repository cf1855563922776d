"""Selection of faults: which recordings they hit, how often, and presets."""

from __future__ import annotations

import pytest
import requests

from genesys_sandbox import Fault, Recording, Sandbox, SandboxOptions
from support.sandbox_client import bearer, body_of, fetch, media_url, query


def test_fault_hits_the_recordings_it_names(sandbox: Sandbox) -> None:
    """A glob of ids limits a fault; ``times`` counts for each recording."""
    hit, spared = sandbox.library[0], sandbox.library[1]
    sandbox.faults.add(Fault("status", recording=f"{hit.id[:8]}*", times=2))
    for recording, statuses in ((hit, [503, 503, 200]), (spared, [200] * 3)):
        url = media_url(sandbox, recording)
        assert [fetch(url).status_code for _ in range(3)] == statuses


def test_fault_hits_every_nth_recording(sandbox: Sandbox) -> None:
    """``every`` picks by index and seed: the same ones each time."""
    sandbox.faults.add(Fault("status", every=7))
    failed = [r.index for r in sandbox.library if fetch(media_url(sandbox, r)).status_code == 503]
    assert failed == [6, 13, 20]


def test_fault_waits_for_its_turn(sandbox: Sandbox) -> None:
    """``after`` lets requests pass first: the second page fails, the first and third do not."""
    sandbox.faults.add(Fault("status", "query", after=1, times=1))
    headers = bearer(sandbox)
    assert [query(sandbox, headers).status_code for _ in range(3)] == [200, 503, 200]


def test_fault_that_does_not_exist_is_refused() -> None:
    """A mistyped kind, endpoint or number is an error at once, not a fault that never hits."""
    for wrong in ({"kind": "x"}, {"kind": "cut", "endpoint": "x"}, {"kind": "cut", "every": 0}, {"kind": "set_fields"}):
        with pytest.raises(ValueError, match=r"unknown|occurs|every|set_fields"):
            Fault(**wrong)


def test_transient_preset_is_overcome() -> None:
    """With the preset some first attempts fail, in several ways; a client that retries and renews gets all."""
    options = SandboxOptions(days=1, per_day=40, min_bytes=900, max_bytes=999, faults="transient", rate_per_minute=0)
    with Sandbox(options) as sandbox:
        assert [query(sandbox).status_code for _ in range(2)] == [429, 200]
        assert all(patient(sandbox, recording) == body_of(recording) for recording in sandbox.library)
        assert set(sandbox.faults.hits) == {"reset_midway", "status", "expired", "reset"}


def patient(sandbox: Sandbox, recording: Recording) -> bytes | None:
    for _ in range(5):
        try:
            reply = fetch(media_url(sandbox, recording))
        except requests.RequestException:
            continue
        if reply.status_code == 200:
            return reply.content
    return None
