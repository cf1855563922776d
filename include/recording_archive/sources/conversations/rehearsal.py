"""A rehearsal: one recent conversation of each kind of media, through batch and playback, as a run would ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from recording_archive.errors import ArchiveError
from recording_archive.model import Window
from recording_archive.sources import Handout, Sample
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.batches import Batches
from recording_archive.sources.conversations.details import DETAILS_PATH, recent_of
from recording_archive.sources.conversations.permissions import role_facts
from recording_archive.sources.conversations.playback import Playback
from recording_archive.sources.conversations.reading import Conversation, read_conversations, text
from recording_archive.sources.conversations.troubles import ONE, is_of_one

__all__ = ["KINDS", "Rehearsal"]

KINDS: Mapping[str, tuple[str, str]] = {
    "audio": ("recording", "true"),
    "screen": ("screenRecording", "true"),
    "chat": ("mediaType", "chat"),
    "email": ("mediaType", "email"),
    "message": ("mediaType", "message"),
}
"""The ``media`` of a recording, and the dimension of conversations that have such a one."""

DAYS = (1, 7, 30)
SETTLED = timedelta(hours=1)  # after which a recording should be there
CANDIDATES = 5  # of each range, whose metadata are asked for until one has media at hand
AT_HAND = ("AVAILABLE", "RESTORED")

States = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Asks for a few conversations; ``clock`` gives seconds. Each batch is waited for as if it were the first."""

    client: ApiClient
    batches: Callable[[], Batches]
    playback: Playback
    clock: Callable[[], float]
    now: Callable[[], datetime]

    def samples(self) -> Iterator[Sample]:
        """The facts of the role, then one sample of each kind; a refusal of one kind is told with it."""
        yield Sample("role", facts=role_facts(self.client))
        for kind, dimension in KINDS.items():
            try:
                yield self._sample(kind, dimension)
            except ArchiveError as error:
                if not is_of_one(error):
                    raise
                yield Sample(kind, note=str(error))

    def _recent(self, dimension: tuple[str, str], days: int) -> list[Conversation]:
        """Conversations of the last days that have ended, newest first."""
        window = Window(self.now() - timedelta(days=days), self.now())
        found = self.client.post(f"{DETAILS_PATH}/query", recent_of(window, *dimension), read_conversations)
        return sorted((each for each in found if each.ended_at is not None), key=self._age)

    def _age(self, each: Conversation) -> tuple[bool, timedelta]:
        age = self.now() - (each.ended_at or self.now())
        return age < SETTLED, age

    def _sample(self, kind: str, dimension: tuple[str, str]) -> Sample:
        """Take the newest conversation with media at hand, of the shortest range that has one; else the best there is.

        A few without media may be all that the last day has: the range grows until one is found.
        """
        seen: dict[str, tuple[Conversation, States]] = {}
        for days in DAYS:
            fresh = [each for each in self._recent(dimension, days) if each.id not in seen]
            for each in fresh[:CANDIDATES]:
                states = self.playback.metadata(each.id)
                if any(_is_at_hand(kind, state) for state in states.values()):
                    return self._through(kind, each, states)
                seen[each.id] = each, states
        if not seen:
            return Sample(kind, note=f"none in the last {DAYS[-1]} days")
        recorded = [candidate for candidate in seen.values() if candidate[1]]
        return self._through(kind, *(recorded or list(seen.values()))[0])

    def _through(self, kind: str, conversation: Conversation, states: States) -> Sample:
        """Order the conversation by batch, and play one of its recordings back: of this kind, and at hand if any is."""
        names = sorted(
            states, key=lambda name: (not _is_at_hand(kind, states[name]), states[name].get("media") != kind)
        )
        handouts = [self._handout("batch", lambda: self._batch(conversation.id, names[:1]))]
        if names:
            handouts.append(self._handout("playback", lambda: self._played(conversation.id, names[0])))
        ended = conversation.ended_at.isoformat(timespec="minutes") if conversation.ended_at else None
        facts = {"ended": ended, "recordings": [_shown(states[name]) for name in names]}
        return Sample(kind, (conversation.id, *names), facts, tuple(handouts))

    def _handout(self, way: str, ask: Callable[[], Handout]) -> Handout:
        """Time what is handed out; an error of this one is its trouble."""
        began, before = self.clock(), self.client.requests
        try:
            found = ask()
        except ArchiveError as error:
            if not is_of_one(error):
                raise
            found = Handout(way, trouble=str(error))
        return replace(found, waited_s=self.clock() - began, requests=self.client.requests - before)

    def _batch(self, conversation: str, recordings: Sequence[str]) -> Handout:
        batches = self.batches()
        done = batches.finished(batches.submit([(conversation, None)]), ONE)
        mine = [each for each in done.results if each.recording_id in recordings] or list(done.results)
        given = [each for each in mine if each.url]
        error = next((each.error for each in mine if each.error), None)
        return Handout(
            "batch",
            urls=tuple(each.url for each in given if each.url),
            content_types=tuple(dict.fromkeys(each.content_type or "no content type" for each in given)),
            trouble=None if given else error or "the batch gave no result for it",
        )

    def _played(self, conversation: str, recording: str) -> Handout:
        found = self.playback.media(conversation, recording)
        trouble = "playback has no media" if found.ready else "playback is still transcoding it"
        return Handout(
            "playback", urls=found.urls, keys=found.keys, is_cut=found.is_cut, trouble=None if found.urls else trouble
        )


def _is_at_hand(kind: str, state: Mapping[str, Any]) -> bool:
    return state.get("media") == kind and state.get("fileState") in AT_HAND


def _shown(state: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a recording's metadata that matter to a first run."""
    given = ((name, text(state, name)) for name in ("media", "mediaSubtype", "fileState", "region", "deleteDate"))
    return {name: value for name, value in given if value}
