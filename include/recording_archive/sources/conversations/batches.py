"""Batch requests: the media URLs of up to 100 conversations at once, polled until the service says that all are there.

`expectedResultCount` changes while recordings are discovered, and 0 of 0 is no end; only ``status`` is trusted. Where a
reply has none, or a word that is not known, counts that are equal to each other and stay so stand in for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from recording_archive.errors import TransientError
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.reading import entries, required_text, text
from recording_archive.sources.replies import MalformedReplyError, NotFoundError, as_object

__all__ = [
    "ITEMS_PER_BATCH",
    "Batches",
    "FinishedBatch",
    "ForgottenError",
    "Item",
    "MediaResult",
    "SubmittedBatch",
    "UnansweredError",
]

log = logging.getLogger(__name__)

BATCH_PATH = "/api/v2/recording/batchrequests"
ITEMS_PER_BATCH = 100
LEAST_WAIT_S, LONGEST_WAIT_S, PATIENCE_S = 5.0, 30.0, 1800.0
QUIET_S = 600.0  # without one more result, where some are there
SHORT_S = 300.0  # for a part of a list of which the whole was waited for
PER_ITEM_S = 0.1  # with the least, 15 s for a hundred: a guess, until one batch showed what it takes
STEADY_POLLS, STEADY_EMPTY_POLLS = 2, 5  # polls that say the same, where no status says that all is done

Item = tuple[str, str | None]
"""A conversation, and one of its recordings or None for all."""


@dataclass(frozen=True, slots=True)
class MediaResult:
    """One media file of a recording, or why there is none."""

    conversation_id: str
    recording_id: str | None
    url: str | None = field(repr=False)
    content_type: str | None
    error: str | None
    passing: bool = False  # the error, in a later run


class UnansweredError(TransientError):
    """The service gave no result of a batch in the time that is waited for one."""


class ForgottenError(TransientError):
    """The service no longer knows a batch that was not read; it can be submitted again."""


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """A batch request that was submitted; ``at`` in seconds of the clock."""

    id: str
    items: tuple[Item, ...]
    at: float


@dataclass(frozen=True, slots=True)
class FinishedBatch:
    """A batch request that is over; one that is not ``complete`` may lack results of any of its items."""

    id: str
    items: tuple[Item, ...]
    results: tuple[MediaResult, ...] = field(repr=False)
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Status:
    status: str | None
    expected: int | None
    count: int | None
    results: tuple[MediaResult, ...] = field(repr=False)

    @property
    def is_known(self) -> bool:
        return self.status in {"Completed", "InProgress"}

    @property
    def is_even(self) -> bool:
        return self.expected is not None and self.expected == self.count


class Batches:
    """Submits and polls; the wait before the first poll is what a batch was found to take.

    ``sleep`` and ``clock`` count seconds; an order that is old by the clock is polled at once.
    """

    def __init__(
        self, client: ApiClient, sleep: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._sleep, self._clock = client, sleep, clock
        self._usual_s: float | None = None

    def submit(self, items: Sequence[Item], attempts: int | None = None) -> SubmittedBatch:
        """Ask for up to 100 items; the service goes to work, `finished` gives the results."""
        body = {"batchDownloadRequestList": [_asked(item) for item in items]}
        job = self._client.post(
            BATCH_PATH, body, lambda reply: required_text(reply, "id"), attempts=attempts, queued=True
        )
        return SubmittedBatch(job, tuple(items), self._clock())

    def finished(self, order: SubmittedBatch, attempts: int | None = None) -> FinishedBatch:
        """Wait for the results, or for as many as there are when no more come.

        Raises UnansweredError when there is none in time, ForgottenError when there never will be.
        """
        age = self._clock() - order.at
        usual = LEAST_WAIT_S + PER_ITEM_S * len(order.items) if self._usual_s is None else self._usual_s
        pause, polls, steady = max(usual - age, 0.0), 0, 0
        latest, news, before = age + (SHORT_S if attempts else PATIENCE_S), age, None
        while age < latest and not (before and before.results and age > news + QUIET_S):
            if pause:
                self._sleep(pause)
                age += pause
            try:
                found = self._poll(order.id, attempts)
            except NotFoundError as error:
                if before is None or not before.is_even:
                    raise ForgottenError(f"{error}: the batch was forgotten before it was complete") from error
                return FinishedBatch(order.id, order.items, before.results)
            polls += 1
            news = age if before is None or len(found.results) != len(before.results) else news
            steady = steady + 1 if before and found.is_even and found.count == before.count else 1
            if _is_done(found, steady):
                self._usual_s = age if polls > 1 else min(age, usual)
                return FinishedBatch(order.id, order.items, found.results)
            before, pause = found, min(max(pause, LEAST_WAIT_S) * 1.5, LONGEST_WAIT_S)
        if before is None or not before.results:
            raise UnansweredError(f"Batch request {order.id} had no result after {age:.0f} s")
        log.warning("Batch request %s has %d results and no more after %.0f s", order.id, len(before.results), age)
        return FinishedBatch(order.id, order.items, before.results, complete=False)

    def again(self, batch: FinishedBatch) -> FinishedBatch | None:
        """Poll a finished batch once more, which may sign its URLs anew; None when the service forgot it."""
        try:
            return FinishedBatch(batch.id, batch.items, self._poll(batch.id).results, batch.complete)
        except NotFoundError:
            return None

    def _poll(self, job: str, attempts: int | None = None) -> _Status:
        return self._client.get(f"{BATCH_PATH}/{quote(job, safe='')}", _read_status, attempts=attempts)


def _is_done(found: _Status, steady: int) -> bool:
    if found.is_known:
        return found.status == "Completed"
    return found.is_even and steady >= (STEADY_POLLS if found.count else STEADY_EMPTY_POLLS)


def _asked(item: Item) -> dict[str, str]:
    conversation, recording = item
    return {"conversationId": conversation} | ({"recordingId": recording} if recording else {})


def _read_status(reply: Any) -> _Status:
    if not isinstance(as_object(reply).get("results") or [], list):
        raise MalformedReplyError("results is no list")
    results = tuple(_read_result(each) for each in entries(reply, "results"))
    expected, count = (
        value if type(value := reply.get(name)) is int else None for name in ("expectedResultCount", "resultCount")
    )
    return _Status(text(reply, "status"), expected, count, results)


def _read_result(entry: Any) -> MediaResult:
    name = text(entry, "conversationId")
    if name is None:
        raise MalformedReplyError("results: an entry without conversationId")
    recording, url, kind, error = (text(entry, key) for key in ("recordingId", "resultUrl", "contentType", "errorMsg"))
    return MediaResult(name, recording, url, kind, error)
