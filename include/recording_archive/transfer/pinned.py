"""Connections to checked addresses: by name for the host and its certificate, by address for the network."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote, unquote, urlsplit

from recording_archive.errors import ConfigurationError, PermanentError, TransientError
from recording_archive.transfer.allowed_hosts import CheckedHost, resolve
from recording_archive.transfer.bounds import BoundedResponse, Bounds, bounded


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that tunnels to https hosts by CONNECT."""

    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Read ``http://[user:password@]host[:port]``; anything else is a ConfigurationError."""
        try:
            parts = urlsplit(url)
            port = parts.port or 80
        except ValueError:
            # from None: its text may hold the password
            raise ConfigurationError("The proxy's port is not a number, or its address is malformed") from None
        if parts.scheme != "http" or not parts.hostname:
            raise ConfigurationError("A proxy is given as http://[user:password@]host:port")
        user = None if parts.username is None else unquote(parts.username)
        return cls(parts.hostname, port, user, unquote(parts.password or ""))

    @property
    def url(self) -> str:
        """Its address with user and password, as other clients take it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        login = "" if self.user is None else f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        return f"http://{login}{host}:{self.port}"

    @property
    def authorization(self) -> str | None:
        """The value of the ``Proxy-Authorization`` header, where there is a user."""
        if self.user is None:
            return None
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class PinnedConnection(http.client.HTTPConnection):
    """A keep-alive connection to the checked addresses of one place, or through a proxy to its host name.

    ``interrupt`` ends whatever its thread waits for, connecting and TLS handshake included.
    """

    def __init__(
        self,
        place: CheckedHost,
        *,
        tls: ssl.SSLContext | None,
        connect_timeout_s: float,
        bounds: Bounds,
        proxy: Proxy | None,
        stopping: threading.Event,
    ) -> None:
        super().__init__(place.host, place.port)
        self._place, self._tls, self._proxy, self._stopping = place, tls, proxy, stopping
        self._connect_timeout_s, self._bounds = connect_timeout_s, bounds
        self.response_class = bounded(bounds)  # type: ignore[assignment]  # called like the class that it makes
        self._live: socket.socket | None = None

    @property
    def is_open(self) -> bool:
        """Tell if the next request meets a socket that an earlier one left open."""
        return self.sock is not None

    def connect(self) -> None:
        """Open the socket: TCP to a pinned address, then CONNECT and TLS where they are due."""
        try:
            proxied = self._place.tls and self._proxy is not None
            self._dial(
                resolve(self._proxy.host, self._proxy.port) if proxied and self._proxy else self._place.addresses
            )
            if proxied and self._proxy:
                self._open_tunnel(self._proxy)
            if self._place.tls:
                self._secure()
            self.sock.settimeout(self._bounds.timeout_s)
        except BaseException:
            self.close()
            raise

    def getresponse(self) -> BoundedResponse:
        """Read the head of the reply."""
        return cast("BoundedResponse", super().getresponse())

    def interrupt(self) -> None:
        """Shut the socket down from another thread; the waiting one sees the end of the stream.

        Not SSLSocket's own shutdown: that drops the TLS layer, and ciphertext would then read as media.
        """
        if self._live is not None:
            try:
                socket.socket.shutdown(self._live, socket.SHUT_RDWR)
            except OSError:
                return  # already closed, or not yet connecting

    def _dial(self, addresses: Sequence[str]) -> None:
        port = self._proxy.port if self._proxy and self._place.tls else self._place.port
        failure: OSError = OSError("no address")
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._hold(socket.socket(family, socket.SOCK_STREAM))
            try:
                self.sock.connect((address, port))
            except OSError as error:
                self.sock.close()
                failure = error
            else:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return
        raise failure

    def _hold(self, sock: socket.socket) -> None:
        """Take ``sock`` where `interrupt` finds it, then look whether the stop came before that."""
        sock.settimeout(self._connect_timeout_s)
        self.sock = self._live = sock
        if self._stopping.is_set():
            raise ConnectionAbortedError("stopping")

    def _open_tunnel(self, proxy: Proxy) -> None:
        """CONNECT by name (RFC 9110, 9.3.6): proxies permit by name, and the certificate proves who answers."""
        host = f"[{self._place.host}]" if ":" in self._place.host else self._place.host
        lines = [f"CONNECT {host}:{self._place.port} HTTP/1.1", f"Host: {host}:{self._place.port}"]
        lines += [f"Proxy-Authorization: {proxy.authorization}"] if proxy.authorization else []
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        with BoundedResponse(self.sock, method="CONNECT", bounds=Bounds(self._connect_timeout_s)) as reply:
            reply.begin()
        if reply.status == 407:
            raise ConfigurationError(f"Proxy {proxy.host}:{proxy.port} wants credentials (407): set them in its URL")
        if reply.status == 403:
            raise PermanentError(f"Proxy {proxy.host}:{proxy.port} does not permit {host} (403): permit it there")
        if reply.status != 200:
            raise TransientError(f"Proxy {proxy.host}:{proxy.port} answered {reply.status} for {host}")

    def _secure(self) -> None:
        """Shake hands after `interrupt` knows the socket; the certificate is checked against the host's name."""
        secured = (self._tls or ssl.create_default_context()).wrap_socket(
            self.sock, server_hostname=self._place.host, do_handshake_on_connect=False
        )
        self._hold(secured)
        secured.do_handshake()
