"""The sandbox's platform API: shaped as the OpenAPI copy says, and as treacherous as its traps are switched on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import pytest
import requests

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from genesys_sandbox.platform.routes import ROUTES
from genesys_sandbox.recordings.world import Conversation
from genesys_sandbox.settings.traps import DIGITS, TRAPS
from support.platform_api import UNLISTED, PlatformApi, document

DAYS = "2026-11-19T00:00:00.000Z/2026-11-21T00:00:00.000Z"
Make = Callable[..., tuple[Sandbox, PlatformApi]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Start a sandbox of two days with these options."""
    with ExitStack() as started:

        def start(**options: Any) -> tuple[Sandbox, PlatformApi]:
            small = {"days": 2, "per_day": 12, "min_bytes": 2000, "max_bytes": 4000, "end": date(2026, 11, 21)}
            cloud = started.enter_context(Sandbox(SandboxOptions(**{**small, "rate_per_minute": 0, **options})))
            return cloud, PlatformApi(cloud)

        yield start


def met(cloud: Sandbox, trap: str) -> Conversation:
    """The first conversation that a trap meets."""
    return next(each for each in cloud.world.conversations if trap in each.traits)


def paged(api: PlatformApi, **more: Any) -> list[str]:
    """The ids of all pages of a details query."""
    found: list[str] = []
    for number in range(1, 100):
        body = api.details(DAYS, paging={"pageSize": 10, "pageNumber": number}, **more).json()
        if "conversations" not in body:
            return found
        found += [each["conversationId"] for each in body["conversations"]]
    raise AssertionError("no end")


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
    assert [("resultUrl" in result, "errorMsg" in result) for result in results["results"]] == [
        (True, False),
        (True, False),
        (False, True),
    ]
    for path in (f"{paths}/recordingmetadata", "/api/v2/recordings/retention/query"):
        assert api.get(path)
    orphans = "/api/v2/orphanrecordings"
    for name in (each["id"] for each in api.get(orphans)["entities"]):
        assert api.get(f"{orphans}/{name}")["fileState"] == "AVAILABLE"
        replies = [api.ask("GET", f"{orphans}/{name}/media") for _ in range(3)]
        assert [reply.status_code for reply in replies] == [202, 202, 200]
    statuses = [api.ask("GET", f"{paths}/recordings/{one.items[0].id}").status_code for _ in range(3)]
    assert statuses == [202, 202, 200]
    assert api.ask("GET", f"{paths}/recordings").status_code == 200
    for path in ("tokens/me", "organizations/me", "authorization/divisions", "users", "routing/queues"):
        assert api.get(f"/api/v2/{path}")
    assert api.get("/api/v2/routing/wrapupcodes")["entities"]
    assert api.get("/api/v2/recording/settings")["recordingBatchDownloadUrlTtl"] == 60
    assert api.get(UNLISTED)["grants"]
    assert api.get("/api/v2/organizations/limits/namespaces/platform.api") == {"entities": []}
    assert api.get(paths)["participants"][0]["attributes"]


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


def test_the_query_refuses_what_the_service_refuses(make: Make) -> None:
    """Too long an interval, too many results, too large a page: 400 with the service's own words."""
    _, api = make(interval_days=1, max_results=10)
    assert "does not exceed 1 days" in api.details(DAYS).json()["message"]
    one_day = DAYS.replace("19T", "20T")
    assert (
        "may not exceed 10 results" in api.details(one_day, paging={"pageSize": 10, "pageNumber": 2}).json()["message"]
    )
    assert api.details(one_day, paging={"pageSize": 101}).status_code == 400


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


def test_the_minute_belongs_to_the_client_and_not_to_the_token(make: Make) -> None:
    """Every reply counts it, and a second token does not begin a new one."""
    cloud, api = make(rate_per_minute=3)
    replies = [who.ask("GET", "/api/v2/organizations/me") for who in (api, api, PlatformApi(cloud), api)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert [reply.headers["inin-ratelimit-count"] for reply in replies] == ["1", "2", "3", "4"]
    assert replies[0].headers["ININ-Correlation-Id"]
    assert int(replies[3].headers["Retry-After"]) > 0


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


def test_every_nth_conversation_is_transferred(make: Make) -> None:
    """Two agents in turn, two queues and divisions, and a second customer with a SIP address; all named."""
    cloud, api = make(participants_every=4)
    shown = {
        each["conversationId"]: each for each in api.details(DAYS, paging={"pageSize": 50}).json()["conversations"]
    }
    moved = [each for each in cloud.world.conversations if each.transferred]
    assert [each.number for each in moved] == [3, 7, 11, 15, 19, 23]
    users = {each["id"] for each in api.get("/api/v2/users", state="any", pageSize=100)["entities"]}
    queues = {each["id"] for each in api.get("/api/v2/routing/queues", pageSize=100)["entities"]}
    for each in moved:
        people = shown[each.id]["participants"]
        agents = [one for one in people if one["purpose"] == "agent"]
        first, second = (one["sessions"][0]["segments"][0] for one in agents)
        assert first["segmentEnd"] == second["segmentStart"]
        assert first["disconnectType"] == "transfer"
        assert len({one["userId"] for one in agents} & users) == 2
        assert len({first["queueId"], second["queueId"]} & queues) == 2
        assert {one["sessions"][0]["peerId"] for one in agents} == {each.items[0].session_id}
        customers = [one["sessions"][0] for one in people if one["purpose"] == "customer"]
        assert [one["segments"][0].get("conference", False) for one in customers] == [False, True]
        assert customers[1]["dnis"].startswith("sip:+1202555")
        assert len(set(shown[each.id]["divisionIds"])) == 2
    assert {len(one["participants"]) for one in shown.values()} == {3, 6}
