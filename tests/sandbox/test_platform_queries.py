"""Queries of the sandbox's platform API: filters, order and pages, and what is refused as the service refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from genesys_sandbox.recordings.people import queue_after
from genesys_sandbox.recordings.world import Conversation
from support.platform_sandbox import DAYS, Make, either, paged, predicate


def test_the_query_refuses_what_the_service_refuses(make: Make) -> None:
    """Too long an interval, too many results, too large a page: 400 with the service's own words."""
    _, api = make(interval_days=1, max_results=10)
    assert "does not exceed 1 days" in api.details(DAYS).json()["message"]
    one_day = DAYS.replace("19T", "20T")
    assert (
        "may not exceed 10 results" in api.details(one_day, paging={"pageSize": 10, "pageNumber": 2}).json()["message"]
    )
    assert api.details(one_day, paging={"pageSize": 101}).status_code == 400


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


def test_filters_by_segment_and_by_conversation(make: Make) -> None:
    """Clauses, every operator, and both kinds of filter at once: as many as a count by hand gives."""
    cloud, api = make(participants_every=4, traps="digital")
    every = cloud.world.conversations
    queue, other = every[0].fields["queueId"], every[1].fields["queueId"]
    both = [either(either_of, kind="and") for either_of in (predicate("mediaType", "voice"),)]
    clauses = {"type": "and", "clauses": [either(predicate("queueId", queue), predicate("queueId", other)), *both]}
    found = set(paged(api, segmentFilters=[clauses]))
    assert found == {each.id for each in every if each.media_type == "voice" and found_in(each, {queue, other})}
    assert set(paged(api, segmentFilters=[either(predicate("conference", operator="exists"))])) == {
        each.id for each in every if each.transferred
    }
    # on one segment: the agent of the first queue is not in the second
    first = every[3]
    apart = either(predicate("userId", str(first.fields["agentId"])), predicate("conference", "true"), kind="and")
    assert paged(api, segmentFilters=[apart]) == []
    one = either(predicate("conversationId", first.id), kind="and")
    assert paged(api, conversationFilters=[one], segmentFilters=[clauses]) == [first.id] * (first.id in found)
    divisions = {each["name"]: each["id"] for each in api.get("/api/v2/authorization/divisions")["entities"]}
    north = paged(api, conversationFilters=[either(predicate("divisionId", divisions["North"]))])
    assert set(north) == {each.id for each in every if "North" in each.divisions}
    assert paged(api, conversationFilters=[either(predicate("externalTag", operator="exists"))]) == []


def found_in(each: Conversation, queues: set[Any]) -> bool:
    """Whether the conversation runs through one of the queues."""
    mine = {each.fields["queueId"]} | ({queue_after(each.fields)[0]} if each.transferred else set())
    return bool(mine & queues)


def test_the_order_is_the_one_asked_for(make: Make) -> None:
    """By start or end of conversation or segment, both ways; oldest first where none is given."""
    cloud, api = make(traps="open")
    by_start = [each.id for each in sorted(cloud.world.conversations, key=lambda each: each.start)]
    assert paged(api) == paged(api, order="asc", orderBy="segmentStart") == by_start
    assert paged(api, order="desc", orderBy="conversationStart") == by_start[::-1]
    by_end = paged(api, order="asc", orderBy="conversationEnd")
    ended = [each.id for each in sorted(cloud.world.conversations, key=lambda each: each.end) if not each.traits]
    assert [name for name in by_end if name in set(ended)] == ended
    assert set(by_end[len(ended) :]) == {each.id for each in cloud.world.conversations if each.traits}
    assert sorted(paged(api, order="unordered")) == sorted(by_start)


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": "random"},
        {"orderBy": "mediaType"},
        {"mediaFilters": []},
        {"segmentFilters": [either(predicate("mood", "good"))]},
        {"segmentFilters": [either(predicate("divisionId", "x"))]},
        {"conversationFilters": [either(predicate("queueId", "x"))]},
        {"segmentFilters": [either(predicate("queueId"))]},
        {"segmentFilters": [either(predicate("queueId", "x", "contains"))]},
        {"segmentFilters": [{"type": "or"}]},
        {"segmentFilters": [either(predicate("queueId", "x"), kind="nor")]},
        {"segmentFilters": [{"type": "or", "clauses": [{"type": "or", "clauses": [either(predicate("ani", "x"))]}]}]},
        {"segmentFilters": [either({"type": "metric", "metric": "tSegmentDuration"})]},
    ],
)
def test_what_a_query_does_not_know_is_refused(make: Make, wrong: dict[str, Any]) -> None:
    """An unknown filter is a 400, never a longer list."""
    _, api = make()
    refused = api.details(DAYS, **wrong)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad.request")
    assert (
        api.ask("POST", "/api/v2/analytics/conversations/details/jobs", {"interval": DAYS, **wrong}).status_code == 400
    )
