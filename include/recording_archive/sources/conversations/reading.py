"""Conversation details as the platform API gives them: the fields that are used are checked, the others only kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from recording_archive.sources.replies import MalformedReplyError, as_object
from recording_archive.sources.texts import plain

__all__ = ["Conversation", "entities", "entries", "moment", "read_conversations", "required_text", "text"]

log = logging.getLogger(__name__)

_DIGITAL = frozenset({"chat", "email", "message", "internalmessage"})


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation; ``document`` is the reply's own JSON, ``ended_at`` None while it is open."""

    id: str
    started_at: datetime | None
    ended_at: datetime | None
    document: Mapping[str, Any] = field(repr=False)

    @property
    def sessions(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Each session with the participant it belongs to."""
        for participant in entries(self.document, "participants"):
            for session in entries(participant, "sessions"):
                yield participant, session

    @property
    def was_recorded(self) -> bool:
        """True if a recording of sound, screen or a snippet was started. It may be gone, or not there yet."""
        flags = ("recording", "screenRecording", "snippetRecording")
        return any(part.get(flag) is True for pair in self.sessions for part in pair for flag in flags)

    @property
    def is_digital(self) -> bool:
        """True if it has written media, which are recorded without any flag."""
        return any(session.get("mediaType") in _DIGITAL for _, session in self.sessions)


def read_conversations(reply: Any) -> list[Conversation]:
    """The conversations of a reply; none where the field is absent or null, which is how the last page ends."""
    found = as_object(reply).get("conversations")
    if found is None:
        return []
    if not isinstance(found, list):
        raise MalformedReplyError("conversations is no list")
    return [_conversation(each, index) for index, each in enumerate(found)]


def entries(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list; an empty one where there is none."""
    found = document.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def entities(reply: Any) -> list[Mapping[str, Any]]:
    """The objects of a listing, which has ``entities`` though it be empty: without them nothing is known."""
    if not isinstance(reply, dict) or not isinstance(reply.get("entities"), list):
        raise MalformedReplyError("entities is missing or no list")
    return entries(reply, "entities")


def text(document: Mapping[str, Any], name: str) -> str | None:
    """A field that is text and not empty."""
    found = document.get(name)
    return plain(found) if isinstance(found, str) and found else None


def required_text(reply: Any, name: str) -> str:
    """A field that must be text and not empty; raise MalformedReplyError that names it."""
    found = text(as_object(reply), name)
    if found is None:
        raise MalformedReplyError(f"{name} is missing or no text")
    return found


def moment(document: Mapping[str, Any], name: str) -> datetime | None:
    """A field that is ISO 8601 with a zone, as UTC; None, and a warning, for anything else that is there."""
    found = document.get(name)
    if found is None:
        return None
    try:
        read = datetime.fromisoformat(found) if isinstance(found, str) else None
        if read is not None and read.tzinfo is not None:
            return read.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    log.warning("%.120r: %s is not ISO 8601 with a zone", document.get("conversationId"), name)
    return None


def _conversation(document: Any, index: int) -> Conversation:
    name = text(document, "conversationId") if isinstance(document, dict) else None
    if name is None:
        raise MalformedReplyError(f"conversations[{index}].conversationId is missing or no text")
    return Conversation(name, moment(document, "conversationStart"), moment(document, "conversationEnd"), document)
