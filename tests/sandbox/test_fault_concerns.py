"""Sticky faults: they meet every request about one conversation or recording, and no other request."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from support.platform_api import PlatformApi
from support.sandbox_client import TIMEOUT_S

DETAILS = "/api/v2/analytics/conversations/details"
BATCH = "/api/v2/recording/batchrequests"


@pytest.fixture
def api(sandbox: Sandbox) -> PlatformApi:
    return PlatformApi(sandbox)


def batch(*ids: str) -> dict[str, Any]:
    return {"batchDownloadRequestList": [{"conversationId": name} for name in ids]}


def test_a_fault_sticks_to_one_conversation(sandbox: Sandbox, api: PlatformApi) -> None:
    """Each request that names it fails, alone or among others; those about others do not."""
    bad, good, other = (each.id for each in sandbox.world.conversations[:3])
    sandbox.faults.add(*(Fault("status", kind, recording=bad, status=409) for kind in ("details", "batch", "metadata")))
    for ids in ([bad], [good, bad, other]):
        assert api.ask("GET", DETAILS, id=",".join(ids)).status_code == 409
        assert api.ask("POST", BATCH, batch(*ids)).status_code == 409
    assert api.ask("GET", DETAILS, id=f"{good},{other}").status_code == 200
    assert api.ask("POST", BATCH, batch(good, other)).status_code == 200
    item = {"conversationId": bad, "recordingId": sandbox.world.conversations[0].items[0].id}
    assert api.ask("POST", BATCH, {"batchDownloadRequestList": [item]}).status_code == 409
    for name, status in ((bad, 409), (good, 200)):
        assert api.ask("GET", f"/api/v2/conversations/{name}/recordingmetadata").status_code == status


def test_a_fault_sticks_to_the_pages_that_would_list_it(sandbox: Sandbox, api: PlatformApi) -> None:
    """A page of the details query fails when the conversation is on it."""
    day = f"{sandbox.world.conversations[0].start:%Y-%m-%d}"
    sandbox.faults.add(Fault("status", "details", recording="#1"))
    pages = (api.details(f"{day}T00:00Z/{day}T23:59Z", paging={"pageSize": 1, "pageNumber": n}) for n in (1, 2, 3))
    assert [page.status_code for page in pages] == [200, 503, 200]


def test_a_fault_of_a_recording_meets_its_conversation_too(sandbox: Sandbox, api: PlatformApi) -> None:
    """Playback of the recording, metadata and batch of its conversation; ``route`` leaves the others alone."""
    one = sandbox.world.conversations[0]
    path, item = f"/api/v2/conversations/{one.id}", one.items[0].id
    sandbox.faults.add(Fault("not_found", "metadata", recording=item, route="GET */recordingmetadata"))
    sandbox.faults.add(Fault("accepted", "playback", recording=item))
    assert api.ask("GET", f"{path}/recordingmetadata").status_code == 404
    assert api.ask("GET", path).status_code == 200
    reply = requests.get(f"{api.base}{path}/recordings/{item}", headers=api.headers, timeout=TIMEOUT_S)
    assert (reply.status_code, reply.json()) == (202, {"estimatedTranscodeTimeMs": 5000})


def test_a_refused_restore_restores_nothing(sandbox: Sandbox, api: PlatformApi) -> None:
    """What was answered with 400 was not done."""
    one = sandbox.world.conversations[0]
    path = f"/api/v2/conversations/{one.id}/recordings/{one.items[0].id}"
    sandbox.faults.add(Fault("status", "restore", recording=one.id, status=400))
    before = set(sandbox.world.restoring)
    assert api.ask("PUT", path, {"archiveDate": "2999-01-01T00:00:00Z"}).status_code == 400
    assert sandbox.world.restoring == before


def test_a_batch_that_stays_in_progress_has_the_others(sandbox: Sandbox, api: PlatformApi) -> None:
    """All results but one, and no end."""
    ids = [each.id for each in sandbox.world.conversations[:3]]
    sandbox.faults.add(Fault("unfinished", "poll", recording=ids[1]))
    polls = api.batch(*((name, None) for name in ids))
    found = [next(polls) for _ in range(4)][-1]
    assert (found["status"], found["resultCount"], found["expectedResultCount"]) == ("InProgress", 2, 3)
    assert {each["conversationId"] for each in found["results"]} == {ids[0], ids[2]}


@pytest.mark.parametrize("name", ["NaN", "digits", "nesting"])
def test_a_value_that_no_decoder_reads(sandbox: Sandbox, api: PlatformApi, name: str) -> None:
    """It lies in the one entry; the page is otherwise as it should be."""
    bad = sandbox.world.conversations[1].id
    sandbox.faults.add(Fault("unreadable", "details", recording=bad, name=name))
    reply = requests.get(f"{api.base}{DETAILS}", {"id": bad}, headers=api.headers, timeout=TIMEOUT_S)
    assert f'"conversationId": "{bad}"' in reply.text
    with pytest.raises((ValueError, RecursionError)):
        requests.models.complexjson.loads(reply.text, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(name)


def test_an_option_makes_faults_stick_from_the_start() -> None:
    """As JSON, with the number of a conversation instead of its id; a number that does not exist is refused."""
    text = '{"kind": "status", "endpoint": "metadata", "recording": "#1", "status": 410}'
    small = {"days": 1, "per_day": 2, "min_bytes": 900, "max_bytes": 999}
    with Sandbox(SandboxOptions(faults=text, **small)) as cloud:
        api = PlatformApi(cloud)
        paths = [f"/api/v2/conversations/{each.id}/recordingmetadata" for each in cloud.world.conversations]
        assert [api.ask("GET", path).status_code for path in paths] == [200, 410]
    with pytest.raises(ValueError, match="#0 to #1"):
        Sandbox(SandboxOptions(faults=text.replace("#1", "#2"), **small))


def test_the_control_plane_makes_faults_stick(sandbox: Sandbox, api: PlatformApi) -> None:
    """By number as well; one that does not exist is refused."""
    fault = {"kind": "forbidden", "endpoint": "metadata", "recording": "#0"}
    assert requests.post(f"{api.base}/sandbox/faults", json=fault, timeout=TIMEOUT_S).status_code == 201
    path = f"/api/v2/conversations/{sandbox.world.conversations[0].id}/recordingmetadata"
    assert api.ask("GET", path).status_code == 403
    fault["recording"] = "#999"
    assert requests.post(f"{api.base}/sandbox/faults", json=fault, timeout=TIMEOUT_S).status_code == 400
