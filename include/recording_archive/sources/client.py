"""The Genesys Cloud API over HTTP: one token for all threads, paced and retried by kind of error.

What a request may cost and where the token may go is decided here; what a reply means is the caller's ``read``.
Errors that leave this module name the request and the remedy; no token, secret, query string or reply body is in them.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter, wait_random
from urllib3.exceptions import HTTPError

from recording_archive.errors import AccessError, ArchiveError, ConfigurationError, PermanentError, TransientError
from recording_archive.sources.contracts import INTERACTIONS, Contract

__all__ = ["SCOPES", "ApiClient", "MalformedReplyError", "NotFoundError", "RejectedError"]

log = logging.getLogger(__name__)
T = TypeVar("T")

SCOPES = INTERACTIONS.scopes
TOKEN_LIFE_USED = 0.9  # renewed before it ends, so that no request meets the end on its way
TOKEN_LIFE_MAX_S = 172_800  # what Genesys Cloud lets an OAuth client be set to
MALFORMED_ATTEMPTS = 3  # a reply that breaks the contract three times is a changed API, not an accident
REPLY_MAX_BYTES = 32 * 2**20  # a page of 50 entries is some 50 KB
TEXT_MAX = 300  # characters of the other side's own words in a message
REPLY_MAX_S = 300.0  # a read timeout alone lets a reply trickle in for ever

_BACKOFF = wait_exponential_jitter(initial=1, max=60, jitter=1)
_SPREAD = wait_random(0, 1)  # so that threads told the same Retry-After do not come back at the same moment
_QUERY = re.compile(r"\?\S+")
_CREDENTIAL = re.compile(r"(?i)\b(bearer|basic)\s+\S+")

_CLIENT_REMEDY = (
    "In Genesys Cloud Admin > Integrations > OAuth check that the client exists, is active and has the grant type "
    "Client Credentials; then put its client id (login), secret (password) and region (host) into the Airflow "
    "connection genesys_cloud_default, or into GENESYS_CLIENT_ID, GENESYS_CLIENT_SECRET and GENESYS_REGION"
)


class MalformedReplyError(TransientError):
    """A reply that is not what the API promises; ``read`` raises it. Asked again, then a PermanentError."""


class NotFoundError(PermanentError):
    """The API has no such object (404)."""


class RejectedError(PermanentError):
    """The API does not take the request as it is (400, 413); asked differently it may."""


class ApiClient:
    """Asks one API on behalf of one OAuth client; safe to share between threads.

    The bearer token goes to ``api_base`` alone: redirects are errors, and no netrc or session-wide authentication is
    used. ``timeout`` is (connect, read) in seconds; ``attempts`` counts requests of one call, the first included.
    ``sleep``, ``clock`` (monotonic seconds) and ``now`` are parameters for tests and for a caller that must stop.
    """

    def __init__(
        self,
        session: requests.Session,
        *,
        login_base: str,
        api_base: str,
        client_id: str,
        client_secret: str,
        contract: Contract = INTERACTIONS,
        attempts: int = 6,
        retry_after_max_s: float = 300.0,
        timeout: tuple[float, float] = (10.0, 60.0),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.api_base = api_base.rstrip("/")
        self.requests = 0
        self._contract = contract
        self._token_url = login_base.rstrip("/") + contract.token_path
        self._session = session
        self._basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._secret = client_secret
        self._attempts = attempts
        self._retry_after_max_s = retry_after_max_s
        self._timeout = timeout
        self._sleep = sleep
        self._clock = clock
        self._now = now
        self._token: _Token | None = None
        self._issued: tuple[str, ...] = ()  # the last tokens, to be taken out of what the other side says
        self._token_lock = threading.Lock()
        self._count_lock = threading.Lock()
        self._gate = _Gate(sleep, clock)

    def get(self, path: str, read: Callable[[Any], T]) -> T:
        """GET ``path`` below ``api_base`` and hand the decoded JSON to ``read``, which checks and types it."""
        return self._call("GET", path, None, read)

    def post(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        """POST ``body`` as JSON; for queries only, because it is repeated after an error."""
        return self._call("POST", path, body, read)

    def put(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        """PUT ``body`` as JSON; it may be repeated after an error."""
        return self._call("PUT", path, body, read)

    def scopes(self) -> frozenset[str] | None:
        """The scopes of the token, fetched if need be; None where the reply names none. A missing one has raised."""
        return self._retrying(self._current_token).scopes

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None, read: Callable[[Any], T]) -> T:
        if not path.startswith("/"):
            raise ValueError("a path begins with /: the token must not leave api_base")

        def attempt() -> T:
            return _parsed(self._authorized(method, path, body), read)

        return self._retrying(attempt)

    def _authorized(self, method: str, path: str, body: Mapping[str, Any] | None) -> _Reply:
        """Send with the current token, and once more with a new one if that is refused (401)."""
        token = self._current_token()
        reply = self._send(method, self.api_base + path, f"Bearer {token.value}", json=body)
        if reply.status == 401:
            token = self._current_token(refused=token)
            reply = self._send(method, self.api_base + path, f"Bearer {token.value}", json=body)
        return self._accepted(reply)

    def _current_token(self, refused: _Token | None = None) -> _Token:
        """The token all threads share; whoever finds it used up or refused first renews it, the others wait."""
        with self._token_lock:
            token = self._token
            if token is None or token is refused or self._clock() >= token.renew_at:
                self._token = None
                self._token = token = self._fetch_token()
            return token

    def _fetch_token(self) -> _Token:
        asked_at = self._clock()
        grant = {"grant_type": "client_credentials"}
        reply = self._send("POST", self._token_url, f"Basic {self._basic}", data=grant)
        if reply.status == 404:
            raise ConfigurationError(f"{self._said(reply)}: no token is given out there; check host and login_base")
        if reply.status in {400, 401, 403}:  # RFC 6749, 5.2: an unknown client is 400 or 401
            raise AccessError(f"{self._said(reply)}. {_CLIENT_REMEDY}")
        token = _parsed(self._accepted(reply), lambda body: _read_token(body, asked_at, self._contract))
        self._issued = (*self._issued[-7:], token.value)
        log.debug("Genesys Cloud gave a token for %.0f s", token.renew_at - asked_at)
        return token

    def _send(self, method: str, url: str, authorization: str, **body: Any) -> _Reply:
        """One request through the gate; its reply whatever the status, but no redirect."""
        self._gate.wait()
        with self._count_lock:
            self.requests += 1
        what = f"{method} {url.partition('?')[0]}"
        try:
            with self._session.request(
                method,
                url,
                auth=_Authorization(authorization),
                headers={"Accept": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
                hooks={"response": _refuse_redirect},
                stream=True,
                **body,
            ) as response:
                content = self._body(what, response)
        except (requests.RequestException, HTTPError) as error:
            # from None: the lower exception carries the request, and with it the token.
            raise _translated(what, error) from None
        reply = _Reply(what, response.status_code, response.headers, content)
        self._heed_limits(reply)
        return reply

    def _body(self, what: str, response: requests.Response) -> bytes:
        """All of a reply, within its size and time. ``read1`` returns what has come, so the time is looked at."""
        body = bytearray()
        began = self._clock()
        while chunk := response.raw.read1(2**16, decode_content=True):
            body += chunk
            if len(body) > REPLY_MAX_BYTES:
                raise MalformedReplyError(f"{what}: the reply is larger than {REPLY_MAX_BYTES} bytes")
            if self._clock() - began > REPLY_MAX_S:
                raise TransientError(f"{what}: the reply was not complete after {REPLY_MAX_S:.0f} s")
        return bytes(body)

    def _accepted(self, reply: _Reply) -> _Reply:
        """The reply if it is a success; else the error that its status means."""
        status = reply.status
        if 200 <= status < 300:
            return reply
        said = self._said(reply)
        if status in {401, 403}:
            raise AccessError(f"{said}. {_CLIENT_REMEDY if status == 401 else self._contract.role_remedy}")
        if status == 404:
            raise NotFoundError(said)
        if status in {408, 429} or status >= 500:
            raise TransientError(said, retry_after_s=_retry_after_s(reply, self._now()))
        if status in {400, 413}:
            raise RejectedError(said)
        raise PermanentError(said)

    def _said(self, reply: _Reply) -> str:
        """``POST https://…: 400 bad.request "…" (ININ-Correlation-Id …)``, with every secret taken out."""
        code, message = (self._clean(text) for text in _complaint(reply.body))
        correlation = self._clean(reply.headers.get("ININ-Correlation-Id", ""))
        text = f"{reply.what}: {reply.status}" + (f" {code}" if code else "") + (f' "{message}"' if message else "")
        return text + (f" (ININ-Correlation-Id {correlation})" if correlation else "")

    def _clean(self, text: str) -> str:
        """Text of the other side without secrets and control characters; cut last, so that no secret is half there."""
        for secret in (*self._issued, self._basic, self._secret):
            text = text.replace(secret, "…") if secret else text
        text = _CREDENTIAL.sub(r"\1 …", _QUERY.sub("?…", text))
        return "".join(c if c.isprintable() else " " for c in text)[:TEXT_MAX]

    def _heed_limits(self, reply: _Reply) -> None:
        """Close the gate for all threads when the server says so, or when the allowance of its window is used up."""
        wait_s = _retry_after_s(reply, self._now()) if reply.status in {429, 503} else None
        count, allowed, reset = (reply.number(f"inin-ratelimit-{name}") for name in ("count", "allowed", "reset"))
        if wait_s is None and count is not None and allowed is not None and count >= allowed:
            wait_s = reset
        if wait_s is not None:
            self._gate.close(min(wait_s, self._retry_after_max_s))

    def _retrying(self, attempt: Callable[[], T]) -> T:
        malformed = 0

        def is_over(state: RetryCallState) -> bool:
            nonlocal malformed
            malformed += isinstance(_error_of(state), MalformedReplyError)
            return malformed >= MALFORMED_ATTEMPTS or state.attempt_number >= self._attempts

        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=is_over,
            wait=self._pause_s,
            sleep=self._sleep,
            before_sleep=_log_again,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except MalformedReplyError as error:
            raise PermanentError(f"{error}; asked {malformed} times. Has the API changed?") from error

    def _pause_s(self, state: RetryCallState) -> float:
        error = _error_of(state)
        named_s = error.retry_after_s if isinstance(error, TransientError) else None
        if named_s is None:
            return _BACKOFF(state)
        return min(named_s, self._retry_after_max_s) + _SPREAD(state)


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float
    scopes: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Reply:
    what: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def number(self, header: str) -> float | None:
        """A header that is a plain non-negative number, else None."""
        text = self.headers.get(header, "").strip()
        return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else None


