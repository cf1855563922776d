"""The media hosts that may be contacted, and their addresses: the guard against server-side request forgery.

A media URL was written by somebody else. `MediaHosts.check` turns it into a `CheckedHost` or refuses it before any
socket is opened. A `pinned.PinnedConnection` connects to the addresses of that host and resolves nothing again, so that
a name cannot point elsewhere between check and use. TLS still names and verifies the host.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from recording_archive.errors import ConfigurationError, PermanentError, TransientError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

REMEDY = "in the extra of the connection genesys_cloud_default"
REMEMBER_S = 30.0  # how long a checked answer of the resolver serves the next files of the same host

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@:\[\]\\%]+)(?::(?P<port>[0-9]{1,5}))?"
    # no control characters, nor the backslash, which some parsers take for a slash; surrogates stand for single bytes
    r"(?P<rest>(?:[/?][^\x00-\x1f\x7f\\\ud800-\udc7f\udd00-\udfff]*)?)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")

_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "fc00::/7"),
    )
)
_NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's wire server, a public address
            "192.0.0.192/32",  # Oracle Cloud metadata
            "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud metadata
            "fd00:ec2::/32",  # AWS metadata, time and DNS
            "fd20:ce::254/128",  # Google Cloud metadata
        ),
    )
)
_SIGNED = re.compile(r"[?&](?:X-Amz-Signature|Signature)=[^&]", re.IGNORECASE)
_AS_BYTES = "surrogateescape"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class CheckedHost:
    """The destination of one request: a checked host, and the addresses that were checked with it, best first.

    ``addresses`` is empty only when a proxy makes the connection, and then the place is always a TLS one.
    """

    host: str
    port: int
    tls: bool
    path_and_query: str = field(repr=False)
    addresses: tuple[str, ...]

    @property
    def address(self) -> str:
        """The address to connect to first."""
        return self.addresses[0]

    @property
    def authority(self) -> str:
        """The value of the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver; the order of the answer (RFC 6724) is kept."""
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def refusal(address: IpAddress, *, allow_private: bool) -> str | None:
    """Return why no media may come from ``address``, or None when it may.

    Everything that is not plainly public is refused; private and loopback networks only on request, metadata
    services and link-local always. Addresses that wrap an IPv4 one (mapped, 6to4, NAT64) are judged by what they wrap.
    """
    inner = _unwrapped(address)
    if inner.is_link_local or inner.is_multicast or any(inner in network for network in _NEVER):
        return "link-local, multicast or a metadata service"
    if _is_private(inner):
        return None if allow_private else "private; `allow_private_hosts` permits it"
    return None if inner.is_global and not inner.is_reserved else "not a public address"


class MediaHosts:
    """The permitted media hosts: ``*.example.com``, ``host``, ``127.0.0.1:9000``, ``[::1]:9000``.

    A pattern without port means 443, and 80 too with ``allow_private``, which permits private and loopback
    addresses and plain http to them. Hosts that everybody may rent are in ``shared``: they are followed by https, to
    public addresses, with a signature in the URL. ConfigurationError names a pattern that means nothing or everything.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        allow_private: bool = False,
        *,
        shared: Sequence[str] = (),
        resolver: Resolver = resolve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allow_private = allow_private
        self._patterns, self._shared = (frozenset(map(_pattern, texts)) for texts in (patterns, shared))
        self._resolver, self._clock = resolver, clock
        self._remembered: dict[tuple[str, int], tuple[float, tuple[IpAddress, ...]]] = {}
        if not self._patterns:
            raise ConfigurationError(f"No media host is permitted: set `media_hosts` {REMEDY}")

    def check(self, url: str, *, proxied: Callable[[str, int], bool] = lambda _, __: False) -> CheckedHost:
        """Return where ``url`` leads, or raise PermanentError (TransientError when DNS gives no answer).

        ``proxied`` tells whether a proxy makes the connection to an https host and resolves its name, which is not
        resolved here then.
        """
        found = _URL.fullmatch(url.partition("#")[0])
        if found is None:
            raise PermanentError("The media URL is malformed: only plain http(s) URLs without user-info are followed")
        host, tls = _canonical(found["host"]), found["scheme"].lower() == "https"
        port = int(found["port"] or (443 if tls else 80))
        rest = found["rest"] if found["rest"].startswith("/") else "/" + found["rest"]
        is_own = self._is_own(host, port)
        self._check_listed(host, port, rest, tls=tls, is_own=is_own)
        literal = _literal(host)
        addresses = (
            [literal] if literal is not None else [] if tls and proxied(host, port) else self._resolve(host, port)
        )
        return CheckedHost(
            host,
            port,
            tls,
            _encoded(rest),
            self._permitted(host, addresses, tls=tls, private=is_own and self._allow_private),
        )

    def _is_own(self, host: str, port: int) -> bool:
        """Test whether a host is permitted by its own name, for this port."""
        defaults = (443, 80) if self._allow_private else (443,)
        return any(
            (name, port) in self._patterns or ((name, None) in self._patterns and port in defaults)
            for name in _names(host)
        )

    def _check_listed(self, host: str, port: int, rest: str, *, tls: bool, is_own: bool) -> None:
        """Permit a host by its own name, or a shared one by https with a signature in ``rest``."""
        if not tls and not self._allow_private:
            raise PermanentError(f"Media host {host}: plain http is refused; `allow_private_hosts` {REMEDY} permits it")
        if is_own:
            return
        if not (tls and port == 443 and any((name, None) in self._shared for name in _names(host))):
            raise PermanentError(f"Media host {host}:{port} is not permitted: add it to `media_hosts` {REMEDY}")
        if not _SIGNED.search(rest):
            raise PermanentError(
                f"Media host {host} is followed for signed URLs alone, and this one has no signature: add the host to "
                f"`media_hosts` {REMEDY} if it is yours"
            )

    def _resolve(self, host: str, port: int) -> tuple[IpAddress, ...]:
        until, known = self._remembered.get((host, port), (0.0, ()))
        if known and self._clock() < until:
            return known
        try:
            answer = tuple(ipaddress.ip_address(text) for text in dict.fromkeys(self._resolver(host, port)))
        except (OSError, UnicodeError) as error:
            raise TransientError(f"Media host {host}: the name does not resolve ({error})") from error
        if len(self._remembered) >= 256:
            self._remembered.clear()
        self._remembered[host, port] = (self._clock() + REMEMBER_S, answer)
        return answer

    @staticmethod
    def _permitted(host: str, addresses: Sequence[IpAddress], *, tls: bool, private: bool) -> tuple[str, ...]:
        """Keep the addresses that may be contacted; a host none of whose addresses may be is refused."""
        reasons = {address: refusal(address, allow_private=private) for address in addresses}
        permitted = [address for address, reason in reasons.items() if reason is None]
        if not tls and permitted:
            permitted = [address for address in permitted if _is_private(_unwrapped(address))]
            reasons = dict.fromkeys(addresses, "public, and plain http is for private hosts")
        if addresses and not permitted:
            raise PermanentError(f"Media host {host} is refused: its address is {reasons[addresses[0]]} ({REMEDY})")
        return tuple(str(address) for address in permitted)


