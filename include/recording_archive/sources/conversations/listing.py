"""The parts of one conversation as listings: those with media, and for the others the reason or the wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from recording_archive.model import Listing, PartId, is_safe_id
from recording_archive.sources.conversations.batches import MediaResult
from recording_archive.sources.conversations.facts import (
    ConversationFacts,
    FactFinder,
    WantedParts,
    trouble_of,
)
from recording_archive.sources.conversations.join import fields_of, who
from recording_archive.sources.conversations.minting import Minting
from recording_archive.sources.conversations.names import Names
from recording_archive.sources.conversations.playback import Playback
from recording_archive.sources.conversations.reading import Conversation, text
from recording_archive.sources.conversations.troubles import Trouble, Troubles, hindered

__all__ = ["STUCK", "Lister", "troubled"]

SOON = timedelta(days=1)  # after its end until when a conversation may be without the recording it began
STUCK = timedelta(days=3)  # from when on what should have passed is a failure
_COLD = "it lies in cold storage"
_STILL_UPLOADING = Trouble("the recording is still being uploaded", passing=True)
_NO_END = Trouble("its batch request came to no end, and has no media of it so far", passing=True)
_LEFT_OUT = (
    "the batch leaves this recording out without a word though it is there: it may hold sensitive data, for which the "
    "OAuth client's role needs recording:recording:viewSensitiveData"
)


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists the parts of conversations."""

    finder: FactFinder
    playback: Playback
    minting: Minting
    names: Names
    troubles: Troubles

    def listings(
        self, wanted: WantedParts, results: Sequence[MediaResult], now: datetime, *, incomplete: bool = False
    ) -> Iterator[Listing]:
        """Give every part asked for, as media, as a defect, or deferred; then the whole, if it is not complete.

        ``incomplete``: the results are those of a batch that did not end.
        """
        found = self.finder.facts(wanted, results, now, incomplete=incomplete)
        if found.trouble and found.trouble.passing and not _is_old(found):
            yield from troubled(wanted, found.trouble)  # a sidecar never changes: what it lacks it lacks for good
            return
        asked = dict.fromkeys(part.recording_id for part in wanted.parts)
        every = dict.fromkeys([*found.results, *found.states]) if wanted.whole else asked
        any_listed = bool(wanted.known)
        for recording in (each for each in every if each not in wanted.known):
            for listing in self._recording(found, recording):
                any_listed = True
                yield listing
        if wanted.whole:
            yield from _remark(found, any_listed=any_listed)

    def _recording(self, found: ConversationFacts, recording: str) -> Iterator[Listing]:
        results = found.results.get(recording, ())
        given = [result for result in results if result.url]
        errors = [trouble_of(result) for result in results if not result.url]
        if not given:
            yield from self._absent(found, recording, next(iter([*errors, *found.nameless]), None))
            return
        for number, result in enumerate(given):
            part = PartId(found.wanted.conversation.id, recording, number)
            yield self._part(found, part, url=result.url, content_type=result.content_type)
        for number, error in enumerate(errors, len(given)):
            part = PartId(found.wanted.conversation.id, recording, number)
            yield self._part(found, part, **error.remark(old=_is_old(found)))

    def _absent(self, found: ConversationFacts, recording: str, error: Trouble | None) -> Iterator[Listing]:
        """List a recording for which the batch has no media, by its state."""
        state = found.states.get(recording)
        remark: dict[str, str] | None
        match text(state or {}, "fileState"):
            case "DELETED":
                return
            case "ARCHIVED":
                remark = self._restored(found, recording)
            case "RESTORING":
                remark = {"deferred": "cold storage: it is being restored"}
            case "UPLOADING":
                remark = _STILL_UPLOADING.remark(old=_is_old(found))
            case "ERROR":
                reason = error.reason if error else "no reason given"
                remark = {"defect": f"the recording is damaged at the source: {reason}"}
            case _ if error is not None:
                yield from self._played(found, recording, error)
                return
            case _ if found.incomplete and (state or found.trouble):
                remark = _NO_END.remark(old=_is_old(found))
            case _ if state:
                remark = {"defect": _LEFT_OUT}
            case _:
                remark = found.trouble.remark(old=_is_old(found)) if found.trouble else None
        if remark is not None:
            yield from (self._part(found, part, **remark) for part in found.wanted.parts_of(recording))

    def _restored(self, found: ConversationFacts, recording: str) -> dict[str, str]:
        """Ask for the restore of a recording; say that it was asked for, or why it was not."""
        delete_date = text(found.states.get(recording) or {}, "deleteDate")
        conversation, now = found.wanted.conversation.id, found.now
        ask = partial(self.playback.restore, conversation, recording, now, delete_date=delete_date)
        met = self.troubles.ask("restore", ask)
        if met is None:
            return {"deferred": "cold storage: its restore was asked for"}
        trouble = met if _COLD in met.reason else met.after(f"{_COLD}, and its restore failed")
        return trouble.remark(old=_is_old(found))

    def _played(self, found: ConversationFacts, recording: str, error: Trouble) -> Iterator[Listing]:
        """List the media that playback gives instead of the batch that failed."""
        ask = partial(self.playback.media, found.wanted.conversation.id, recording)
        playing = self.troubles.ask("playback", ask)
        if isinstance(playing, Trouble):
            trouble = playing.after(f"{error.reason}; and playback")
        else:
            for number, url in enumerate(playing.urls):
                part = PartId(found.wanted.conversation.id, recording, number)
                self.minting.played(part, url, ask)
                yield self._part(found, part, url=url)
            if playing.urls:
                return
            refused = error.after("neither batch nor playback has its media")
            trouble = refused if playing.ready else Trouble("playback is still transcoding it", passing=True)
        for part in found.wanted.parts_of(recording):
            yield self._part(found, part, **trouble.remark(old=_is_old(found)))

    def _part(
        self,
        found: ConversationFacts,
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
        attributes, parties = who(conversation, state, self.names, sure=not found.ambiguous)
        return Listing(
            part_id=part,
            interaction_date=conversation.started_at,
            media_url=url,
            expected_sha256=None,
            attributes=attributes,
            source_fields=fields_of(
                conversation, state, self.names, content_type=content_type, attributes=found.attributes
            ),
            defect=defect,
            deferred=deferred,
            ended_at=conversation.ended_at,
            parties=parties,
        )


def troubled(wanted: WantedParts, trouble: Trouble) -> Iterator[Listing]:
    """List all that is asked of a conversation with its trouble."""
    each = wanted.conversation
    whole = (PartId.whole(each.id),) if wanted.whole else ()
    for part in (*whole, *wanted.parts):
        yield hindered(part, trouble, started_at=each.started_at, ended_at=each.ended_at)


def _remark(found: ConversationFacts, *, any_listed: bool) -> Iterator[Listing]:
    """Listing of the whole where more may come, or where none of its recordings can be archived."""
    conversation = found.wanted.conversation
    recent = not _ended_before(conversation, found.now - SOON)
    if conversation.ended_at is None:
        yield _whole(conversation, deferred="the conversation is still open")
    elif not any_listed and found.nameless:
        nameless = found.nameless[0]
        worst = found.trouble.after(f"{nameless.reason}; and its metadata") if found.trouble else nameless
        yield _whole(conversation, **worst.remark(old=_is_old(found)))
    elif found.trouble:  # media in hand are archived without it; the conversation is visited again
        yield _whole(conversation, **found.trouble.remark(old=_is_old(found)))
    elif not any_listed and not found.states and conversation.was_recorded and recent:
        yield _whole(conversation, deferred="a recording was started, and is not there yet")


def _whole(conversation: Conversation, *, defect: str | None = None, deferred: str | None = None) -> Listing:
    part = PartId.whole(conversation.id)
    return Listing(part, conversation.started_at, None, None, defect=defect, deferred=deferred)


def _is_old(found: ConversationFacts) -> bool:
    """Tell if what passes should have passed by now."""
    return _ended_before(found.wanted.conversation, found.now - STUCK)


def _ended_before(conversation: Conversation, moment: datetime) -> bool:
    return conversation.ended_at is not None and conversation.ended_at < moment