class _Gate:
    """Where every request passes; closed for all threads until the time the server named.

    Without a lock: the worst a race does is to let one request through too early.
    """

    def __init__(self, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._sleep = sleep
        self._clock = clock
        self._opens_at = float("-inf")

    def close(self, seconds: float) -> None:
        self._opens_at = max(self._opens_at, self._clock() + seconds)

    def wait(self) -> None:
        remaining_s = self._opens_at - self._clock()
        if remaining_s > 0:
            self._sleep(remaining_s)


class _Authorization(AuthBase):
    """Sets the header itself; that an ``auth`` is given at all keeps requests from netrc and the session's own."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


def _refuse_redirect(response: requests.Response, **_: object) -> None:
    """Stop at a 3xx before requests prepares the next hop: neither token nor secret may follow it."""
    if 300 <= response.status_code < 400:
        response.close()
        request, to = response.request, _host_of(response.headers.get("Location", ""))
        asked = str(request.url).partition("?")[0]
        raise ConfigurationError(
            f"{request.method} {asked}: {response.status_code} redirects to {to}, which is not followed: "
            "the token goes to the API host alone. Check host, login_base and api_base of the connection"
        )


def _host_of(location: str) -> str:
    try:
        host = urlsplit(location).netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    return host if host.isprintable() and 0 < len(host) <= 253 else "another place"  # RFC 1035: names are no longer


def _translated(what: str, error: Exception) -> ArchiveError:
    """Our error for one of requests or urllib3, by its type alone: its text may hold addresses with secrets."""
    kind = type(error).__name__
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ConfigurationError(f"{what}: the certificate of the host is not trusted; check host, proxy and CA file")
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, HTTPError)
    if isinstance(error, passing):
        return TransientError(f"{what}: no complete reply ({kind})")
    return ConfigurationError(f"{what}: cannot be sent ({kind}); check host, login_base and api_base of the connection")


def _parsed(reply: _Reply, read: Callable[[Any], T]) -> T:
    try:
        empty = reply.status == 202 and not reply.body  # not ready yet: the platform API says no more than that
        return read(None if empty else _no_complaint(json.loads(reply.body, parse_constant=_no_constant)))
    except MalformedReplyError as error:
        raise MalformedReplyError(f"{reply.what}: {error}") from error
    except (ValueError, RecursionError) as error:
        # from None: the decoder's exception holds the whole reply, media URLs and all.
        raise MalformedReplyError(f"{reply.what}: the reply is not JSON ({type(error).__name__})") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_token(body: Any, asked_at: float, contract: Contract) -> _Token:
    """Check a token reply (RFC 6749, 5.1) by type; a scope that is named must hold what we need."""
    if not isinstance(body, dict):
        raise MalformedReplyError("the token reply is no object")
    value, kind, life_s, scope = (body.get(key) for key in ("access_token", "token_type", "expires_in", "scope"))
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise MalformedReplyError("access_token is missing or no token")
    if not isinstance(kind, str) or kind.casefold() != "bearer":
        raise MalformedReplyError("token_type is not bearer")
    if isinstance(life_s, bool) or not isinstance(life_s, int | float) or life_s <= 0:
        raise MalformedReplyError("expires_in is missing or no number of seconds")
    if scope is not None and not isinstance(scope, str):
        raise MalformedReplyError("scope is no text")
    scopes = None if scope is None else frozenset(scope.split())
    if scopes is not None and (missing := sorted(contract.scopes - scopes)):
        raise AccessError(f"The token lacks the scope {' and '.join(missing)}. {contract.role_remedy}")
    return _Token(value, asked_at + TOKEN_LIFE_USED * min(life_s, TOKEN_LIFE_MAX_S), scopes)


def _no_complaint(body: Any) -> Any:
    """Decoded JSON, unless it is an error in Genesys' own form: a list without entries may mean that a list ends."""
    if isinstance(body, dict) and all(isinstance(body.get(name), str) for name in ("code", "message")):
        raise MalformedReplyError("an error under status 200")
    return body


def _complaint(body: bytes) -> tuple[str, str]:
    """Code and message of an error reply, Genesys' or OAuth's (RFC 6749, 5.2); empty where it has none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(said, dict):
        return "", ""
    code = said.get("code") or said.get("error")
    message = said.get("message") or said.get("error_description")
    return (code if isinstance(code, str) else ""), (message if isinstance(message, str) else "")


def _retry_after_s(reply: _Reply, now: datetime) -> float | None:
    """Seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3), or None.

    A date is counted from the reply's own ``Date``, so that a wrong clock on our side does not matter.
    """
    if (seconds := reply.number("Retry-After")) is not None:
        return seconds
    until = _http_date(reply.headers.get("Retry-After"))
    since = _http_date(reply.headers.get("Date")) or now
    return None if until is None else max(0.0, (until - since).total_seconds())


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _log_again(state: RetryCallState) -> None:
    log.info(
        "Attempt %d failed, asking again in %.1f s: %s", state.attempt_number, state.upcoming_sleep, _error_of(state)
    )


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
