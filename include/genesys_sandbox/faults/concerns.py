"""The conversations and recordings that one request to the platform API is about: a sticky fault meets it by them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from genesys_sandbox.recordings.world import World
from genesys_sandbox.reply import Reply

_IDS = ("id", "conversationId", "recordingId")
_LISTS = ("conversations", "entities")


def named_by(world: World, path: Mapping[str, str], ids: Iterable[str], body: bytes) -> Set[str]:
    """Ids in path, query and body of a request, and of the batch that it polls; empty where a list is asked for."""
    batch = getattr(world.jobs.get(path.get("job", "")), "asked", [])
    if "recording" in path:
        return frozenset(path[name] for name in ("conversation", "recording"))
    wholes = {path[name] for name in ("conversation", "orphan") if name in path} | set(ids)
    items = [*batch, *_asked(body)]
    wholes |= {each.get("conversationId", "") for each in items if "recordingId" not in each}
    single = {
        each.get(name, "") for each in items if "recordingId" in each for name in ("conversationId", "recordingId")
    }
    return frozenset((wholes | single | set(_recordings(world, wholes))) - {""})


def listed_by(world: World, reply: Reply) -> Set[str]:
    """Ids of what a list shows."""
    (body,) = reply.body or (b"",)
    try:
        payload = json.loads(body) if isinstance(body, bytes) else None
    except ValueError:
        return frozenset()
    lists = (payload.get(name) for name in _LISTS) if isinstance(payload, dict) else [payload]
    entries = [entry for found in lists if isinstance(found, list) for entry in found]
    named = {str(entry[name]) for entry in entries for name in _IDS if name in entry}
    return frozenset(named | set(_recordings(world, named)))


def _asked(body: bytes) -> list[dict[str, str]]:
    """Items of a batch request."""
    try:
        found: Any = json.loads(body) if body else None
    except ValueError:
        return []
    asked = found.get("batchDownloadRequestList") if isinstance(found, dict) else None
    return [each for each in asked if isinstance(each, dict)] if isinstance(asked, list) else []


def _recordings(world: World, conversations: Set[str]) -> Iterator[str]:
    """A request about a conversation is about each of its recordings."""
    found = (world.get(name) for name in conversations)
    return (item.id for each in found if each is not None for item in each.items)
