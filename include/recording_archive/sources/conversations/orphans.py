"""Orphan recordings: media that the service could not join to a conversation, and that its own exports leave out.

Each is an interaction of its own, named by the orphan's id: the conversation that it may name (in the sidecar) is a
guess of the service's, which can change from night to night, and an archive's names may not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from recording_archive.errors import AccessError, ArchiveError, PermanentError
from recording_archive.model import Attributes, Listing, PartId, Window, is_safe_id
from recording_archive.sources import Gap
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.minting import Minting
from recording_archive.sources.conversations.pieces import Page, Unlisted, in_pieces
from recording_archive.sources.conversations.playback import MEDIA_FORMATS, Playback, Playing
from recording_archive.sources.conversations.reading import entities, moment, text
from recording_archive.sources.conversations.troubles import Trouble, Troubles, is_of_one
from recording_archive.sources.replies import ForbiddenError, MalformedReplyError, NotFoundError, RejectedError
from recording_archive.sources.texts import harmless

__all__ = ["Orphan", "Orphans"]

log = logging.getLogger(__name__)

PATH = "/api/v2/orphanrecordings"
PAGE_SIZE = 100
MOST_WITHOUT_CONVERSATION = 500  # the service lists no more of them; those with one are not limited
STUCK = timedelta(days=3)
_COLD = "this orphan lies in cold storage, from which the API restores no orphans: recover it in Genesys Cloud"


@dataclass(frozen=True, slots=True)
class Orphan:
    """One orphan; ``document`` is the reply's own JSON."""

    id: str
    created_at: datetime | None
    document: Mapping[str, Any] = field(repr=False)

    @property
    def state(self) -> str | None:
        """Its ``fileState``."""
        return text(self.document, "fileState")

    def whole(self) -> Listing:
        """The orphan before it is known how many files it has."""
        defect = None if is_safe_id(self.id) else f"id {self.id!r:.120} cannot be part of a file name"
        return Listing(PartId.whole(self.id), self.created_at, None, None, defect=defect, ended_at=self.created_at)


