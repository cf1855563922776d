"""The conversations that the platform API knows, made from the same recordings as the interactions API."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from genesys_sandbox.recordings.digital import digital_recordings
from genesys_sandbox.recordings.extra import Extra
from genesys_sandbox.recordings.library import Library
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.recordings.stray import stray_recordings
from genesys_sandbox.settings.options import SandboxOptions
from genesys_sandbox.settings.traps import DIGITS, read_traps

GAP_DIVISION = "South-East"
_SHORT = timedelta(seconds=30)
_BOTH = ("North", "South")  # a transfer goes to one of them


def made_id(*words: object) -> str:
    """A UUID that follows from words."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(map(str, words))))


@dataclass(frozen=True, slots=True)
class Item:
    """One recording of a conversation with its media files; ``session_id`` is the recorded leg.

    ``channels`` are the files of both sides, where playback gives them apart.
    """

    id: str
    conversation_id: str
    session_id: str
    media: str
    parts: tuple[Recording, ...]
    channels: tuple[Recording, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation; ``number`` counts from 0 by start, ``traits`` are the traps that meet it.

    ``transferred``: to a second agent in another queue and division, with a second customer.
    """

    number: int
    id: str
    start: datetime
    end: datetime
    division: str
    items: tuple[Item, ...]
    traits: frozenset[str]
    transferred: bool = False

    @property
    def legs(self) -> tuple[Item, ...]:
        """Recordings of what was said or written: a screen has no leg of its own."""
        return tuple(item for item in self.items if item.media != "screen")

    @property
    def divisions(self) -> tuple[str, ...]:
        """The divisions it belongs to; a transfer adds one."""
        other = next(name for name in _BOTH if name != self.division)
        return (self.division, other) if self.transferred else (self.division,)

    @property
    def fields(self) -> Mapping[str, Any]:
        """Metadata of the synthetic recording: agent, queue, numbers."""
        return self.items[0].parts[0].fields

    @property
    def media_type(self) -> str:
        """``voice``, ``chat``, ``email`` or ``message``."""
        return "voice" if self.items[0].media == "audio" else self.items[0].media


@dataclass(slots=True)
class World:
    """All conversations, and what changes while the sandbox runs; ``clock`` gives the seconds that batches take."""

    traps: frozenset[str]
    conversations: Sequence[Conversation]
    extra: Mapping[str, Recording]
    orphans: Sequence[Recording] = ()
    orphan_state: str = "AVAILABLE"
    closed: bool = False
    uploaded: bool = False
    restoring: set[str] = field(default_factory=set)
    restored: set[str] = field(default_factory=set)
    delete_dates: dict[str, str | None] = field(default_factory=dict)
    jobs: dict[str, Any] = field(default_factory=dict)
    cached: dict[str, Any] = field(default_factory=dict)
    transcoded: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    clock: Callable[[], float] = time.monotonic

    def get(self, conversation_id: str) -> Conversation | None:
        """The conversation of that id, if the client's divisions show it."""
        found = self._by_id().get(conversation_id)
        return found if found is not None and "division_gap" not in found.traits else None

    def visible(self) -> Iterator[Conversation]:
        """Conversations that the client's divisions show, oldest first."""
        return (each for each in self.conversations if "division_gap" not in each.traits)

    def is_open(self, conversation: Conversation) -> bool:
        """Test whether a conversation still has no end."""
        return "open" in conversation.traits and not self.closed

    def state(self, conversation: Conversation, item: Item) -> str:
        """The ``fileState`` of a recording now."""
        if "deleted" in conversation.traits:
            return "DELETED"
        late = "late" in conversation.traits and item is not conversation.items[0]
        if ("uploading" in conversation.traits or late) and not self.uploaded:
            return "UPLOADING"
        if "archived" not in conversation.traits or item.id in self.restored:
            return "RESTORED" if item.id in self.restored else "AVAILABLE"
        return "RESTORING" if item.id in self.restoring else "ARCHIVED"

    def finish_restores(self) -> None:
        """End the hours that a restore takes."""
        self.restored |= self.restoring

    def truth(self) -> dict[tuple[str, str, int], Recording]:
        """Every part that can be archived sooner or later, by conversation, recording and ordinal."""
        gone = {"division_gap", "deleted", "unrecorded"}
        return {(orphan.id, orphan.id, 0): orphan for orphan in self.orphans} | {
            (each.id, item.id, ordinal): part
            for each in self.conversations
            if not gone & each.traits
            for item in each.items
            for ordinal, part in enumerate(item.parts)
        }

    def _by_id(self) -> dict[str, Conversation]:
        if "by_id" not in self.cached:
            self.cached["by_id"] = {each.id: each for each in self.conversations}
        found: dict[str, Conversation] = self.cached["by_id"]
        return found


def make_world(options: SandboxOptions, library: Library, folder: Path) -> World:
    """Group the library's recordings into conversations; the traps say which have something special."""
    traps = read_traps(options.traps)
    found: list[Conversation] = []
    more = Extra(folder)
    rest = iter(library)
    for first in rest:
        traits = frozenset(name for name in traps if DIGITS.get(name) == len(found) % 10 or name == "number_forms")
        second = next(rest, None) if traits & {"multi_part", "transfers", "late"} else None
        call = _call(len(found), first, second, traits, more)
        every = options.participants_every
        found.append(replace(call, transferred=bool(every) and call.number % every == every - 1))
    kinds = [*(("zip", "eml") if "digital" in traps else ()), *(("json",) if "messages" in traps else ())]
    written = digital_recordings(options, folder, kinds)
    found += [_digital(len(found) + n, recording) for n, recording in enumerate(written)]
    found.sort(key=lambda each: each.start)
    orphans = stray_recordings(options, folder) if "orphans" in traps else []
    extra = {recording.id: recording for recording in [*written, *more.made, *orphans]}
    return World(traps, found, extra, orphans)


def _call(number: int, first: Recording, second: Recording | None, traits: frozenset[str], more: Extra) -> Conversation:
    files = [first, second] if second and "multi_part" in traits else [first]
    files.sort(key=lambda part: part.id)  # their order is that of their paths
    items = [_item(first.id, 0, "audio", tuple(files))]
    if second and traits & {"transfers", "late"}:
        items.append(_item(first.id, 1, "audio", (second,)))
    if "dual_channel" in traits:
        items[0] = replace(items[0], channels=more.channels(first))
    if "screen" in traits:
        agent_leg = made_id("agent", first.id, 0)
        items.append(
            Item(made_id("recording", first.id, "screen"), first.id, agent_leg, "screen", (more.screen(first),))
        )
    division = GAP_DIVISION if "division_gap" in traits else str(first.fields["division"])
    return Conversation(number, first.id, first.date, _end(first), division, tuple(items), traits)


def _digital(number: int, recording: Recording) -> Conversation:
    media = {"zip": "chat", "eml": "email", "json": "message"}[recording.extension]
    item = _item(recording.id, 0, media, (recording,))
    return Conversation(number, recording.id, recording.date, _end(recording), "Home", (item,), frozenset())


def _item(conversation_id: str, n: int, media: str, parts: tuple[Recording, ...]) -> Item:
    session = made_id("session", conversation_id, n)
    return Item(made_id("recording", conversation_id, n), conversation_id, session, media, parts)


def _end(recording: Recording) -> datetime:
    length = timedelta(milliseconds=recording.fields.get("durationMs") or 0)
    return (recording.date + max(length, _SHORT)).astimezone(UTC)
