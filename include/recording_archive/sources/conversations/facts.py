"""Facts of one conversation: the results of its batch, and the metadata of its recordings where those are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from recording_archive.model import PartId
from recording_archive.sources.conversations.batches import MediaResult
from recording_archive.sources.conversations.join import is_ambiguous
from recording_archive.sources.conversations.playback import Playback
from recording_archive.sources.conversations.reading import Conversation
from recording_archive.sources.conversations.troubles import Trouble, Troubles

__all__ = ["ConversationFacts", "FactFinder", "WantedParts", "trouble_of"]


@dataclass(frozen=True, slots=True)
class WantedParts:
    """Parts that are asked of one conversation: all of it (``whole``), some of its recordings, or both.

    ``thrifty``: spend no request on an attribute alone. ``known`` are recordings of which nothing is asked.
    """

    conversation: Conversation
    whole: bool
    parts: tuple[PartId, ...]
    thrifty: bool
    known: frozenset[str] = frozenset()

    def parts_of(self, recording: str) -> list[PartId]:
        """Parts to list when a recording has no media: those asked for, or its first."""
        mine = [part for part in self.parts if part.recording_id == recording]
        return mine or [PartId(self.conversation.id, recording, 0)]


@dataclass(frozen=True, slots=True)
class ConversationFacts:
    """Results and metadata of one conversation, by recording; ``nameless`` are errors that name no recording.

    ``trouble`` is why its metadata or attributes are not known though they are needed. ``incomplete``: its batch did
    not end, so that more results may come.
    """

    wanted: WantedParts
    results: Mapping[str, Sequence[MediaResult]]
    states: Mapping[str, Mapping[str, Any]]
    attributes: Mapping[str, Any]
    nameless: Sequence[Trouble]
    ambiguous: bool
    incomplete: bool
    now: datetime
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class FactFinder:
    """Finds facts; ``full`` asks for each conversation's recording metadata, else only where it is needed.

    ``allowed`` names the participant attributes that are asked for.
    """

    playback: Playback
    troubles: Troubles
    full: bool
    allowed: frozenset[str]

    def facts(
        self, wanted: WantedParts, results: Sequence[MediaResult], now: datetime, *, incomplete: bool
    ) -> ConversationFacts:
        """Sort results by recording; ask for the metadata, one more request, where they do not say enough."""
        named: dict[str, list[MediaResult]] = {}
        for result in results:
            if result.recording_id:
                named.setdefault(result.recording_id, []).append(result)
        nameless = [trouble_of(result) for result in results if not result.recording_id]
        conversation = wanted.conversation
        missing = any(part.recording_id not in named for part in wanted.parts)
        nothing = wanted.whole and not named and conversation.was_recorded
        failed = nameless or any(result.url is None for result in results)
        ambiguous = is_ambiguous(conversation, len(named))
        needed = self.full or missing or nothing or failed or incomplete or (ambiguous and not wanted.thrifty)
        states: Mapping[str, Mapping[str, Any]] | Trouble = {}
        attributes: Mapping[str, Any] | Trouble = {}
        if needed:
            states = self.troubles.ask("metadata", partial(self.playback.metadata, conversation.id))
        if self.allowed:
            attributes = self.troubles.ask(
                "attributes", partial(self.playback.attributes, conversation.id, self.allowed)
            )
        return ConversationFacts(
            wanted=wanted,
            results=named,
            states={} if isinstance(states, Trouble) else states,
            attributes={} if isinstance(attributes, Trouble) else attributes,
            nameless=nameless,
            ambiguous=ambiguous,
            incomplete=incomplete,
            now=now,
            trouble=next((each for each in (states, attributes) if isinstance(each, Trouble)), None),
        )


def trouble_of(result: MediaResult) -> Trouble:
    """The trouble that a result without media tells of."""
    return Trouble(result.error or "no media and no reason", result.passing)
