"""Directory: the client and its permissions, the organization, divisions, names of users, queues and codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from genesys_sandbox.platform import participants
from genesys_sandbox.platform.call import Call, answer
from genesys_sandbox.recordings.world import GAP_DIVISION, made_id
from genesys_sandbox.reply import Reply

MAX_PAGE = 500
_GRANTED = ("Home", "North", "South")


def token(call: Call) -> Reply:
    """``GET /tokens/me``: the client and the divisions that its roles are for."""
    shown = (*_GRANTED, *(() if "division_gap" in call.world.traps else (GAP_DIVISION,)))
    roles = [{"roleId": made_id("role"), "divisionId": made_id("division", name)} for name in shown]
    organization = {"id": made_id("organization"), "name": "Sandbox"}
    client = {"id": call.cloud.options.client_id, "name": "archive", "roleDivisions": roles}
    return answer({"organization": organization, "homeOrganization": organization, "OAuthClient": client})


def organization(_: Call) -> Reply:
    """``GET /organizations/me``."""
    return answer({"id": made_id("organization"), "name": "Sandbox", "domain": "sandbox", "state": "active"})


def subject(call: Call) -> Reply:
    """``GET /authorization/subjects/me``: the client's role; with its policies only when full roles are asked for."""
    role: dict[str, Any] = {"id": made_id("role"), "name": "Archive"}
    if call.query.get("includeFullRoles") == "true":
        role["policies"] = [_policy(name, call.cloud.options.conditional) for name in sorted(call.permissions)]
    return answer({"id": call.cloud.options.client_id, "grants": [{"role": role, "division": {"id": "*"}}]})


def _policy(name: str, conditional: str) -> dict[str, Any]:
    domain, entity, action = name.split(":")
    condition = {"condition": f"queue.id in {made_id('queue', 'Support')}"} if name in conditional.split(",") else {}
    return {"domain": domain, "entityName": entity, "actions": [action], **condition}


def divisions(call: Call) -> Reply:
    """``GET /authorization/divisions``: all of the organization's, granted or not."""
    return _listing(call, ((made_id("division", name), name) for name in (*_GRANTED, GAP_DIVISION)))


def users(call: Call) -> Reply:
    """``GET /users``: active ones alone unless ``state`` says otherwise."""
    active = call.query.get("state", "active") == "active"
    found = participants.users(call.world).items()
    return _listing(call, ((i, name) for i, name in found if not (active and name.endswith("1"))))


def queues(call: Call) -> Reply:
    """``GET /routing/queues``."""
    return _listing(call, participants.queues(call.world).items())


def codes(call: Call) -> Reply:
    """``GET /routing/wrapupcodes``."""
    return _listing(call, participants.codes(call.world).items())


def limits(call: Call) -> Reply:
    """``GET /organizations/limits/namespaces/{namespaceName}``."""
    allowed = call.cloud.options.rate_per_minute
    found = {"key": "client.credentials.token.rate.per.minute", "namespace": call.path["namespace"], "value": allowed}
    return answer({"entities": [found] if allowed else []})


def settings(_: Call) -> Reply:
    """``GET /recording/settings``."""
    return answer({"recordingPlaybackUrlTtl": 60, "recordingBatchDownloadUrlTtl": 60, "maxSimultaneousStreams": 1})


def _listing(call: Call, found: Iterable[tuple[str, str]]) -> Reply:
    size, number = call.number("pageSize", 25, MAX_PAGE), call.number("pageNumber", 1, 10_000)
    ids = set(call.ids())
    rows: list[dict[str, Any]] = [{"id": i, "name": name} for i, name in found if not ids or i in ids]
    page = rows[(number - 1) * size : number * size]
    count = max(1, -(-len(rows) // size))
    return answer({"entities": page, "pageSize": size, "pageNumber": number, "total": len(rows), "pageCount": count})