def host_of(pattern: str) -> tuple[str, int]:
    """A host that a pattern permits, and its port: of a wildcard its own domain."""
    name, port = _pattern(pattern)
    return name.removeprefix("*."), port or 443


def _pattern(text: str) -> tuple[str, int | None]:
    """Read a pattern as (name, port); a wildcard keeps its ``*.`` prefix."""
    bare = text.strip()
    found = re.fullmatch(r"(?P<name>\[[^\]]+\]|[^\s:/@]+)(?::(?P<port>[0-9]{1,5}))?", bare)
    try:
        if found is None:
            return ipaddress.IPv6Address(bare).compressed, None
        wildcard = found["name"].startswith("*.")
        name = _canonical(found["name"][2:] if wildcard else found["name"])
    except (ValueError, PermanentError) as error:
        message = f"{text!r} is no media host: write *.example.com, host or host:port in `media_hosts` {REMEDY}"
        raise ConfigurationError(message) from error
    return ("*." + name if wildcard else name), int(found["port"]) if found["port"] else None


def _canonical(host: str) -> str:
    """The one spelling of a host: lower case, A-labels (IDNA), no trailing dot, no brackets."""
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1]).compressed
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except ValueError as error:  # of which UnicodeError is one
        raise PermanentError("The media URL's host is malformed") from error
    if len(name) > 253 or _NAME.fullmatch(name) is None:
        raise PermanentError("The media URL's host is malformed")
    return name


def _encoded(rest: str) -> str:
    """Path and query as they may be sent: blanks and what is not ASCII percent-encoded (RFC 3987, 3.1)."""
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E else f"%{byte:02X}" for byte in rest.encode(errors=_AS_BYTES))


def _names(host: str) -> list[str]:
    """The patterns that permit a host: its name, and wildcards that it falls under."""
    return [host] if _literal(host) is not None else [host, *_wildcards(host)]


def _wildcards(host: str) -> list[str]:
    labels = host.split(".")
    return ["*." + ".".join(labels[start:]) for start in range(1, len(labels))]


def _literal(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _unwrapped(address: IpAddress) -> IpAddress:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def _is_private(address: IpAddress) -> bool:
    return any(address in network for network in _PRIVATE)
