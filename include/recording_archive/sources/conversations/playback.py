"""Recordings one by one: their state, playback where a batch has an error, and restoring those in cold storage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.reading import entries, moment, text
from recording_archive.sources.conversations.troubles import Trouble
from recording_archive.sources.replies import ForbiddenError, MalformedReplyError, NotFoundError, as_object
from recording_archive.sources.texts import harmless

__all__ = ["MEDIA_FORMATS", "Playback", "Playing"]

log = logging.getLogger(__name__)

POLLS, PAUSE_S = 6, 5.0
RESTORED_FOR = timedelta(days=14)
NO_ATTRIBUTES = "sidecars are without the participant attributes"
MEDIA_FORMATS = "formatId=WAV&emailFormatId=EML&chatFormatId=ZIP&messageFormatId=ZIP&download=true"


@dataclass(frozen=True, slots=True)
class Playing:
    """Reply of playback: media URLs in order, or none while they are transcoded (``ready`` False).

    ``keys`` are the service's names of the URLs. ``is_cut``: the recording begins later than it was made to, which is
    what the view of segments alone shows; None where the reply does not tell.
    """

    ready: bool
    urls: tuple[str, ...] = field(default=(), repr=False)
    keys: tuple[str, ...] = ()
    is_cut: bool | None = None


class Playback:
    """Asks for single conversations and recordings; ``notes`` say what was left out, once for each kind."""

    def __init__(self, client: ApiClient, sleep: Callable[[float], object]) -> None:
        self._client = client
        self._sleep = sleep
        self.notes: list[str] = []

    def metadata(self, conversation: str) -> dict[str, Mapping[str, Any]]:
        """Every recording of a conversation by id, with its state; none where the service has none."""
        try:
            return self._client.get(f"{_path(conversation)}/recordingmetadata", _read_metadata)
        except NotFoundError:
            return {}

    def attributes(self, conversation: str, allowed: Collection[str]) -> dict[str, Any]:
        """The participants' attributes that are allowed; none where the client may not see them."""
        try:
            found = self._client.get(_path(conversation), _read_attributes)
        except (ForbiddenError, NotFoundError) as error:
            log.warning("%s: no participant attributes: %s", conversation, error)
            self.notes = self.notes or [f"{NO_ATTRIBUTES} of some conversations, as of this one: {error}"]
            return {}
        return {name: found[name] for name in sorted(allowed) if name in found}

    def media(self, conversation: str, recording: str) -> Playing:
        """The media of one recording, transcoded."""
        return self.media_at(f"{_path(conversation)}/recordings/{quote(recording, safe='')}?{MEDIA_FORMATS}")

    def media_at(self, path: str) -> Playing:
        """The media that a path gives; a 202 is asked again a few times."""
        for attempt in range(POLLS):
            found = self._client.get(path, _read_media)
            if found.ready:
                return found
            if attempt + 1 < POLLS:
                self._sleep(PAUSE_S)
        return Playing(ready=False)

    def restore(
        self, conversation: str, recording: str, now: datetime, *, delete_date: str | None = None
    ) -> Trouble | None:
        """Ask for an archived recording to come back for two weeks; the trouble when that is refused.

        Its ``delete_date`` is said again: the service takes away a date that is left out.
        """
        until = (now + RESTORED_FOR).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        path = f"{_path(conversation)}/recordings/{quote(recording, safe='')}"
        try:
            kept = {"deleteDate": delete_date} if delete_date else {}
            self._client.put(path, {"id": recording, "archiveDate": until, **kept}, lambda _: None)
        except ForbiddenError as error:
            return Trouble.of(error).after(
                "it lies in cold storage, and the client may not restore it (recording:recording:restore)"
            )
        return None


def _path(conversation: str) -> str:
    return f"/api/v2/conversations/{quote(conversation, safe='')}"


def _read_attributes(reply: Any) -> dict[str, Any]:
    given = (each.get("attributes") for each in entries(as_object(reply), "participants"))
    return {name: value for each in given if isinstance(each, dict) for name, value in each.items()}


def _read_metadata(reply: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(reply, list):
        raise MalformedReplyError("the reply is no list")
    named = ((text(each, "id"), each) for each in reply if isinstance(each, dict))
    return {name: harmless(each) for name, each in named if name is not None}


def _read_media(reply: Any) -> Playing:
    """Media by whatever keys there are: ``S``, a number for each channel or segment; numbers in their order."""
    if reply is None:
        return Playing(ready=False)
    uris = as_object(reply).get("mediaUris")
    found = uris if isinstance(uris, dict) else {}
    order = sorted(found, key=lambda key: (not key.isdecimal(), int(key) if key.isdecimal() else 0, key))
    named = [(key, text(found[key], "mediaUri")) for key in order if isinstance(found[key], dict)]
    urls, keys = tuple(url for _, url in named if url), tuple(key for key, url in named if url)
    return Playing(ready=True, urls=urls, keys=keys, is_cut=_is_cut(reply))


def _is_cut(recording: Mapping[str, Any]) -> bool | None:
    began, begins = (moment(recording, name) for name in ("originalRecordingStartTime", "startTime"))
    return None if began is None or begins is None else begins != began
