"""The sandbox's platform API: shaped as the OpenAPI copy says, and as treacherous as its traps are switched on."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import islice

import pytest
import requests

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from genesys_sandbox.platform.routes import ROUTES
from genesys_sandbox.recordings.world import Conversation
from genesys_sandbox.settings.traps import DIGITS, TRAPS
from support.platform_api import UNLISTED, PlatformApi, document
from support.platform_sandbox import DAYS, Make, either, paged, predicate


def met(cloud: Sandbox, trap: str) -> Conversation:
    """The first conversation that a trap meets."""
    return next(each for each in cloud.world.conversations if trap in each.traits)


def test_every_path_in_use_is_in_the_openapi_copy() -> None:
    """Every route is in the OpenAPI copy, which replies are checked against, but for one path."""
    known = {(m.upper(), p) for p, operations in document()["paths"].items() for m in operations}
    plain = {(method, path.count("/"), path.split("{")[0]) for method, path in known}
    asked = {(route.method, route.path.count("/"), route.path.split("{")[0]) for route in ROUTES}
    assert asked - plain == {("GET", 5, UNLISTED)}


def test_every_reply_has_its_schema(make: Make) -> None:
    """Details, jobs, batches, playback, metadata, inventory, orphans and names, with every trap on."""
    cloud, api = make(traps="all")
    one = met(cloud, "multi_part")
    paths = f"/api/v2/conversations/{one.id}"
    assert len(paged(api)) == len(list(cloud.world.visible()))
    api.get("/api/v2/analytics/conversations/details", id=f"{one.id},{met(cloud, 'open').id}")
    results = next(islice(api.batch((one.id, None), (met(cloud, "archived").id, None)), 1, None))
    shown = [("resultUrl" in result, "errorMsg" in result) for result in results["results"]]
    assert shown == [(True, False)] * 3 + [(False, True)]  # two files, a screen, and one in cold storage
    for path in (f"{paths}/recordingmetadata", "/api/v2/recordings/retention/query"):
        assert api.get(path)
    orphans = "/api/v2/orphanrecordings"
    for name in (each["id"] for each in api.get(orphans)["entities"]):
        assert api.get(f"{orphans}/{name}")["fileState"] == "AVAILABLE"
        replies = [api.ask("GET", f"{orphans}/{name}/media") for _ in range(3)]
        assert [reply.status_code for reply in replies] == [202, 202, 200]
    statuses = [api.ask("GET", f"{paths}/recordings/{one.items[0].id}").status_code for _ in range(3)]
    assert statuses == [202, 202, 200]
    assert [api.ask("GET", f"{paths}/recordings").status_code for _ in range(3)] == [202, 202, 200]  # the screen
    for path in ("tokens/me", "organizations/me", "authorization/divisions", "users", "routing/queues"):
        assert api.get(f"/api/v2/{path}")
    assert api.get("/api/v2/routing/wrapupcodes")["entities"]
    assert api.get("/api/v2/recording/settings")["recordingBatchDownloadUrlTtl"] == 60
    assert api.get(UNLISTED)["grants"]
    assert api.get("/api/v2/organizations/limits/namespaces/platform.api") == {"entities": []}
    assert api.get(paths)["participants"][0]["attributes"]
    assert api.get(f"/api/v2/analytics/conversations/{one.id}/details")["conversationId"] == one.id
    marks = f"{paths}/recordings/{one.items[0].id}/annotations"
    (bookmark, hold), again = api.get(marks), api.get(marks)
    assert (again[0], again[1]["id"] == hold["id"]) == (bookmark, False)
    assert api.get(f"{marks}/{bookmark['id']}") == bookmark
    assert api.ask("GET", f"{marks}/nobody").status_code == 404


def test_a_job_gives_what_the_data_lake_has(make: Make) -> None:
    """Pending, then fulfilled; pages by cursor; nothing younger than its availability; attributes are in it."""
    cloud, api = make(data_lag_hours=24)
    base = "/api/v2/analytics/conversations/details/jobs"
    job = api.ask("POST", base, {"interval": DAYS})
    path = f"{base}/{job.json()['jobId']}"
    assert (job.status_code, api.get(path)["state"], api.get(path)["state"]) == (202, "PENDING", "FULFILLED")
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{path}/results", pageSize=5, **({"cursor": cursor} if cursor else {}))
        found += page["conversations"]
        cursor = page.get("cursor")
    until = datetime.fromisoformat(api.get(f"{base}/availability")["dataAvailabilityDate"])
    assert until == datetime(2026, 11, 20, tzinfo=UTC)
    assert {each["conversationId"] for each in found} == {
        each.id for each in cloud.world.conversations if each.start < until
    }
    assert found[0]["participants"][0]["attributes"]
    assert [api.ask("DELETE", path).status_code for _ in range(2)] == [200, 404]
    assert api.ask("GET", path).status_code == 404


def test_digital_media_have_no_recording_flag(make: Make) -> None:
    """A filter by the flag misses them; one by media type finds them, as ZIP and EML."""
    cloud, api = make(traps="digital")

    def asked(dimension: str, value: str) -> list[str]:
        predicate = {"type": "dimension", "dimension": dimension, "operator": "matches", "value": value}
        return paged(api, segmentFilters=[{"type": "or", "predicates": [predicate]}])

    flagged, chats, mails = asked("recording", "true"), asked("mediaType", "chat"), asked("mediaType", "email")
    assert (len(flagged), len(chats), len(mails)) == (24, 2, 2)
    results = next(islice(api.batch((chats[0], None), (mails[0], None)), 1, None))["results"]
    assert [result["contentType"] for result in results] == ["application/zip", "message/rfc822"]
    bodies = [requests.get(result["resultUrl"], timeout=10).content for result in results]
    assert [body[:5] for body in bodies] == [b"PK\x03\x04\x14", b"From:"]
    assert len(cloud.world.extra) == 4


def test_batches_count_as_the_traps_say(make: Make) -> None:
    """0 of 0 without a status, and counts that grow, look like an end and are none."""
    cloud, api = make(traps="zero_start")
    polls = list(islice(api.batch((cloud.library[0].id, None)), 2))
    assert [(p.get("status"), p["expectedResultCount"], p["resultCount"]) for p in polls] == [
        (None, 0, 0),
        (None, 1, 1),
    ]
    cloud, api = make(traps="changing_count", batch_polls=3)
    polls = list(islice(api.batch((cloud.library[0].id, None)), 4))
    assert [(p["status"], p["expectedResultCount"]) for p in polls[:3]] == [("InProgress", n) for n in (1, 2, 3)]
    assert all(p["resultCount"] == p["expectedResultCount"] for p in polls)


@pytest.mark.parametrize(("trap", "alike"), [("", False), ("fixed_urls", True)])
def test_polling_again_signs_anew_or_not(make: Make, trap: str, alike: bool) -> None:
    """Both are possible, so both can be had."""
    cloud, api = make(traps=trap, batch_polls=0)
    first, second = (poll["results"][0]["resultUrl"] for poll in islice(api.batch((cloud.library[0].id, None)), 2))
    assert (first == second) is alike


def test_a_lost_batch_is_not_found(make: Make) -> None:
    """Its id lives until it was read once."""
    cloud, api = make(traps="lost_batches", batch_polls=0)
    _, second = islice(api.batch((cloud.library[0].id, None)), 2)
    assert second["code"] == "not.found"


def test_sensitive_recordings_are_left_out_without_a_word(make: Make) -> None:
    """Of batches, for a client that lacks viewSensitiveData; metadata and inventory show them."""
    cloud, api = make(traps="sensitive", permissions="recording:recording:view")
    one = met(cloud, "sensitive")
    poll = next(islice(api.batch((one.id, None)), 1, None))
    assert (poll["results"], poll["errorCount"], poll["status"]) == ([], 0, "Completed")
    assert api.get(f"/api/v2/conversations/{one.id}/recordingmetadata")
    assert one.id in {
        each["conversationId"] for each in api.get("/api/v2/recordings/retention/query", pageSize=500)["entities"]
    }


def test_a_division_that_is_not_granted_is_nowhere(make: Make) -> None:
    """Neither details nor batches nor the inventory show its conversations."""
    cloud, api = make(traps="division_gap")
    one = met(cloud, "division_gap")
    assert one.id not in paged(api)
    assert next(islice(api.batch((one.id, None)), 1, None))["results"] == []
    assert api.ask("GET", f"/api/v2/conversations/{one.id}/recordingmetadata").status_code == 404


def test_an_archived_recording_comes_back_hours_after_it_was_asked_for(make: Make) -> None:
    """A PUT with an archive date in the future starts the restore."""
    cloud, api = make(traps="archived")
    one = met(cloud, "archived")
    path = f"/api/v2/conversations/{one.id}/recordings/{one.items[0].id}"
    states = [api.get(path)["fileState"]]
    api.ask("PUT", path, {"id": one.items[0].id, "archiveDate": "2099-01-01T00:00:00Z"})
    states.append(api.get(path)["fileState"])
    cloud.world.finish_restores()
    states.append(api.get(path)["fileState"])
    assert states == ["ARCHIVED", "RESTORING", "RESTORED"]


def test_missing_permissions_are_named(make: Make) -> None:
    """A 403 lists what would have been enough."""
    _, api = make(permissions="recording:orphan:view")
    refused = api.ask("GET", "/api/v2/routing/queues")
    assert (refused.status_code, refused.json()["code"]) == (403, "missing.any.permissions")
    assert "routing:queue:view" in refused.json()["message"]


def test_the_minute_belongs_to_the_token(make: Make) -> None:
    """Every reply counts it; a second token of the client has a minute of its own."""
    cloud, api = make(rate_per_minute=3)
    replies = [who.ask("GET", "/api/v2/organizations/me") for who in (api, api, PlatformApi(cloud), api, api)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 200, 429]
    assert [reply.headers["inin-ratelimit-count"] for reply in replies] == ["1", "2", "1", "3", "4"]
    assert replies[0].headers["ININ-Correlation-Id"]
    assert int(replies[4].headers["Retry-After"]) > 0


def test_faults_reach_the_platform_paths(make: Make) -> None:
    """By the kind of path, as often as asked."""
    cloud, api = make()
    cloud.faults.add(Fault("status", "directory", times=1, status=429, retry_after_s=2))
    replies = [api.ask("GET", "/api/v2/organizations/me") for _ in range(2)]
    assert [(reply.status_code, reply.headers.get("Retry-After")) for reply in replies] == [(429, "2"), (200, None)]


def test_a_trap_that_does_not_exist_is_refused() -> None:
    """A mistyped one would make a test pass for the wrong reason."""
    with pytest.raises(ValueError, match="known are open"):
        SandboxOptions(traps="opne")
    assert DIGITS.keys() <= TRAPS.keys()


def test_a_restore_that_leaves_the_delete_date_out_takes_it_away(make: Make) -> None:
    """A PUT sets both dates, as the real service's may."""
    cloud, api = make(traps="archived")
    one = met(cloud, "archived")
    path = f"/api/v2/conversations/{one.id}/recordings/{one.items[0].id}"
    (before,) = api.get(f"/api/v2/conversations/{one.id}/recordingmetadata")
    body = {"id": one.items[0].id, "archiveDate": "2999-01-01T00:00:00.000Z"}
    kept = api.ask("PUT", path, {**body, "deleteDate": before["deleteDate"]}).json()
    assert kept["deleteDate"] == before["deleteDate"]
    assert "deleteDate" not in api.ask("PUT", path, body).json()


