"""Access: tokens with a rate limit, and signatures on URLs and page tokens."""

from __future__ import annotations

import base64
import binascii
import hmac
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from genesys_sandbox.settings.options import SandboxOptions

#: Every access token and every URL signature begins so: a test can search logs, databases and pages for leaks.
TOKEN_PREFIX = "sbxtoken"  # noqa: S105  # marks tokens, is none
SIGNATURE_PREFIX = "sbxsignature"
WINDOW_S = 60


@dataclass(slots=True)
class _Grant:
    """One token: when it ends, what it may do, and the requests in its current minute."""

    expires: float
    scope: str
    window_start: float = 0.0
    requests: int = 0


class Tokens:
    """Issues access tokens to the one client, knows them again, and limits their requests a minute."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._grants: dict[str, _Grant] = {}

    def knows_client(self, authorization: str) -> bool:
        """Test whether an HTTP Basic ``Authorization`` header holds the client's id and secret."""
        kind, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return False
        expected = f"{self._options.client_id}:{self._options.client_secret}".encode()
        return kind.lower() == "basic" and hmac.compare_digest(given, expected)

    def issue(self, scope: str) -> str:
        """A new token with its full life ahead."""
        token = f"{TOKEN_PREFIX}{secrets.token_urlsafe(32)}"
        with self._lock:
            self._grants[token] = _Grant(time.monotonic() + self._options.token_life_s, scope)
        return token

    def scope(self, authorization: str) -> str | None:
        """The scope of a bearer token; None when it is unknown, expired or revoked."""
        kind, _, token = authorization.partition(" ")
        grant = self._grants.get(token)
        alive = grant is not None and time.monotonic() < grant.expires
        return grant.scope if grant and alive and kind.lower() == "bearer" else None

    def count(self, authorization: str) -> tuple[int, int]:
        """Count a request of a known token: its number in the minute, and seconds until the next minute begins."""
        now = time.monotonic()
        with self._lock:
            grant = self._grants.get(authorization.partition(" ")[2]) or _Grant(0, "")
            if now - grant.window_start >= WINDOW_S:
                grant.window_start, grant.requests = now, 0
            grant.requests += 1
            return grant.requests, math.ceil(grant.window_start + WINDOW_S - now)

    def revoke_all(self) -> None:
        """End the life of every token."""
        with self._lock:
            self._grants.clear()


class Signatures:
    """Signs with a secret of this start: nothing signed before a restart is taken after it."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, text: str) -> str:
        """The signature of ``text``."""
        return SIGNATURE_PREFIX + hmac.digest(self._secret, text.encode(), "sha256").hex()

    def fits(self, text: str, signature: str) -> bool:
        """Test whether ``signature`` is that of ``text``."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode())


class SignedUrls:
    """Media URLs that work for a while: ``/media/{name}?expires=…&signature=…``.

    With ``session_s`` they are signed as S3 signs with the credentials of a session: each session ends after so many
    seconds, and its URLs with it, long before ``X-Amz-Expires``; they answer 400 ExpiredToken then.
    """

    def __init__(
        self, base: str, life_s: float, session_s: float = 0, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._base = base
        self._life_s = life_s
        self._session_s = session_s
        self._signatures = Signatures()
        self._dead: dict[str, tuple[float, int]] = {}
        self.clock, self._begun = clock, clock()

    def make(self, name: str) -> str:
        """A URL for the file ``name`` that works from now on for the configured time."""
        now = self.clock()
        expires = f"{now + self._life_s:.6f}"
        if not self._session_s:
            signature = self._signatures.sign(f"{name} {expires}")
            return f"{self._base}/media/{name}?expires={expires}&signature={signature}"
        ends = f"{now + self._session_s - (now - self._begun) % self._session_s:.6f}"
        given = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": expires,
            "X-Amz-Expires": f"{self._life_s:.0f}",
            "X-Amz-Security-Token": f"{SIGNATURE_PREFIX}.{ends}",
            "X-Amz-Signature": self._signatures.sign(f"{name} {expires} {ends}"),
        }
        return f"{self._base}/media/{name}?{urlencode(given)}"

    def kill(self, name: str, status: int) -> None:
        """Answer every URL that exists for ``name`` with ``status``; one made later works."""
        self._dead[name] = (self.clock() + self._life_s, status)

    def refusal(self, name: str, query: Mapping[str, str]) -> tuple[int, str, str] | None:
        """Status, code and message for a URL that does not work; None for one that does."""
        expires = query.get("expires") or query.get("X-Amz-Date", "")
        ends = query.get("X-Amz-Security-Token", "").partition(".")[2]
        text = f"{name} {expires} {ends}" if ends else f"{name} {expires}"
        if not self._signatures.fits(text, query.get("signature") or query.get("X-Amz-Signature", "")):
            return 403, "SignatureDoesNotMatch", "The request signature does not match."
        if ends and float(ends) <= self.clock():
            return 400, "ExpiredToken", "The provided token has expired."
        dead_until, status = self._dead.get(name, (0.0, 403))
        if float(expires) <= dead_until:
            return status, "AccessDenied" if status == 403 else "ExpiredToken", "Request has expired"
        return (403, "AccessDenied", "Request has expired") if float(expires) <= self.clock() else None
