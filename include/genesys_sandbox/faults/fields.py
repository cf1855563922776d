"""Faults in the content of an API reply: JSON that is cut, values of a wrong type, fields left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from genesys_sandbox.reply import Reply, api_error, json_reply
from genesys_sandbox.settings.fault import Fault

_LISTS = ("results", "conversations", "entities")
_DEFAULT_FIELD = {"token": "access_token", "query": "results", "renew": "mediaUrl"}


def spoil(reply: Reply, fault: Fault) -> Reply:
    """``reply`` with its content as the fault leaves it; other kinds change nothing here."""
    match fault.kind:
        case "malformed_json":
            (body,) = reply.body
            return replace(reply, body=(body[: len(body) * 2 // 3],)) if isinstance(body, bytes) else reply
        case "wrong_types" | "missing_fields" | "set_fields":
            return _spoil_fields(reply, fault)
        case "unauthorized" | "token_expired":
            return api_error(401, "bad.credentials", "Invalid login credentials.")
        case "forbidden":
            return api_error(
                *(403, "missing.permissions"),
                "Unable to perform the requested action. You are missing the following permission(s): "
                "recording:recording:view",
            )
        case "not_found":
            return api_error(404, "not.found", "The requested resource was not found.")
    return reply


def _spoil_fields(reply: Reply, fault: Fault) -> Reply:
    """Change fields: of the reply, or where it has none of that name, of each entry that the fault's glob matches."""
    (body,) = reply.body
    payload: Any = json.loads(body) if isinstance(body, bytes) else {}
    names = tuple(fault.values) or (fault.name or _DEFAULT_FIELD[fault.endpoint],)
    # all targets are found before the first changes: an id that is replaced would no longer match the glob
    found = [(target, name) for name in names for target in _targets(payload, name, fault.recording)]
    for target, name in found:
        if fault.kind == "missing_fields":
            target.pop(name, None)
        else:
            target[name] = fault.values[name] if fault.kind == "set_fields" else _wrong(target.get(name))
    return json_reply(payload)


def _targets(payload: Any, name: str, glob: str) -> Iterator[dict[str, Any]]:
    lists = [payload] if isinstance(payload, list) else [payload[key] for key in _LISTS if key in payload]
    if isinstance(payload, dict) and (name in payload or not lists):
        yield payload
        return
    for entry in (entry for found in lists for entry in found):
        if fnmatchcase(str(entry.get("id") or entry.get("conversationId")), glob):
            yield entry


def _wrong(value: object) -> object:
    """A value of another type: a number for text, text for all else."""
    return 12345 if isinstance(value, str) else "not what it should be"