def test_screens_messages_and_channels(make: Make) -> None:
    """A screen as MP4 and a message as JSON in the batch; a file for each channel, but for a download."""
    cloud, api = make(traps="screen,messages,dual_channel")
    screen, dual = met(cloud, "screen"), met(cloud, "dual_channel")
    message = next(each for each in cloud.world.conversations if each.media_type == "message")
    items = ((screen.id, None), (message.id, None))
    results = next(islice(api.batch(*items), 1, None))["results"]
    assert [result["contentType"] for result in results] == ["audio/wav", "video/mp4", "application/json"]
    assert [requests.get(each["resultUrl"], timeout=10).content[4:8] for each in results[1:2]] == [b"ftyp"]
    assert requests.get(results[2]["resultUrl"], timeout=10).json()["messages"]
    told = api.get(f"/api/v2/conversations/{screen.id}/recordingmetadata")
    assert [(each["media"], "startTime" in each) for each in told] == [("audio", False), ("screen", True)]
    people = api.get(f"/api/v2/analytics/conversations/{screen.id}/details")["participants"]
    assert [one["purpose"] for one in people if one.get("screenRecording")] == ["agent"]
    path = f"/api/v2/conversations/{dual.id}/recordings/{dual.items[0].id}"
    assert [sorted(api.get(path, **query)["mediaUris"]) for query in ({}, {"download": "true"})] == [["0", "1"], ["S"]]
    (shown,) = api.details(
        DAYS, segmentFilters=[either(predicate("mediaType", "message"))], paging={"pageSize": 1}
    ).json()["conversations"]
    assert shown["participants"][0]["sessions"][0]["messageType"] == "sms"


