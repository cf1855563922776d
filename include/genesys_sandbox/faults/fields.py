"""Faults in the content of an API reply: JSON that is cut, values of a wrong type, fields left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from secrets import token_hex
from typing import Any

from genesys_sandbox.reply import Reply, api_error, json_reply
from genesys_sandbox.settings.fault import UNREADABLE, Fault

_LISTS = ("results", "conversations", "entities")
_DEFAULT_FIELD = {"token": "access_token", "query": "results", "renew": "mediaUrl"}


def spoil(reply: Reply, fault: Fault) -> Reply:
    """``reply`` with its content as the fault leaves it; other kinds change nothing here."""
    change = _CHANGES.get(fault.kind)
    return change(reply, fault) if change else reply


def _malformed(reply: Reply, _: Fault) -> Reply:
    (body,) = reply.body
    return replace(reply, body=(body[: len(body) * 2 // 3],)) if isinstance(body, bytes) else reply


def _unauthorized(_reply: Reply, _fault: Fault) -> Reply:
    return api_error(401, "bad.credentials", "Invalid login credentials.")


def _forbidden(_reply: Reply, _fault: Fault) -> Reply:
    message = "Unable to perform the requested action. You are missing the following permission(s): "
    return api_error(403, "missing.permissions", message + "recording:recording:view")


def _not_found(_reply: Reply, _fault: Fault) -> Reply:
    return api_error(404, "not.found", "The requested resource was not found.")


def _spoil_fields(reply: Reply, fault: Fault) -> Reply:
    """Change fields: of the reply, or where it has none of that name, of each entry that the fault's glob matches."""
    payload = _payload(reply)
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
    if isinstance(payload, dict) and (name in payload or not any(key in payload for key in _LISTS)):
        yield payload
        return
    for entry in _entries(payload):
        if _is_about(entry, glob):
            yield entry


def _is_about(entry: dict[str, Any], glob: str) -> bool:
    return any(fnmatchcase(str(entry.get(name)), glob) for name in ("id", "conversationId", "recordingId"))


def _unreadable(reply: Reply, fault: Fault) -> Reply:
    """Put a value that decoders choke on into each entry that the fault matches, or into the reply where none does."""
    payload, mark = _payload(reply), f"unreadable {token_hex(8)}"
    entries = [entry for entry in _entries(payload) if _is_about(entry, fault.recording)]
    for entry in entries or ([payload] if isinstance(payload, dict) else []):
        entry["strange"] = mark
    text = json.dumps(payload).replace(json.dumps(mark), UNREADABLE[fault.name or "NaN"])
    return replace(reply, body=(text.encode(),))


def _unfinished(reply: Reply, fault: Fault) -> Reply:
    """A batch that stays in progress, with every result but those that the fault matches."""
    payload = _payload(reply)
    payload["results"] = [each for each in payload.get("results", ()) if not _is_about(each, fault.recording)]
    return json_reply(payload | {"status": "InProgress", "resultCount": len(payload["results"])})


def _payload(reply: Reply) -> Any:
    (body,) = reply.body
    return json.loads(body) if isinstance(body, bytes) else {}


def _entries(payload: Any) -> list[dict[str, Any]]:
    lists = [payload] if isinstance(payload, list) else [payload[key] for key in _LISTS if key in payload]
    return [entry for found in lists for entry in found]


def _wrong(value: object) -> object:
    """A value of another type: a number for text, text for all else."""
    return 12345 if isinstance(value, str) else "not what it should be"


_CHANGES: Mapping[str, Callable[[Reply, Fault], Reply]] = {
    "malformed_json": _malformed,
    "unauthorized": _unauthorized,
    "token_expired": _unauthorized,
    "forbidden": _forbidden,
    "not_found": _not_found,
    "unreadable": _unreadable,
    "unfinished": _unfinished,
    **dict.fromkeys(("wrong_types", "missing_fields", "set_fields"), _spoil_fields),
}
