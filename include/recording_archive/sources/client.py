"""The Genesys Cloud API over HTTP: one token for all threads, paced and retried by kind of error.

This module decides where the token may go; the meaning of a reply is up to the caller's ``read``.
"""

from __future__ import annotations

import base64
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests

from recording_archive.errors import AccessError, ConfigurationError
from recording_archive.sources.contracts import INTERACTIONS, Contract
from recording_archive.sources.pacing import Pacing
from recording_archive.sources.replies import CLIENT_REMEDY, MalformedReplyError, Reply, as_object
from recording_archive.sources.transport import REPLY_MAX_S, Transport

__all__ = ["ApiClient"]

log = logging.getLogger(__name__)
T = TypeVar("T")

TOKEN_LIFE_USED = 0.9  # renewed before it ends, so that no request meets the end on its way
TOKEN_LIFE_MAX_S = 172_800  # what Genesys Cloud lets an OAuth client be set to


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float
    scopes: frozenset[str] | None


class ApiClient:
    """Asks one API on behalf of one OAuth client; safe to share between threads.

    The bearer token goes to ``api_base`` alone: redirects are errors, and no netrc or session-wide authentication is
    used. ``timeout`` is (connect, read) in seconds, ``reply_max_s`` the longest that one reply may take in all;
    ``attempts`` counts requests of one call, the first included.
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
        reply_max_s: float = REPLY_MAX_S,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.api_base = api_base.rstrip("/")
        self.requests = 0
        self._contract = contract
        self._token_url = login_base.rstrip("/") + contract.token_path
        self._basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._secret = client_secret
        self._clock = clock
        self._now = now
        self._transport = Transport(session, timeout, reply_max_s)
        self._pacing = Pacing(attempts=attempts, retry_after_max_s=retry_after_max_s, sleep=sleep, clock=clock)
        self._token: _Token | None = None
        self._issued: tuple[str, ...] = ()  # the last tokens, to be taken out of the service's words
        self._token_lock = threading.Lock()
        self._count_lock = threading.Lock()

    def get(self, path: str, read: Callable[[Any], T], *, attempts: int | None = None) -> T:
        """GET ``path`` below ``api_base`` and hand the decoded JSON to ``read``, which checks and types it.

        ``read`` gets None for a 202. ``attempts`` are those of this call, where they are fewer than usual.
        """
        return self._call("GET", path, None, read, attempts)

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        read: Callable[[Any], T],
        *,
        attempts: int | None = None,
        queued: bool = False,
    ) -> T:
        """POST ``body`` as JSON; for queries only, because it is repeated after an error. ``attempts`` as in `get`.

        ``queued``: what is asked for is to be put to work, so that a 202 with a body answers it.
        """
        return self._call("POST", path, body, read, attempts, queued=queued)

    def put(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        """PUT ``body`` as JSON; it may be repeated after an error. ``read`` gets None for an empty reply."""
        return self._call("PUT", path, body, read)

    def scopes(self) -> frozenset[str] | None:
        """The scopes of the token, fetched if need be; None where the reply names none. A missing one has raised."""
        return self._pacing.retried(self._current_token).scopes

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        read: Callable[[Any], T],
        attempts: int | None = None,
        *,
        queued: bool = False,
    ) -> T:
        if not path.startswith("/"):
            raise ValueError("a path begins with /: the token must not leave api_base")
        return self._pacing.retried(lambda: self._authorized(method, path, body).parsed(read, queued=queued), attempts)

    def _authorized(self, method: str, path: str, body: Mapping[str, Any] | None) -> Reply:
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
            described = reply.described(self._secrets())
            raise ConfigurationError(f"{described}: no token is given out there; check host and login_base")
        if reply.status in {400, 401, 403}:  # RFC 6749, 5.2: an unknown client is 400 or 401
            raise AccessError(f"{reply.described(self._secrets())}. {CLIENT_REMEDY}")
        token = self._accepted(reply).parsed(lambda body: _read_token(body, asked_at, self._contract))
        self._issued = (*self._issued[-7:], token.value)
        log.debug("Genesys Cloud gave a token for %.0f s", token.renew_at - asked_at)
        return token

    def _send(self, method: str, url: str, authorization: str, **body: Any) -> Reply:
        self._pacing.wait()
        with self._count_lock:
            self.requests += 1
        reply = self._transport.send(method, url, authorization, **body)
        self._pacing.heed(reply, self._now())
        return reply

    def _accepted(self, reply: Reply) -> Reply:
        return reply.accepted(self._secrets(), role_remedy=self._contract.role_remedy, now=self._now())

    def _secrets(self) -> tuple[str, ...]:
        return (*self._issued, self._basic, self._secret)


def _read_token(body: Any, asked_at: float, contract: Contract) -> _Token:
    """Check a token reply (RFC 6749, 5.1) by type; a scope that is named must hold what we need."""
    given = as_object(body)
    value, kind, life_s, scope = (given.get(key) for key in ("access_token", "token_type", "expires_in", "scope"))
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
