"""Pinned connections: the checked address, the name it must prove, and the proxy between."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recording_archive.errors import ConfigurationError, PermanentError, TransientError
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.bounds import Bounds
from recording_archive.transfer.pinned import PinnedConnection, Proxy
from support.certificates import make_certificates
from support.scripted_host import Answer, Request, ScriptedHost, endless, ranged, reply


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and a certificate for media.test signed by it."""
    return make_certificates(tmp_path_factory.mktemp("tls"), "media.test")


@pytest.fixture
def secure(certificates: Path) -> Iterator[tuple[ScriptedHost, list[str | None]]]:
    """A TLS host on loopback, and the server names that its clients sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "host.pem")
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with ScriptedHost([ranged(b"RIFF" + bytes(60))], tls=context) as host:
        yield host, names


def connection(host: ScriptedHost, name: str, certificates: Path, proxy: Proxy | None = None) -> PinnedConnection:
    guard = MediaHosts([f"*.test:{host.port}"], True, resolver=lambda *_: ["127.0.0.1"])
    return PinnedConnection(
        guard.check(f"https://{name}:{host.port}/x", proxied=lambda *_: proxy is not None),
        tls=ssl.create_default_context(cafile=certificates / "ca.pem"),
        connect_timeout_s=5,
        bounds=Bounds(5),
        proxy=proxy,
        stopping=threading.Event(),
    )


class TestTls:
    """The connection goes to the checked address and proves the name."""

    def test_the_name_is_sent_and_verified_at_the_pinned_address(
        self, secure: tuple[ScriptedHost, list[str | None]], certificates: Path
    ) -> None:
        """A name that no resolver knows is reached at the pinned address under its own certificate."""
        host, names = secure
        with pytest.MonkeyPatch.context() as world:  # any second resolution would fail loudly
            world.setattr("socket.getaddrinfo", None)
            pinned = connection(host, "media.test", certificates)
            pinned.request("GET", "/x")
            assert pinned.getresponse().read()[:4] == b"RIFF"
        pinned.close()
        assert names == ["media.test"]

    def test_another_name_at_the_same_address_is_refused(
        self, secure: tuple[ScriptedHost, list[str | None]], certificates: Path
    ) -> None:
        """The right address with a certificate for somebody else is not the host."""
        with pytest.raises(ssl.SSLCertVerificationError):
            connection(secure[0], "other.test", certificates).connect()
        assert secure[0].requests == []

    def test_an_interrupt_lets_no_ciphertext_through(self, certificates: Path) -> None:
        """Bytes that wait in the socket after an interrupt are decrypted or an error, never passed on as they are."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "host.pem")
        answer = endless(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", b"RIFF" * 4096)
        with ScriptedHost([answer], tls=context) as host:
            pinned = connection(host, "media.test", certificates)
            pinned.request("GET", "/x")
            stream = pinned.getresponse()
            time.sleep(0.2)  # the host fills the socket meanwhile
            pinned.interrupt()
            seen = b""
            with contextlib.suppress(OSError, http.client.HTTPException):
                while block := stream.read1(16384):
                    seen += block
        assert seen == (b"RIFF" * (len(seen) // 4 + 1))[: len(seen)]

    def test_an_unknown_issuer_is_refused(
        self, secure: tuple[ScriptedHost, list[str | None]], certificates: Path
    ) -> None:
        """Verification is on by default: a self-made certificate does not pass without its issuer."""
        pinned = connection(secure[0], "media.test", certificates)
        pinned._tls = None
        with pytest.raises(ssl.SSLCertVerificationError):
            pinned.connect()


class TestProxy:
    """CONNECT by name, credentials for the proxy alone."""

    def test_tunnel(self, secure: tuple[ScriptedHost, list[str | None]], certificates: Path) -> None:
        """The proxy is told the name and given its credentials; the media host sees neither and proves its name."""
        with ScriptedHost([_tunnel(secure[0].port)]) as gateway:
            proxy = Proxy.parse(f"http://me:secret@127.0.0.1:{gateway.port}")
            through = connection(secure[0], "media.test", certificates, proxy)
            through.request("GET", "/x")
            assert through.getresponse().read()[:4] == b"RIFF"
            through.close()
        assert gateway.requests[0].line == f"CONNECT media.test:{secure[0].port} HTTP/1.1"
        assert gateway.requests[0].headers["proxy-authorization"].startswith("Basic ")
        assert "proxy-authorization" not in secure[0].requests[0].headers

    @pytest.mark.parametrize(
        ("status", "error"), [(407, ConfigurationError), (403, PermanentError), (502, TransientError)]
    )
    def test_refusals_of_the_proxy_name_it(
        self, secure: tuple[ScriptedHost, list[str | None]], certificates: Path, status: int, error: type[Exception]
    ) -> None:
        """A proxy that does not tunnel is told from a media host that does not answer."""
        with ScriptedHost([reply(status)]) as gateway:
            proxy = Proxy.parse(f"http://127.0.0.1:{gateway.port}")
            with pytest.raises(error, match="Proxy"):
                connection(secure[0], "media.test", certificates, proxy).connect()


def _tunnel(port: int) -> Answer:
    """Answer CONNECT and pass bytes both ways."""

    def answer(_: ScriptedHost, __: Request, sock: socket.socket) -> bool:
        with socket.create_connection(("127.0.0.1", port)) as onward:
            sock.sendall(b"HTTP/1.1 200 Tunnel\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(onward, sock), daemon=True)
            back.start()
            _pass_on(sock, onward)
        return False

    return answer


def _pass_on(source: Any, sink: Any) -> None:
    try:
        while block := source.recv(65536):
            sink.sendall(block)
    except OSError:
        return


@pytest.mark.parametrize("url", ["https://proxy:3128", "proxy:3128", "http://", "http://proxy:port"])
def test_a_proxy_is_an_http_url(url: str) -> None:
    """Anything but an http proxy URL is refused when the client is made."""
    with pytest.raises(ConfigurationError):
        Proxy.parse(url)


@pytest.mark.parametrize(
    "url", ["http://me:s%40cret@proxy.example:8080", "http://proxy.example:80", "http://[::1]:3128", "http://a:@b:1"]
)
def test_its_address_is_written_as_it_was_read(url: str) -> None:
    """Other clients get the same proxy, with port and credentials."""
    assert Proxy.parse(Proxy.parse(url).url) == Proxy.parse(url)
    assert Proxy.parse(url).url == url


def test_credentials_of_a_proxy_are_not_shown() -> None:
    """User and password of a proxy become a header that no repr shows."""
    proxy = Proxy.parse("http://me:s%40cret@proxy.example:8080")
    assert (proxy.host, proxy.port, proxy.authorization) == ("proxy.example", 8080, "Basic bWU6c0BjcmV0")
    assert "bWU6" not in repr(proxy)
