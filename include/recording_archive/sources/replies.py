"""Replies of a Genesys Cloud API: reading their JSON, and the error that each refusal means, with its remedy.

No error shows a token, a secret, a query string or a reply's body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from recording_archive.errors import AccessError, PermanentError, TransientError

__all__ = [
    "CLIENT_REMEDY",
    "ConflictError",
    "ForbiddenError",
    "MalformedReplyError",
    "NotFoundError",
    "RejectedError",
    "Reply",
    "UnreadableError",
    "as_object",
]

T = TypeVar("T")

TEXT_MAX = 300  # characters of the service's own words in a message
CLIENT_REMEDY = (
    "In Genesys Cloud Admin > Integrations > OAuth check that the client exists, is active and has the grant type "
    "Client Credentials; then put its client id (login), secret (password) and region (host) into the Airflow "
    "connection genesys_cloud_default, or into GENESYS_CLIENT_ID, GENESYS_CLIENT_SECRET and GENESYS_REGION"
)

_CONVERSATION = re.compile(rb'"conversationId"\s*:\s*"([^"\\]{1,100})"')
_QUERY = re.compile(r"\?\S+")
_CREDENTIAL = re.compile(r"(?i)\b(bearer|basic)\s+\S+")


class MalformedReplyError(TransientError):
    """A reply that is not what the API promises; ``read`` raises it. Asked again, then an UnreadableError.

    ``names`` are the ids of conversations in a text that is no JSON.
    """

    def __init__(self, message: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.names = names


class UnreadableError(PermanentError):
    """A reply that was malformed each time; ``names`` are the ids of conversations that its text has."""

    def __init__(self, message: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.names = names


class ConflictError(TransientError):
    """The API says that what is asked for is at work elsewhere (409); asked again, then a PermanentError."""


class ForbiddenError(AccessError):
    """The API refuses one request (403): for lack of a permission, or for what was asked alone.

    ``lacks_permission``: the reply's code says that it is the role.
    """

    def __init__(self, message: str, *, lacks_permission: bool = False) -> None:
        super().__init__(message)
        self.lacks_permission = lacks_permission


class NotFoundError(PermanentError):
    """The API has no such object (404)."""


class RejectedError(PermanentError):
    """The API does not take the request as it is (400, 413); asked differently it may."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply; ``request`` is the method and the URL without its query."""

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def number(self, header: str) -> float | None:
        """A header that is a plain non-negative number, else None."""
        text = self.headers.get(header, "").strip()
        return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else None

    def retry_after_s(self, now: datetime) -> float | None:
        """Seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3), or None.

        A date is counted from the reply's own ``Date``, so that a wrong clock on our side does not matter.
        """
        if (seconds := self.number("Retry-After")) is not None:
            return seconds
        until = _http_date(self.headers.get("Retry-After"))
        since = _http_date(self.headers.get("Date")) or now
        return None if until is None else max(0.0, (until - since).total_seconds())

    def parsed(self, read: Callable[[Any], T], *, queued: bool = False) -> T:
        """Decode the JSON and hand it to ``read``; raise MalformedReplyError that names the request.

        ``read`` gets None where the status is all there is: a 202 has no result yet, whatever it holds, unless being
        ``queued`` is what was asked for; and a PUT may be done without a word.
        """
        is_put = self.request.startswith("PUT ")
        says_nothing = (self.status == 202 and not queued) or (not self.body and (is_put or self.status == 202))
        try:
            return read(None if says_nothing else self._decoded())
        except MalformedReplyError as error:
            if self.status == 202:
                raise TransientError(f"{self.request}: 202, the service has no result yet") from error
            raise MalformedReplyError(f"{self.request}: {error}", error.names) from error

    def _decoded(self) -> Any:
        try:
            return _no_complaint(json.loads(self.body, parse_constant=_no_constant))
        except (ValueError, RecursionError) as error:
            names = tuple(name.decode("utf-8", "backslashreplace") for name in _CONVERSATION.findall(self.body))
            # from None: the decoder's exception holds the whole reply, media URLs and all.
            raise MalformedReplyError(f"the reply is not JSON ({type(error).__name__})", names) from None

    def accepted(self, secrets: Iterable[str], *, role_remedy: str, now: datetime) -> Reply:
        """Return the reply if it is a success; else raise the error that its status means."""
        status = self.status
        if 200 <= status < 300:
            return self
        described = self.described(secrets)
        if status == 401:
            raise AccessError(f"{described}. {CLIENT_REMEDY}")
        if status == 403:
            code, _ = _complaint(self.body)
            raise ForbiddenError(f"{described}. {role_remedy}", lacks_permission=code.startswith("missing."))
        if status == 404:
            raise NotFoundError(described)
        if status == 409:
            raise ConflictError(described, retry_after_s=self.retry_after_s(now))
        if status in {408, 429} or status >= 500:
            raise TransientError(described, retry_after_s=self.retry_after_s(now))
        if status in {400, 413}:
            raise RejectedError(described)
        raise PermanentError(described)

    def described(self, secrets: Iterable[str]) -> str:
        """Describe it as ``POST https://…: 400 bad.request "…" (ININ-Correlation-Id …)``, without ``secrets``."""
        given = (*_complaint(self.body), self.headers.get("ININ-Correlation-Id", ""))
        code, message, correlation = (_clean(text, secrets) for text in given)
        text = f"{self.request}: {self.status}" + (f" {code}" if code else "") + (f' "{message}"' if message else "")
        return text + (f" (ININ-Correlation-Id {correlation})" if correlation else "")


def as_object(reply: Any) -> dict[str, Any]:
    """Return a decoded reply if it is a JSON object; raise MalformedReplyError for anything else."""
    if not isinstance(reply, dict):
        raise MalformedReplyError("the reply is no object")
    return reply


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _no_complaint(body: Any) -> Any:
    """Decoded JSON, unless it is an error in Genesys' own form: a list without entries may mean that a list ends."""
    if isinstance(body, dict) and all(isinstance(body.get(name), str) for name in ("code", "message")):
        raise MalformedReplyError("an error under status 200")
    return body


def _complaint(body: bytes) -> tuple[str, str]:
    """Code and message of an error reply, Genesys' or OAuth's (RFC 6749, 5.2); empty where it has none."""
    try:
        error = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(error, dict):
        return "", ""
    code = error.get("code") or error.get("error")
    message = error.get("message") or error.get("error_description")
    return (code if isinstance(code, str) else ""), (message if isinstance(message, str) else "")


def _clean(text: str, secrets: Iterable[str]) -> str:
    """Text of the service without secrets and control characters; cut last, so that no secret is half there."""
    for secret in secrets:
        text = text.replace(secret, "…") if secret else text
    text = _CREDENTIAL.sub(r"\1 …", _QUERY.sub("?…", text))
    return "".join(c if c.isprintable() else " " for c in text)[:TEXT_MAX]


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