def test_numbers_are_written_in_four_ways(make: Make) -> None:
    """As a tel: URI with and without extension, as a SIP address with a port, and as people write it at home."""
    _, api = make(traps="number_forms")
    found = api.details(DAYS, paging={"pageSize": 4}).json()["conversations"]
    numbers = [each["participants"][0]["sessions"][0]["ani"] for each in found]
    forms = (
        r"tel:\+1\d{10}",
        r"sip:\+1\d{10}@sandbox\.invalid:5061;user=phone",
        r"tel:\+1\d{10};ext=12",
        r"\(202\) 555-\d{4}",
    )
    assert all(re.fullmatch(form, number) for form, number in zip(forms, numbers, strict=True)), numbers


def test_urls_die_with_the_session_that_signed_them(make: Make) -> None:
    """With 400 ExpiredToken, long before X-Amz-Expires; one made in the next session works."""
    cloud, api = make(s3_session_s=600, url_life_s=3600)
    batch = api.batch((cloud.world.conversations[0].id, None))
    url, _ = (next(islice(batch, 1, None))["results"][0]["resultUrl"], next(batch))
    assert ("X-Amz-Expires=3600" in url, requests.get(url, timeout=10).status_code) == (True, 200)
    assert requests.get(url.replace("X-Amz-Date=1", "X-Amz-Date=2"), timeout=10).status_code == 403
    begun = cloud._cloud.urls.clock()
    cloud._cloud.urls.clock = lambda: begun + 601
    dead = requests.get(url, timeout=10)
    assert (dead.status_code, "<Code>ExpiredToken</Code>" in dead.text) == (400, True)
    assert requests.get(next(batch)["results"][0]["resultUrl"], timeout=10).status_code == 200
