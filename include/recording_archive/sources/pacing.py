"""Pacing of requests: waits that the service asks for hold for all threads, and errors that pass are tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential_jitter, wait_random

from recording_archive.errors import PermanentError, Stopped, TransientError
from recording_archive.sources.replies import ConflictError, MalformedReplyError, Reply, UnreadableError

__all__ = ["Pacing"]

log = logging.getLogger(__name__)
T = TypeVar("T")

SAME_ATTEMPTS = 3  # of a reply that breaks the contract, or tells of a conflict: three times is no accident

_BACKOFF = wait_exponential_jitter(initial=1, max=60, jitter=1)
_SPREAD = wait_random(0, 1)  # so that threads given the same Retry-After do not come back at the same moment


class Pacing:
    """Paces all requests of one client; ``attempts`` counts requests of one call, the first included.

    Without a lock: the worst a race does is to let one request through too early.
    """

    def __init__(
        self,
        *,
        attempts: int,
        retry_after_max_s: float,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._attempts, self._retry_after_max_s = attempts, retry_after_max_s
        self._sleep, self._clock = sleep, clock
        self._opens_at = float("-inf")

    def wait(self) -> None:
        """Wait until the time that the service named has come."""
        remaining_s = self._opens_at - self._clock()
        if remaining_s > 0:
            self._sleep(remaining_s)

    def heed(self, reply: Reply, now: datetime) -> None:
        """Let all threads wait when the service says so, or when the allowance of its window is used up."""
        wait_s = reply.retry_after_s(now) if reply.status in {429, 503} else None
        count, allowed, reset = (reply.number(f"inin-ratelimit-{name}") for name in ("count", "allowed", "reset"))
        if wait_s is None and count is not None and allowed is not None and count >= allowed:
            wait_s = reset
        if wait_s is not None:
            self._opens_at = max(self._opens_at, self._clock() + min(wait_s, self._retry_after_max_s))

    def retried(self, attempt: Callable[[], T], attempts: int | None = None) -> T:
        """Call ``attempt`` until it gives a result; raise its last error when the attempts are used up.

        ``attempts`` are those of this call, where they are fewer than usual.
        """
        malformed = conflicts = 0
        most = min(attempts or self._attempts, self._attempts)

        def is_over(state: RetryCallState) -> bool:
            nonlocal malformed, conflicts
            malformed += isinstance(_error_of(state), MalformedReplyError)
            conflicts += isinstance(_error_of(state), ConflictError)
            return max(malformed, conflicts) >= SAME_ATTEMPTS or state.attempt_number >= most

        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=is_over,
            wait=self._pause_s,
            sleep=self._sleep,
            before_sleep=_log_again,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except MalformedReplyError as error:
            asked = f"{error}; asked {malformed} times. Has the API changed?"
            raise UnreadableError(asked, error.names) from error
        except ConflictError as error:
            raise PermanentError(f"{error}; asked {conflicts} times") from error

    def _pause_s(self, state: RetryCallState) -> float:
        error = _error_of(state)
        named_s = error.retry_after_s if isinstance(error, TransientError) else None
        if named_s is None:
            return _BACKOFF(state)
        return min(named_s, self._retry_after_max_s) + _SPREAD(state)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, Stopped)


def _log_again(state: RetryCallState) -> None:
    log.info(
        "Attempt %d failed, asking again in %.1f s: %s", state.attempt_number, state.upcoming_sleep, _error_of(state)
    )


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
