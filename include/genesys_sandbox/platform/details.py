"""Conversation details: the query, the look-up by ids, and the JSON of one conversation."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from genesys_sandbox.platform.call import BadRequestError, Call, answer, not_found, utc_text
from genesys_sandbox.platform.detail_filters import check_query, ordering, passes
from genesys_sandbox.platform.participants import participants
from genesys_sandbox.recordings.world import Conversation, World, made_id
from genesys_sandbox.reply import Reply

MAX_IDS = 100
MAX_PAGE = 100


def query(call: Call) -> Reply:
    """``POST …/details/query``: one page; without ``conversations`` behind the last one."""
    body = call.body if isinstance(call.body, dict) else {}
    paging = body.get("paging") or {}
    size, number = paging.get("pageSize", 25), paging.get("pageNumber", 1)
    if not 1 <= size <= MAX_PAGE:
        raise BadRequestError(f"pageSize must be between 1 and {MAX_PAGE}")
    found = _found(call, body)
    beyond = size * number > call.cloud.options.max_results
    if beyond and "silent_limit" not in call.world.traps:
        raise BadRequestError(f"Pagination may not exceed {call.cloud.options.max_results} results.")
    page = [] if beyond else found[(number - 1) * size : number * size]
    shown = {"conversations": [details(call.world, each) for each in page]} if page else {}
    return answer({**shown, "totalHits": len(found)})


def one(call: Call) -> Reply:
    """``GET …/conversations/{conversationId}/details``."""
    found = call.world.get(call.path["conversation"])
    return answer(details(call.world, found)) if found and _is_shown(call, found) else not_found("conversation")


def by_ids(call: Call) -> Reply:
    """``GET …/details?id=``: those of the ids that exist and are shown to the client."""
    ids = call.ids()
    if not 1 <= len(ids) <= MAX_IDS:
        raise BadRequestError(f"id: give 1 to {MAX_IDS} ids")
    found = [each for name in ids if (each := call.world.get(name)) is not None and _is_shown(call, each)]
    return answer({"conversations": [details(call.world, each) for each in found]})


def matching(call: Call, body: dict[str, Any], *, activity: bool) -> list[Conversation]:
    """Conversations that match interval and filters, in the order that was asked for.

    A query gives what began on a day that the interval touches, a job whatever was active in it.
    """
    check_query(body)
    start, end = read_interval(body)
    days = _days(start, end)
    among = (
        (each, details(call.world, each))
        for each in call.world.visible()
        if each.start < end
        and (each.end > start or call.world.is_open(each))
        and (activity or each.start.date() in days)
    )
    found = [(each, shown) for each, shown in among if passes(body, shown)]
    key, descending = ordering(body)
    if body.get("order") != "unordered":
        found.sort(key=lambda pair: key(pair[1]), reverse=descending)
    return [each for each, _ in found]


def read_interval(body: dict[str, Any]) -> tuple[datetime, datetime]:
    """The two ends of ``interval``."""
    try:
        start, end = (datetime.fromisoformat(text) for text in str(body.get("interval")).split("/"))
    except ValueError as error:
        raise BadRequestError("You must specify a search interval as part of your query.") from error
    return start, end


def details(world: World, each: Conversation) -> dict[str, Any]:
    """The JSON of a conversation, without participant attributes."""
    end = {} if world.is_open(each) else {"conversationEnd": utc_text(each.end)}
    return {
        "conversationId": each.id,
        "conversationStart": utc_text(each.start),
        **end,
        "originatingDirection": each.fields["direction"],
        "divisionIds": [made_id("division", name) for name in each.divisions],
        "participants": list(participants(each)),
    }


def _found(call: Call, body: dict[str, Any]) -> list[Conversation]:
    start, end = read_interval(body)
    longest = call.cloud.options.interval_days
    if end - start > timedelta(days=longest):
        raise BadRequestError(
            f"You must specify a search interval as part of your query that does not exceed {longest} days."
        )
    key = json.dumps({name: value for name, value in body.items() if name != "paging"}, sort_keys=True)
    key += f" {call.world.closed}"
    if key not in call.world.cached:
        call.world.cached[key] = [each for each in matching(call, body, activity=False) if _is_shown(call, each)]
    found: list[Conversation] = call.world.cached[key]
    return found


def _is_shown(call: Call, each: Conversation) -> bool:
    """Tell if it is young enough for anything but a job."""
    options = call.cloud.options
    end = options.end or datetime.now(UTC).date()
    return not options.details_days or each.start.date() >= end - timedelta(days=options.details_days)


def _days(start: datetime, end: datetime) -> set[date]:
    last = (end - timedelta(microseconds=1)).date()
    return {start.date() + timedelta(days=n) for n in range((last - start.date()).days + 1)}
