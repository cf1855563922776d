"""Retries of one transfer: which failure is tried again, and after how long."""

from __future__ import annotations

from collections.abc import Callable

from recording_archive.errors import FixityError, PermanentError, TransientError
from recording_archive.transfer.limits import TransferLimits

MAX_RENEWALS = 3  # without progress in between
MAX_UNUSABLE = 3  # an error page or an empty body under 200 may be passing, but not three times
BACKOFF_MAX_S = 60.0


class ExpiredError(TransientError):
    """The host no longer honours the URL; ``renewals`` says how many fresh ones are worth a try."""

    def __init__(self, message: str, renewals: int = MAX_RENEWALS) -> None:
        super().__init__(message)
        self.renewals = renewals


class SlowError(TransientError):
    """The host was slower than a transfer may be; what came by then is kept, but is no progress."""


class UnusableError(TransientError):
    """A complete answer under 200 that is no media."""


class DiffersError(TransientError):
    """A complete file with the wrong checksum; it becomes a FixityError when the attempts are used up."""

    def __init__(self, what: str, *, expected: str, found: str) -> None:
        super().__init__(f"{what}: SHA-256 is {found}, expected {expected}")
        self.final = FixityError(what, expected=expected, found=found)


class Retries:
    """Failures of one transfer, counted; ``reached`` is the most bytes of the file that ever were in staging."""

    def __init__(self, limits: TransferLimits, jitter: Callable[[], float], reached: int) -> None:
        self._limits, self._jitter, self._reached = limits, jitter, reached
        self._failures = self._failures_in_all = self._renewals = self._unusable = self._differed = 0

    def wait_after(self, error: TransientError, size: int) -> float | None:
        """Return the seconds to wait before the next attempt, None for no wait; raise when there is none.

        ``size`` is how many bytes are in staging now: more than ever is progress, which refills the attempts.
        """
        if size > self._reached:
            self._reached = size
            if not isinstance(error, SlowError):
                self._failures = self._renewals = 0
        self._failures_in_all += 1
        if isinstance(error, DiffersError):
            return self._differ(error)
        if self._failures_in_all >= self._limits.attempts * self._limits.refills:
            raise error
        if isinstance(error, ExpiredError):
            self._renew(error)
            return None
        self._count(error)
        return self._delay(error, self._failures)

    def _differ(self, error: DiffersError) -> float:
        """Count a wrong checksum by itself: that all bytes came is no progress, and the next file begins at byte 0."""
        self._differed += 1
        if self._differed >= self._limits.attempts:
            raise error.final from error
        self._reached = 0
        return self._delay(error, self._differed)

    def _renew(self, error: ExpiredError) -> None:
        self._renewals += 1
        if self._renewals > error.renewals:
            raise PermanentError(f"{error} even with a fresh URL; look the recording up in Genesys Cloud") from error

    def _count(self, error: TransientError) -> None:
        self._failures += 1
        self._unusable += isinstance(error, UnusableError)
        used_up = self._failures >= self._limits.attempts
        if isinstance(error, UnusableError) and (used_up or self._unusable >= MAX_UNUSABLE):
            raise PermanentError(f"{error}, {self._unusable} times; look the recording up in Genesys Cloud") from error
        if used_up:
            raise error

    def _delay(self, error: TransientError, failures: int) -> float:
        """Return the wait that the host asked for, else an exponential one with full jitter."""
        if error.retry_after_s is not None:
            return min(error.retry_after_s, self._limits.retry_after_max_s)
        return self._jitter() * min(BACKOFF_MAX_S, self._limits.backoff_base_s * 2.0 ** (failures - 1))
