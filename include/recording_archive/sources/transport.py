"""One HTTP exchange with a Genesys Cloud host: no redirect is followed, and a reply is limited in size and time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from recording_archive.errors import ArchiveError, ConfigurationError, TransientError
from recording_archive.sources.bounded import bind
from recording_archive.sources.replies import MalformedReplyError, Reply
from recording_archive.transfer.bounds import Bounds

__all__ = ["REPLY_MAX_S", "Transport"]

REPLY_MAX_BYTES = 32 * 2**20  # a page of 50 entries is some 50 KB
REPLY_MAX_S = 300.0  # from its first byte on
REPLY_MIN_BYTES_PER_S = 1024.0
CA_REMEDY = (
    "check the address; where a proxy or the company has a CA of its own, name its file in RECORDING_ARCHIVE_CA_FILE, "
    "REQUESTS_CA_BUNDLE, SSL_CERT_FILE or `ca_file` in the extra of the connection"
)

_UNTRUSTED = re.compile(r"certificate verify failed: ([A-Za-z .,'-]{1,120})")
_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")


@dataclass(frozen=True, slots=True)
class Transport:
    """Sends requests; ``timeout`` is (connect, read) in seconds, ``reply_max_s`` for a reply as a whole."""

    session: requests.Session
    timeout: tuple[float, float]
    reply_max_s: float = REPLY_MAX_S

    def __post_init__(self) -> None:
        """Bound what the session reads: a read timeout alone lets a reply trickle in for ever."""
        most = 2 * REPLY_MAX_BYTES  # framing, headers and trailers included
        bind(self.session, Bounds(self.timeout[1], REPLY_MIN_BYTES_PER_S, self.reply_max_s, most))

    def send(self, method: str, url: str, authorization: str, **body: Any) -> Reply:
        """Send one request; return its reply whatever the status, but no redirect."""
        request = f"{method} {url.partition('?')[0]}"
        try:
            with self.session.request(
                method,
                url,
                auth=_Authorization(authorization),
                headers={"Accept": "application/json"},
                timeout=self.timeout,
                allow_redirects=False,
                hooks={"response": _refuse_redirect},
                stream=True,
                **body,
            ) as response:
                return Reply(request, response.status_code, response.headers, self._body(request, response))
        except (requests.RequestException, HTTPError) as error:
            # from None: the lower exception carries the request, and with it the token.
            raise _translated(request, error) from None

    def _body(self, request: str, response: requests.Response) -> bytes:
        """All of a reply, within its size."""
        body = bytearray()
        while chunk := response.raw.read1(2**16, decode_content=True):
            body += chunk
            if len(body) > REPLY_MAX_BYTES:
                raise MalformedReplyError(f"{request}: the reply is larger than {REPLY_MAX_BYTES} bytes")
        return bytes(body)


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


def _of_proxy(request: str, status: int) -> ArchiveError:
    if status == 407:
        return ConfigurationError(f"{request}: the proxy wants credentials (407): set them in its address")
    if status == 403:
        return ConfigurationError(f"{request}: the proxy does not permit this host (403): permit it there")
    return TransientError(f"{request}: the proxy answered {status}")


def _translated(request: str, error: Exception) -> ArchiveError:
    """Our error for one of requests or urllib3, by its type alone: its text may hold addresses with secrets."""
    kind = type(error).__name__
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        reason = _UNTRUSTED.search(str(error))
        return ConfigurationError(
            f"{request}: the certificate of the host is not trusted ({reason[1] if reason else 'no reason given'}); "
            f"{CA_REMEDY}"
        )
    if isinstance(error, requests.exceptions.ProxyError) and (refused := _REFUSED_TUNNEL.search(str(error))):
        return _of_proxy(request, int(refused[1]))
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError, HTTPError)
    if isinstance(error, passing):
        return TransientError(f"{request}: no complete reply ({kind})")
    return ConfigurationError(
        f"{request}: cannot be sent ({kind}); check host, login_base and api_base of the connection"
    )
