"""Errors of the package: the base classes by which callers decide to retry, to go on or to stop.

    ArchiveError
    ├── TransientError        try again; may carry how long to wait
    │   ├── Stopped               told to stop; the rest is left for the next attempt
    │   ├── MalformedReplyError   (sources.replies) the reply is not what the API promises
    │   ├── ConflictError         (sources.replies) what is asked for is at work elsewhere (409)
    │   ├── ForgottenError        (sources.conversations.batches) the service has lost a batch
    │   └── UnansweredError       (sources.conversations.batches) a batch has no result in time
    ├── PermanentError        a retry cannot help; the message says what to do
    │   ├── RunError              concerns the whole run, not one recording
    │   │   ├── ConfigurationError   a setting, connection or parameter is wrong
    │   │   ├── AccessError          Genesys Cloud refuses the client (401, 403)
    │   │   │   └── ForbiddenError      (sources.replies) … for one request (403)
    │   │   └── StoreError           the archive or staging cannot be written, or is not ours
    │   ├── NotFoundError         (sources.replies) the API has no such object
    │   ├── RejectedError         (sources.replies) the API does not take the request as it is
    │   ├── UnreadableError       (sources.replies) a reply is malformed each time it is asked for
    │   ├── JobError              (sources.conversations.jobs) a job ended without a result
    │   ├── AbsentError           (store.base) no such object or folder
    │   └── DamagedError          (store.bgzf) a stored file is not what was written
    ├── FixityError           bytes are not what they should be
    └── BeyondRepairError     (fixity.replacement) a recording cannot be repaired here and now

Those with a module in brackets are defined there, beside the code that raises and catches them.

Adapters (HTTP, disk, database) translate at their border with ``raise … from``; nothing of a lower layer leaks.
A message names the object and the remedy, and never holds a token or a query string.
"""

from __future__ import annotations

__all__ = [
    "AccessError",
    "ArchiveError",
    "ConfigurationError",
    "FixityError",
    "PermanentError",
    "RunError",
    "Stopped",
    "StoreError",
    "TransientError",
]


class ArchiveError(Exception):
    """Any failure this package knows."""


class TransientError(ArchiveError):
    """Trying again may help, after ``retry_after_s`` seconds when the other side named a time."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Stopped(TransientError):  # noqa: N818 - an event, not an error
    """Told to stop in the middle; what is finished is kept, the rest is left for the next attempt."""


class PermanentError(ArchiveError):
    """Trying again cannot help; the message holds the remedy."""


class RunError(PermanentError):
    """Concerns every recording of the run: stop instead of failing them one by one."""


class ConfigurationError(RunError):
    """A setting, connection or parameter is missing or wrong."""


class AccessError(RunError):
    """Genesys Cloud refuses the credentials (401) or the permissions (403)."""


class StoreError(RunError):
    """The archive or the staging area cannot be written, or the root is not the archive it should be."""


class FixityError(ArchiveError):
    """The bytes called ``what`` have SHA-256 ``found`` where ``expected`` was due."""

    def __init__(self, what: str, *, expected: str, found: str) -> None:
        super().__init__(f"{what}: SHA-256 is {found}, expected {expected}")
        self.what = what
        self.expected = expected
        self.found = found
