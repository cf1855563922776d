"""The network between us and the hosts outside: an HTTP proxy, the hosts that are reached without it, trusted CAs.

API and media go the same way. Each of its facts is taken from the first place that names one: the extra of the
connection, a setting, the variables that other programs read too.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from recording_archive.errors import ConfigurationError
from recording_archive.settings import PREFIX, Settings
from recording_archive.transfer.pinned import Proxy

__all__ = ["DIRECT", "PROXY_KEYS", "Found", "Network", "network_of"]

PROXY_KEYS = frozenset({"https", "http", "all", "no_proxy"})
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Found:
    """A value and the place that names it; both are empty where none does."""

    value: str = field(default="", repr=False)
    place: str = ""


@dataclass(frozen=True)
class Network:
    """The proxy of each scheme, the hosts that are reached without one (``NO_PROXY``), and a file or folder of CAs."""

    proxies: Mapping[str, Found] = field(default_factory=dict)
    exempt: Found = Found()
    trusted: Found = Found()

    def proxy_for(self, host: str, port: int, scheme: str = "https") -> Proxy | None:
        """Return the proxy that makes connections to a host, or None; this machine is always reached directly."""
        proxy = self._parsed.get(scheme)
        return None if proxy is None or is_exempt(host, port, self._exempt) else proxy

    @property
    def certificates(self) -> str:
        """The file or folder of trusted CAs: what was given alone, else what comes with system or Python."""
        return self.trusted.value or default_certificates()

    def context(self) -> ssl.SSLContext:
        """Make a TLS context that trusts `certificates` and nothing else; ConfigurationError when it cannot."""
        path, place = self.certificates, self.trusted.place or "certificates of the system"
        try:
            is_folder = Path(path).is_dir()
            return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else None)
        except OSError as error:  # of which SSLError is one
            raise ConfigurationError(
                f"{place}: {path} is no file of CA certificates in PEM form ({error.strerror or type(error).__name__})"
            ) from error

    def passwords(self) -> tuple[str, ...]:
        """The passwords of proxies, to be masked in logs."""
        return tuple(proxy.password for proxy in self._parsed.values() if proxy.password)

    def way_to(self, host: str, port: int, scheme: str = "https") -> str:
        """Describe how a host is reached, and who says so; without passwords."""
        if proxy := self.proxy_for(host, port, scheme):
            return f"through proxy {proxy.host}:{proxy.port} ({self.proxies[scheme].place})"
        return f"directly ({self.exempt.place or 'this machine'})" if scheme in self._parsed else "directly"

    @cached_property
    def _parsed(self) -> Mapping[str, Proxy]:
        return {scheme: _proxy(found) for scheme, found in self.proxies.items() if found.value}

    @cached_property
    def _exempt(self) -> tuple[str, ...]:
        return tuple(re.split(r"[,\s]+", self.exempt.value.strip().casefold()))


DIRECT = Network()


def network_of(
    proxies: Mapping[str, str], ca_file: str, settings: Settings, environment: Mapping[str, str] = os.environ
) -> Network:
    """Find the facts in ``proxies`` and ``ca_file`` of the connection's extra, then settings, then the environment.

    Raises ConfigurationError that names the place of a proxy or CA that cannot be used.
    """
    by_scheme = {scheme: _proxy_for(scheme, proxies, settings, environment) for scheme in ("https", "http")}
    exempt = _first(
        ("no_proxy in the extra", proxies.get("no_proxy", "")),
        (f"{PREFIX}NO_PROXY", settings.no_proxy),
        *_variables(environment, "no_proxy"),
    )
    trusted = _first(
        ("ca_file in the extra", ca_file),
        (f"{PREFIX}CA_FILE", settings.ca_file),
        *((name, environment.get(name, "")) for name in CA_VARIABLES),
    )
    network = Network(by_scheme, exempt, trusted)
    network.passwords()  # reads the addresses
    if trusted.value:
        network.context()
    return network


def is_exempt(host: str, port: int, entries: Iterable[str]) -> bool:
    """Test whether a host is reached without a proxy: this machine always, others by an entry of ``NO_PROXY``.

    An entry is ``*``, an address or network, or a name, which stands for its subdomains too, with or without a dot
    before it; each of them may have a port.
    """
    name = host.casefold().strip("[]").removesuffix(".")
    address = _address(name)
    is_here = name == "localhost" or (address is not None and address.is_loopback)
    return is_here or any(_covers(entry, name, port, address) for entry in entries)


def default_certificates() -> str:
    """Return the system's file or folder of CAs, or the file that comes with the HTTP library where it has none."""
    paths = ssl.get_default_verify_paths()  # None for what is not there
    if paths.cafile:
        return paths.cafile
    is_filled = paths.capath is not None and any(Path(paths.capath).iterdir())
    return paths.capath if paths.capath and is_filled else DEFAULT_CA_BUNDLE_PATH


def _proxy_for(scheme: str, proxies: Mapping[str, str], settings: Settings, environment: Mapping[str, str]) -> Found:
    return _first(
        ("proxies in the extra", proxies.get(scheme) or proxies.get("all", "")),
        (f"{PREFIX}PROXY", settings.proxy),
        *_variables(environment, f"{scheme}_proxy", "all_proxy"),
    )


def _first(*places: tuple[str, str]) -> Found:
    return next((Found(value.strip(), place) for place, value in places if value.strip()), Found())


def _variables(environment: Mapping[str, str], *names: str) -> Iterable[tuple[str, str]]:
    """Each variable in lower case, then in upper case, as most programs read them."""
    return [(name, environment.get(name, "")) for each in names for name in (each, each.upper())]


def _proxy(found: Found) -> Proxy:
    url = found.value if "://" in found.value else f"http://{found.value}"
    try:
        return Proxy.parse(url)
    except ConfigurationError as error:
        raise ConfigurationError(f"{found.place}: {error}") from None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _covers(entry: str, name: str, port: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if entry == "*":
        return True
    has_port = re.fullmatch(r"(\[.+\]|[^:]+):([0-9]+)", entry)
    if has_port and int(has_port[2]) != port:
        return False
    place = (has_port[1] if has_port else entry).strip("[]")
    try:
        network = ipaddress.ip_network(place, strict=False)
    except ValueError:
        suffix = place.removeprefix("*").removeprefix(".")
        return suffix != "" and (name == suffix or name.endswith("." + suffix))
    return address is not None and address in network
