"""Media URLs that were handed out, and how each is renewed: from the batch it came from, or from playback."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from recording_archive.errors import ArchiveError, PermanentError
from recording_archive.model import PartId
from recording_archive.sources.conversations.batches import (
    Batches,
    FinishedBatch,
    Item,
    MediaResult,
    SubmittedBatch,
)
from recording_archive.sources.conversations.playback import Playing
from recording_archive.sources.conversations.troubles import Trouble, halved, is_of_one
from recording_archive.sources.replies import ForbiddenError

__all__ = ["Minted", "Minting"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Minted:
    """Results of batch requests, and the conversations of those that did not end: they may have more."""

    results: Sequence[MediaResult] = ()
    incomplete: frozenset[str] = frozenset()


class Minting:
    """Remembers where URLs came from; thread-safe.

    When one URL of a batch has expired, so have the others: the batch is renewed once for all of its parts.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._lock = threading.Lock()
        self._ahead: SubmittedBatch | None = None
        self._from: dict[PartId, FinishedBatch] = {}
        self._fresh: dict[PartId, str] = {}
        self._handed: dict[PartId, str] = {}
        self._played: dict[PartId, Callable[[], Playing]] = {}

    def order(self, items: Sequence[Item]) -> None:
        """Let the service begin with items that will be minted next. An error is raised by `mint`, which asks again."""
        try:
            self._ahead = self._batches.submit(items)
        except ArchiveError as error:
            log.info("The next batch could not be ordered ahead: %s", error)

    def mint(self, items: Sequence[Item]) -> Minted:
        """Ask for the media of these items; the results of one recording come in the order of its parts.

        A list that fails is halved until the items with which it fails are alone: those have an error as their result.
        """
        ordered, incomplete = self._ordered(items), set[str]()
        results: list[MediaResult] = []
        for asked, found in [(items, ordered)] if ordered else halved(items, self._fetch):
            if isinstance(found, Trouble):
                results += [MediaResult(*item, None, None, found.reason, passing=found.passing) for item in asked]
                continue
            with self._lock:
                self._take(found)
                self._handed |= {part: self._fresh[part] for part, _ in _named(found.results)}
            results += found.results
            incomplete |= set() if found.complete else {conversation for conversation, _ in found.items}
        return Minted(sorted(results, key=_order), frozenset(incomplete))

    def played(self, part: PartId, url: str, ask: Callable[[], Playing]) -> None:
        """Note that the URL of a part is playback's, and how it is asked again."""
        with self._lock:
            self._played[part] = ask
            self._handed[part] = url

    def renew(self, part: PartId) -> str:
        """A URL of the part other than the one handed out last; PermanentError when there is none."""
        try:
            return self._renewed(part)
        except ForbiddenError as error:  # of this part: a role that may not do it is refused when parts are listed
            raise PermanentError(f"{part}: its media URL cannot be renewed: {error}") from error

    def _renewed(self, part: PartId) -> str:
        with self._lock:
            old = self._handed.get(part)
            if self._fresh.get(part, old) == old:
                self._refresh(part, old)
            url = self._fresh.get(part)
            if url is None or url == old:
                raise PermanentError(f"{part}: the source gives no fresh URL; look the recording up in Genesys Cloud")
            self._handed[part] = url
            return url

    def _ordered(self, items: Sequence[Item]) -> FinishedBatch | None:
        """The batch that was ordered ahead, if it has these items and can be read; else they are asked for again."""
        order, self._ahead = self._ahead, None
        if order is None or not set(items) <= set(order.items):
            return None
        try:
            return self._batches.finished(order)
        except ArchiveError as error:  # forgotten, for it lay too long while media were fetched; or one item's fault
            if not is_of_one(error):
                raise
            log.info("The batch that was ordered ahead cannot be read, asking again: %s", error)
            return None

    def _fetch(self, items: Sequence[Item], attempts: int | None = None) -> FinishedBatch:
        return self._batches.finished(self._batches.submit(items, attempts), attempts)

    def _refresh(self, part: PartId, old: str | None) -> None:
        if part in self._played:
            found = self._played[part]()
            if part.part < len(found.urls):
                self._fresh[part] = found.urls[part.part]
            return
        batch = self._from.get(part)
        polled = self._batches.again(batch) if batch else None
        if polled:
            self._take(polled)
        if self._fresh.get(part) in (None, old):  # not signed anew: submit again
            items = batch.items if batch else ((part.interaction_id, part.recording_id),)
            for _, again in halved(items, self._fetch):
                if not isinstance(again, Trouble):
                    self._take(again)

    def _take(self, batch: FinishedBatch) -> None:
        for part, url in _named(batch.results):
            self._from[part] = batch
            self._fresh[part] = url


def _named(results: Iterable[MediaResult]) -> list[tuple[PartId, str]]:
    """Each URL with its part: results of one recording are counted in the order of their paths, which signing keeps."""
    seen: dict[tuple[str, str], int] = {}
    found = []
    for result in sorted(results, key=_order):
        if result.url and result.recording_id:
            key = (result.conversation_id, result.recording_id)
            seen[key] = seen.get(key, -1) + 1
            found.append((PartId(*key, seen[key]), result.url))
    return found


def _order(result: MediaResult) -> tuple[str, str, str]:
    """By recording, then by the URL's path."""
    try:
        path = urlsplit(result.url or "").path
    except ValueError:
        path = ""
    return result.conversation_id, result.recording_id or "", path
