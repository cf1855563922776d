"""The parts of one conversation as listings: what a batch gave, and what becomes of recordings it did not give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from recording_archive.model import Listing, PartId, is_safe_id
from recording_archive.sources.conversations.batches import MediaResult
from recording_archive.sources.conversations.join import attributes_of, fields_of, is_ambiguous
from recording_archive.sources.conversations.minting import Minting
from recording_archive.sources.conversations.names import Names
from recording_archive.sources.conversations.playback import Playback
from recording_archive.sources.conversations.reading import Conversation, text

__all__ = ["Lister", "WantedParts"]

SOON = timedelta(days=1)  # after its end until when a conversation may be without the recording it began
STUCK = timedelta(days=3)
_LEFT_OUT = (
    "the batch leaves this recording out without a word though it is there: it may hold sensitive data, for which the "
    "OAuth client's role needs recording:recording:viewSensitiveData"
)


@dataclass(frozen=True, slots=True)
class WantedParts:
    """What is asked of one conversation: all of it, some of its recordings by part, or both; ``thrifty`` as asked."""

    conversation: Conversation
    whole: bool
    parts: tuple[PartId, ...]
    thrifty: bool

    def parts_of(self, recording: str) -> list[PartId]:
        """The parts to tell of when a recording has no media."""
        mine = [part for part in self.parts if part.recording_id == recording]
        return mine or [PartId(self.conversation.id, recording, 0)]


@dataclass(frozen=True, slots=True)
class _Found:
    """What the service said of one conversation; ``nameless`` are errors that name no recording."""

    wanted: WantedParts
    results: Mapping[str, Sequence[MediaResult]]
    states: Mapping[str, Mapping[str, Any]]
    attributes: Mapping[str, Any]
    nameless: Sequence[str]
    ambiguous: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists conversations; ``full`` asks for each one's recording metadata, else only where it is needed."""

    playback: Playback
    minting: Minting
    names: Names
    full: bool
    allowed: frozenset[str]

    def listings(self, wanted: WantedParts, results: Sequence[MediaResult], now: datetime) -> Iterator[Listing]:
        """Every part asked for, as media, as a defect, or deferred; then what is still to say of the whole."""
        found = self._find(wanted, results, now)
        asked = dict.fromkeys(part.recording_id for part in wanted.parts)
        every = dict.fromkeys([*found.results, *found.states]) if wanted.whole else asked
        told = False
        for recording in every:
            for listing in self._recording(found, recording):
                told = True
                yield listing
        if wanted.whole:
            yield from _remark(found, told=told)

    def _find(self, wanted: WantedParts, results: Sequence[MediaResult], now: datetime) -> _Found:
        """Results by recording, with the metadata, one more request, where it cannot be told without."""
        named: dict[str, list[MediaResult]] = {}
        for result in results:
            if result.recording_id:
                named.setdefault(result.recording_id, []).append(result)
        nameless = [result.error or "no recording was named" for result in results if not result.recording_id]
        conversation = wanted.conversation
        missing = any(part.recording_id not in named for part in wanted.parts)
        nothing = wanted.whole and not named and conversation.was_recorded
        failed = nameless or any(result.url is None for result in results)
        ambiguous = is_ambiguous(conversation, len(named))
        needed = self.full or missing or nothing or failed or (ambiguous and not wanted.thrifty)
        states = self.playback.metadata(conversation.id) if needed else {}
        attributes = self.playback.attributes(conversation.id, self.allowed) if self.allowed else {}
        return _Found(wanted, named, states, attributes, nameless, ambiguous, now)

    def _recording(self, found: _Found, recording: str) -> Iterator[Listing]:
        results = found.results.get(recording, ())
        given = [result for result in results if result.url]
        errors = [result.error or "no URL and no reason" for result in results if not result.url]
        if not given:
            yield from self._absent(found, recording, next(iter([*errors, *found.nameless]), None))
            return
        for number, result in enumerate(given):
            part = PartId(found.wanted.conversation.id, recording, number)
            yield self._part(found, part, url=result.url, content_type=result.content_type)
        for number, error in enumerate(errors, len(given)):
            yield self._part(found, PartId(found.wanted.conversation.id, recording, number), defect=error)

    def _absent(self, found: _Found, recording: str, error: str | None) -> Iterator[Listing]:
        """A recording for which the batch has no media, by the state it is in."""
        state, conversation = found.states.get(recording), found.wanted.conversation
        remark: dict[str, str] | None
        match text(state or {}, "fileState"):
            case "DELETED":
                return
            case "ARCHIVED":
                problem = self.playback.restore(conversation.id, recording, found.now)
                remark = {"defect": problem} if problem else {"deferred": "cold storage: its restore was asked for"}
            case "RESTORING":
                remark = {"deferred": "cold storage: it is being restored"}
            case "UPLOADING":
                stuck = _ended_before(conversation, found.now - STUCK)
                remark = {"defect" if stuck else "deferred": "the recording is still being uploaded"}
            case "ERROR":
                remark = {"defect": f"the recording is damaged at the source: {error or 'no reason given'}"}
            case _ if error is None:
                remark = {"defect": _LEFT_OUT} if state else None
            case _:
                yield from self._played(found, recording, error or "")
                return
        if remark is not None:
            yield from (self._part(found, part, **remark) for part in found.wanted.parts_of(recording))

    def _played(self, found: _Found, recording: str, error: str) -> Iterator[Listing]:
        """Playback instead of the batch that failed."""
        ask = partial(self.playback.media, found.wanted.conversation.id, recording)
        playing = ask()
        for number, url in enumerate(playing.urls):
            part = PartId(found.wanted.conversation.id, recording, number)
            self.minting.played(part, url, ask)
            yield self._part(found, part, url=url)
        if not playing.urls:
            refused = {"defect": f"neither batch nor playback has its media: {error}"}
            waiting = {"deferred": "playback is still transcoding it"}
            for part in found.wanted.parts_of(recording):
                yield self._part(found, part, **(refused if playing.ready else waiting))

    def _part(
        self,
        found: _Found,
        part: PartId,
        *,
        url: str | None = None,
        content_type: str | None = None,
        defect: str | None = None,
        deferred: str | None = None,
    ) -> Listing:
        conversation, state = found.wanted.conversation, found.states.get(part.recording_id)
        if not is_safe_id(part.recording_id) or not is_safe_id(part.interaction_id):
            defect = f"id {part.recording_id!r:.120} cannot be part of a file name"
        return Listing(
            part_id=part,
            interaction_date=conversation.started_at,
            media_url=url,
            expected_sha256=None,
            attributes=attributes_of(conversation, state, self.names, sure=not found.ambiguous),
            source_fields=fields_of(
                conversation, state, self.names, content_type=content_type, attributes=found.attributes
            ),
            defect=defect,
            deferred=deferred,
            ended_at=conversation.ended_at,
        )


def _remark(found: _Found, *, told: bool) -> Iterator[Listing]:
    """What is to be said of the whole: there may be more to come, or it cannot be had."""
    conversation = found.wanted.conversation
    recent = not _ended_before(conversation, found.now - SOON)
    if conversation.ended_at is None:
        yield _whole(conversation, deferred="the conversation is still open")
    elif not told and found.nameless:
        yield _whole(conversation, defect=found.nameless[0])
    elif not told and not found.states and conversation.was_recorded and recent:
        yield _whole(conversation, deferred="a recording was started, and is not there yet")


def _whole(conversation: Conversation, *, defect: str | None = None, deferred: str | None = None) -> Listing:
    part = PartId.whole(conversation.id)
    return Listing(part, conversation.started_at, None, None, defect=defect, deferred=deferred)


def _ended_before(conversation: Conversation, moment: datetime) -> bool:
    return conversation.ended_at is not None and conversation.ended_at < moment
