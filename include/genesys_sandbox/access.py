"""Access: tokens with a rate limit, and signatures on URLs and page tokens."""

from __future__ import annotations

import base64
import binascii
import hmac
import math
import secrets
import threading
import time
from dataclasses import dataclass

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
    """Media URLs that work for a while, as an object store makes them: ``/media/{name}?expires=…&signature=…``."""

    def __init__(self, base: str, life_s: float) -> None:
        self._base = base
        self._life_s = life_s
        self._signatures = Signatures()
        self._dead: dict[str, tuple[float, int]] = {}

    def make(self, name: str) -> str:
        """A URL for the file ``name`` that works from now on for the configured time."""
        expires = f"{time.time() + self._life_s:.6f}"
        signature = self._signatures.sign(f"{name} {expires}")
        return f"{self._base}/media/{name}?expires={expires}&signature={signature}"

    def kill(self, name: str, status: int) -> None:
        """Answer every URL that exists for ``name`` with ``status``; one made later works."""
        self._dead[name] = (time.time() + self._life_s, status)

    def refusal(self, name: str, expires: str, signature: str) -> tuple[int, str, str] | None:
        """Status, code and message for a URL that does not work; None for one that does."""
        if not self._signatures.fits(f"{name} {expires}", signature):
            return 403, "SignatureDoesNotMatch", "The request signature does not match."
        dead_until, status = self._dead.get(name, (0.0, 403))
        if float(expires) <= dead_until:
            return status, "AccessDenied" if status == 403 else "ExpiredToken", "Request has expired"
        return (403, "AccessDenied", "Request has expired") if float(expires) <= time.time() else None