class Orphans:
    """Lists and looks up; a client that may not see orphans finds none, and is warned of it once.

    ``notes`` say so to the report; ``gaps`` are orphans that could not be listed, one by one or as a whole.
    """

    def __init__(self, client: ApiClient, playback: Playback, minting: Minting, troubles: Troubles) -> None:
        self._client, self._playback, self._minting, self._troubles = client, playback, minting, troubles
        self._refused = False
        self.notes: list[str] = []
        self.gaps: list[Gap] = []
        self._hidden: list[str] = []

    def every(self) -> Iterator[Orphan]:
        """List all orphans that the service shows: from two lists, where the first one is cut off."""
        seen: set[str] = set()
        if self._refused:
            return
        try:
            for query in ("", "&hasConversation=true"):
                if query and len(seen) < MOST_WITHOUT_CONVERSATION:
                    return
                for each in self._pages(query):
                    if each.id not in seen and each.state != "DELETED":
                        yield each
                    seen.add(each.id)
            log.warning("There are more orphan recordings without a conversation than the %d listed", len(seen))
        except (AccessError, NotFoundError, RejectedError) as error:
            self._refuse(error)

    def created_in(self, window: Window) -> Iterator[Orphan]:
        """List the orphans of a window; undated ones are always among them. A list that breaks off is a gap."""
        self._hidden.clear()
        try:
            yield from (each for each in self.every() if each.created_at is None or each.created_at in window)
        except ArchiveError as error:
            if not is_of_one(error):
                raise
            log.warning("Orphan recordings could not be listed to their end: %s", error)
            self.gaps.append(Gap(window, 0, f"orphan recordings could not be listed to their end: {error}"))
        self.gaps += [Gap(window, 1, reason) for reason in dict.fromkeys(self._hidden)]

    def get(self, name: str) -> Orphan | None:
        """The orphan of that id, unless there is none or the client may not see it."""
        if self._refused:
            return None
        try:
            return self._client.get(f"{PATH}/{quote(name, safe='')}", _read_orphan)
        except (NotFoundError, RejectedError):
            return None
        except ForbiddenError as error:
            if not error.lacks_permission:
                raise
            self._refuse(error)
            return None

    def listings(self, orphan: Orphan, named: Sequence[PartId], now: datetime) -> Iterator[Listing]:
        """Its media, or why there is none; ``named`` are the parts that are asked for, if they are known."""
        parts = list(named) or [PartId(orphan.id, orphan.id, 0)]
        remark: dict[str, str] = {}
        match orphan.state:
            case "DELETED":
                return
            case "ARCHIVED":
                remark = {"defect": _COLD}
            case "RESTORING":
                remark = {"deferred": "cold storage: it is being restored"}
            case "UPLOADING":
                stuck = orphan.created_at is not None and orphan.created_at < now - STUCK
                remark = {"defect" if stuck else "deferred": "the recording is still being uploaded"}
            case _:
                ask = partial(self._playback.media_at, _media_path(orphan.id))
                playing = self._troubles.ask("orphan media", ask)
                urls = () if isinstance(playing, Trouble) else playing.urls
                for number, url in enumerate(urls):
                    part = PartId(orphan.id, orphan.id, number)
                    self._minting.played(part, url, ask)
                    yield _listing(orphan, part, url)
                if urls:
                    return
                remark = _without(playing).remark(old=orphan.created_at is not None and orphan.created_at < now - STUCK)
        yield from (_listing(orphan, part, None, **remark) for part in parts)

    def _pages(self, query: str) -> Iterator[Orphan]:
        before: list[str] = []
        number = 0
        while True:
            number += 1
            try:
                found, hidden = self._page(query, (number, PAGE_SIZE)), 0
            except ArchiveError as error:
                found, hidden = self._in_pieces(query, number, error)
            ids = [each.id for each in found]
            if ids and ids == before:
                raise PermanentError(f"GET {PATH} gives the same page twice: the list has no end; report it")
            yield from found
            if len(ids) + hidden < PAGE_SIZE:
                return
            before = ids

    def _page(self, query: str, page: Page, attempts: int | None = None) -> list[Orphan]:
        number, size = page
        path = f"{PATH}?pageSize={size}&pageNumber={number}{query}"
        return self._client.get(path, _read_orphans, attempts=attempts)

    def _in_pieces(self, query: str, number: int, error: ArchiveError) -> tuple[list[Orphan], int]:
        """The page that failed, and how many orphans with which it fails were left out of it."""
        if not is_of_one(error) or (isinstance(error, ForbiddenError) and error.lacks_permission):
            raise error
        found: list[Orphan] = []
        hidden = 0
        for piece in in_pieces(partial(self._page, query), (number, PAGE_SIZE), error):
            if isinstance(piece, Unlisted):
                hidden += 1
                self._hidden.append(f"one orphan recording cannot be listed: {piece.trouble.reason}")
            else:
                found += piece
        return found, hidden

    def _refuse(self, error: Exception) -> None:
        if not self._refused:
            log.warning("Orphan recordings cannot be listed, none are archived: %s", error)
            self.notes.append(f"orphan recordings were refused, none are archived: {error}")
        self._refused = True


def _without(playing: Playing | Trouble) -> Trouble:
    """Why playback gives no media of an orphan."""
    if isinstance(playing, Trouble):
        return playing
    waits = Trouble("playback is still transcoding it", passing=True)
    return Trouble("the orphan has no media") if playing.ready else waits


def _listing(orphan: Orphan, part: PartId, url: str | None, **remark: str) -> Listing:
    kind = (text(orphan.document, "mediaType") or "").lower()
    return Listing(
        part_id=part,
        interaction_date=orphan.created_at,
        media_url=url,
        expected_sha256=None,
        attributes=Attributes(media_type=harmless("voice" if kind == "call" else kind) or None),
        source_fields={"orphan": harmless(dict(orphan.document))},
        ended_at=orphan.created_at,
        defect=remark.get("defect"),
        deferred=remark.get("deferred"),
    )


def _media_path(name: str) -> str:
    return f"{PATH}/{quote(name, safe='')}/media?{MEDIA_FORMATS}"


def _read_orphans(reply: Any) -> list[Orphan]:
    return [_read_orphan(each) for each in entities(reply)]


def _read_orphan(reply: Any) -> Orphan:
    name = text(reply, "id") if isinstance(reply, dict) else None
    if name is None:
        raise MalformedReplyError("an orphan recording without id")
    return Orphan(name, moment(reply, "createdTime"), reply)
