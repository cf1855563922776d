"""A bank's network: a proxy that is the only way out, and hosts outside whose certificates a private CA signed.

The hosts have the names of the real service in eu-west-1: the proxy leads to a sandbox with TLS instead.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from support.certificates import make_certificates

PROGRAM = Path(__file__).parents[1] / "programs" / "forward_proxy.py"
DOMAIN = "mypurecloud.ie"
LOGIN, API, MEDIA = (f"{name}.{DOMAIN}" for name in ("login", "api", "api-downloads"))
USER, PASSWORD = "svc-archive", "pass/word 1"
VARIABLES = (
    *(f"{name}_{kind}" for name in ("HTTPS", "HTTP", "ALL", "https", "http", "all") for kind in ("PROXY", "proxy")),
    *("NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""What would lead a test elsewhere when the machine has it."""


@dataclass(frozen=True)
class ForwardProxy:
    """A proxy in a process of its own."""

    port: int
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> list[dict[str, Any]]:
        """Each request: its line, its headers, the proxy's status."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()] if self.log_file.exists() else []

    def hosts(self) -> set[str]:
        """The hosts that were tunnelled to."""
        return {entry["line"].split(" ")[1] for entry in self.log() if entry["line"].startswith("CONNECT")}


@contextmanager
def forward_proxy(places: Mapping[str, int], login: str = "") -> Iterator[ForwardProxy]:
    """Run a proxy that knows these ``host:port``, each with its real port on this machine, and nothing else."""
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        log_file = Path(folder) / "log"
        given = [f"{place}={port}" for place, port in places.items()]
        command = [sys.executable, str(PROGRAM), str(log_file), login, *given]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            yield ForwardProxy(int(process.stdout.readline()), log_file)
            process.stdin.close()


@dataclass(frozen=True)
class Bank:
    """The proxy, the CA's file, and the sandbox behind."""

    proxy: ForwardProxy
    ca_file: Path
    cloud: Sandbox

    @property
    def proxy_url(self) -> str:
        """The proxy's address with user and password, encoded as an address needs it."""
        return f"http://{USER}:pass%2Fword%201@127.0.0.1:{self.proxy.port}"

    @property
    def client(self) -> dict[str, str]:
        """The variables that are the whole connection in the environment-only set-up."""
        return {
            "GENESYS_CLIENT_ID": self.cloud.client_id,
            "GENESYS_CLIENT_SECRET": self.cloud.client_secret,
            "GENESYS_REGION": "eu-west-1",
        }


def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine says about proxies and CAs, and let names be resolved by the proxy alone."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    resolve = socket.getaddrinfo

    def on_this_machine(host: str, *arguments: Any, **more: Any) -> Any:
        assert host in ("127.0.0.1", "localhost"), f"{host} was resolved on this machine"
        return resolve(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", on_this_machine)


@contextmanager
def open_bank(folder: Path, **options: Any) -> Iterator[Bank]:
    """Start sandbox and proxy; the sandbox has one day of six small calls."""
    certificates = make_certificates(folder, LOGIN, API, MEDIA, "localhost")
    small = {"days": 1, "per_day": 6, "min_bytes": 20_000, "max_bytes": 40_000, "end": date(2026, 11, 21)}
    given = {"certificate": certificates / "host.pem", "media_host": f"{MEDIA}:443", "rate_per_minute": 0, **small}
    with ExitStack() as stack:
        cloud = stack.enter_context(Sandbox(SandboxOptions(**{**given, **options})))
        api, media = urlsplit(cloud.api_base).port or 0, cloud.media_port
        places = {f"{LOGIN}:443": api, f"{API}:443": api, f"{MEDIA}:443": media, "gateway.bank.test:80": api}
        proxy = stack.enter_context(forward_proxy(places, f"{USER}:{PASSWORD}"))
        yield Bank(proxy, certificates / "ca.pem", cloud)
