"""Details jobs: a long range from the data lake in a few requests, never beyond what the lake has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from recording_archive.errors import PermanentError
from recording_archive.model import Window
from recording_archive.sources.client import ApiClient
from recording_archive.sources.conversations.cursors import CursorPage, cursor_parameter, follow_cursors
from recording_archive.sources.conversations.details import DETAILS_PATH, details_of, named_of
from recording_archive.sources.conversations.reading import (
    Conversation,
    moment,
    read_conversations,
    required_text,
    text,
)
from recording_archive.sources.replies import RejectedError, as_object

__all__ = ["SHORTEST_JOB", "WORTH_A_JOB", "DetailsJobs", "JobError"]

log = logging.getLogger(__name__)

JOBS_PATH = f"{DETAILS_PATH}/jobs"
WORTH_A_JOB = 2000  # conversations: twenty pages of the query; for fewer it is faster, and as cheap
SHORTEST_JOB = timedelta(hours=12)
PAGE_SIZE, SMALLEST_PAGE = 1000, 100
FIRST_WAIT_S, LONGEST_WAIT_S, PATIENCE_S = 5.0, 30.0, 3600.0


class JobError(PermanentError):
    """A job that gave no result; the query can still be asked."""


class DetailsJobs:
    """Lists conversations with activity in a window; the caller keeps those that began in it."""

    def __init__(self, client: ApiClient, sleep: Callable[[float], object]) -> None:
        self._client = client
        self._sleep = sleep
        self._page_size = PAGE_SIZE

    def available_until(self) -> datetime | None:
        """End of the time for which the data lake is complete; None where it does not say so."""
        path = f"{JOBS_PATH}/availability"
        return self._client.get(path, lambda reply: moment(as_object(reply), "dataAvailabilityDate"))

    def active_in(self, window: Window) -> Iterator[Conversation]:
        """Submit, wait, and read page by page; JobError where the job gives nothing."""
        yield from self._results(details_of(window))

    def with_ids(self, ids: Sequence[str], window: Window) -> Iterator[Conversation]:
        """List those of ``ids`` with activity in ``window``, by a job of their own."""
        yield from self._results(named_of(window, ids))

    def _results(self, body: Mapping[str, Any]) -> Iterator[Conversation]:
        job = self._client.post(JOBS_PATH, body, lambda reply: required_text(reply, "jobId"), queued=True)
        self._await(job)
        yield from follow_cursors(f"Details job {job}", partial(self._page, job))

    def _await(self, job: str) -> None:
        waited, pause = 0.0, FIRST_WAIT_S
        while waited < PATIENCE_S:
            state = self._client.get(f"{JOBS_PATH}/{quote(job, safe='')}", lambda reply: required_text(reply, "state"))
            if state == "FULFILLED":
                return
            if state in {"FAILED", "CANCELLED", "EXPIRED"}:
                raise JobError(f"Details job {job} ended as {state}")
            self._sleep(pause)
            waited, pause = waited + pause, min(pause * 1.5, LONGEST_WAIT_S)
        raise JobError(f"Details job {job} was not done after {PATIENCE_S:.0f} s")

    def _page(self, job: str, cursor: str | None) -> CursorPage[Conversation]:
        """One page; a page size that is refused is halved for good."""
        while True:
            path = f"{JOBS_PATH}/{quote(job, safe='')}/results?pageSize={self._page_size}{cursor_parameter(cursor)}"
            try:
                return self._client.get(path, _read_page)
            except RejectedError:
                if self._page_size <= SMALLEST_PAGE:
                    raise
                self._page_size = max(self._page_size // 2, SMALLEST_PAGE)


def _read_page(reply: Any) -> CursorPage[Conversation]:
    if "conversations" not in as_object(reply):  # cheaper to ask twice than to take it for an empty day
        raise JobError("a page of a details job has no conversations")
    return CursorPage(read_conversations(reply), text(reply, "cursor"))
