"""Hosts: which media URLs are followed, to which address, and that refused ones never see a socket."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from recording_archive.errors import ConfigurationError, PermanentError, TransientError
from recording_archive.transfer.allowed_hosts import MediaHosts, Resolver, refusal

PUBLIC = "93.184.215.14"
connected: list[Any] = []
sys.addaudithook(lambda event, args: connected.append(args) if event == "socket.connect" else None)


def hosts(*patterns: str, answer: Sequence[str] = (PUBLIC,), private: bool = False, **more: Any) -> MediaHosts:
    return MediaHosts(patterns or ("*.example.com",), private, resolver=lambda *_: answer, **more)


def _recording(asked: list[object]) -> Resolver:
    def ask(*name: object) -> Sequence[str]:
        asked.append(name)
        return [PUBLIC]

    return ask


@pytest.mark.parametrize(
    ("pattern", "url", "private"),
    [
        ("*.example.com", "https://a.example.com/x?y=1", False),
        ("*.example.com", "https://a.b.EXAMPLE.com./x", False),
        ("example.com", "https://example.com/", False),
        ("example.com:8443", "https://example.com:8443/", False),
        ("bücher.example", "https://xn--bcher-kva.example/", False),
        ("127.0.0.1:9000", "http://127.0.0.1:9000/x", True),
        ("127.0.0.1", "http://127.0.0.1/x", True),
        ("[::1]:9000", "http://[0:0::1]:9000/x", True),
        ("::1", "https://[::1]/x", True),
    ],
)
def test_listed_hosts_are_followed(pattern: str, url: str, private: bool) -> None:
    """A host in the list passes whatever the spelling of its name: case, trailing dot, IDNA, long IPv6."""
    assert hosts(pattern, private=private, answer=["10.0.0.1"] if private else [PUBLIC]).check(url)


def test_a_place_says_where_to_connect_and_what_to_ask() -> None:
    """Host, port, path with query, and the checked address are separate; the query is not in the repr."""
    place = hosts().check("https://a.example.com/rec/1.wav?sig=SECRET#part")
    assert (place.host, place.port, place.tls, place.address) == ("a.example.com", 443, True, PUBLIC)
    assert place.path_and_query == "/rec/1.wav?sig=SECRET"
    assert place.authority == "a.example.com"
    assert "SECRET" not in repr(place)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://a.example.com/Grüße 1.wav?n=ü y", "/Gr%C3%BC%C3%9Fe%201.wav?n=%C3%BC%20y"),
        ("https://a.example.com?n=%C3%BC+%20", "/?n=%C3%BC+%20"),
        ("https://a.example.com/\udcfc", "/%FC"),
        ("https://a.example.com/\u2028@evil.org/", "/%E2%80%A8@evil.org/"),
    ],
)
def test_what_may_not_be_sent_is_percent_encoded(url: str, sent: str) -> None:
    """The guard judges the URL as it is; blanks and letters beyond ASCII are encoded in path and query alone."""
    place = hosts().check(url)
    assert (place.host, place.path_and_query) == ("a.example.com", sent)


REFUSED = [
    "",
    "//a.example.com/x",
    "ftp://a.example.com/x",
    "file:///etc/passwd",
    "gopher://a.example.com/",
    "http://a.example.com/x",
    "https://example.com/x",
    "https://evilexample.com/x",
    "https://a.example.com.evil.org/x",
    "https://a.example.com:8443/x",
    "https://a.example.com:80/x",
    "https://a.example.com:99999/x",
    "https://user@a.example.com/x",
    "https://a.example.com@evil.org/x",
    "https://a.example.com\\@evil.org/x",
    "https://evil.org\\.a.example.com/x",
    "https://evil.org#.a.example.com/x",
    "https://evil.org?.a.example.com",
    "https://a.example.com /x",
    "https://a.example.com/x\x7f",
    "https://a.example.com/\ud800",
    "https://a.example.com/x\r\nX: y",
    "https://a.example.com\t/x",
    " https://a.example.com/x",
    "https://a.example.com/\x00",
    "https://a%2eexample.com/x",
    "https://.example.com/x",
    "https://a..example.com/x",
    "https://" + "a" * 64 + ".example.com/",
    "https://" + "a." * 130 + "example.com/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fe80::1%25eth0]/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://localhost/",
    "https://①②⑦.⓪.⓪.①/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_no_socket_for_what_is_not_listed(url: str) -> None:
    """A URL outside the list, or one that parsers read in two ways, is refused before name lookup and connection."""
    asked: list[object] = []
    guard = MediaHosts(["*.example.com"], resolver=_recording(asked))
    connected.clear()
    with pytest.raises(PermanentError):
        guard.check(url)
    assert (asked, connected) == ([], [])


NEVER = [
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "192.0.0.192",
    "100.64.0.1",
    "100.100.100.200",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "203.0.113.5",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "2001:db8::1",
    "2001:0:a9fe:a9fe::1",
    "::ffff:169.254.169.254",
    "2002:a9fe:a9fe::1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "::a9fe:a9fe",
]


PRIVATE = ["127.0.0.1", "127.8.8.8", "10.1.2.3", "172.31.0.1", "192.168.0.1", "::1", "fd12::1", "::ffff:10.0.0.1"]
PRIVATE += ["2002:7f00:1::", "64:ff9b::7f00:1"]


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("private", [False, True])
def test_a_listed_name_may_not_point_at_metadata(address: str, private: bool) -> None:
    """Link-local, metadata, multicast, reserved and wrapped forms of them are refused whatever is configured."""
    connected.clear()
    with pytest.raises(PermanentError, match="refused"):
        hosts(answer=[address], private=private).check("https://a.example.com/x")
    assert connected == []


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_a_permission(address: str) -> None:
    """Private and loopback addresses are refused with the remedy, and permitted by `allow_private_hosts`."""
    with pytest.raises(PermanentError, match="allow_private_hosts"):
        hosts(answer=[address]).check("https://a.example.com/x")
    place = hosts(answer=[address], private=True).check("https://a.example.com/x")
    assert place.address == str(ipaddress.ip_address(address))


def test_a_mixed_answer_leaves_only_what_may_be_contacted() -> None:
    """A name with a permitted and a forbidden address leads to the permitted one alone."""
    place = hosts(answer=["169.254.169.254", "10.0.0.1", PUBLIC]).check("https://a.example.com/x")
    assert place.addresses == (PUBLIC,)


def test_plain_http_goes_to_private_addresses_only() -> None:
    """`allow_private_hosts` opens plain http inside, never across the public network."""
    assert hosts(answer=["10.0.0.1"], private=True).check("http://a.example.com/x").port == 80
    with pytest.raises(PermanentError, match="plain http"):
        hosts(answer=[PUBLIC], private=True).check("http://a.example.com/x")


def test_numeric_notations_are_what_the_resolver_makes_of_them() -> None:
    """A decimal IPv4 notation, even when listed, is judged by the address behind it."""
    with pytest.raises(PermanentError, match="private"):
        hosts("2130706433", answer=["127.0.0.1"]).check("https://2130706433/")


def test_an_unresolved_name_may_resolve_later() -> None:
    """A DNS failure is worth another try."""

    def fail(*_: object) -> Sequence[str]:
        raise OSError("no name")

    with pytest.raises(TransientError, match=r"a\.example\.com"):
        MediaHosts(["*.example.com"], resolver=fail).check("https://a.example.com/x")


def test_answers_of_the_resolver_are_remembered_for_a_moment() -> None:
    """Fifty thousand files of one host are not as many DNS queries, and a moved host is found again."""
    asked: list[object] = []
    now = [0.0]
    guard = MediaHosts(["*.example.com"], resolver=_recording(asked), clock=lambda: now[0])
    for moment in (0, 1, 29, 31):
        now[0] = moment
        guard.check("https://a.example.com/x")
    assert len(asked) == 2


@pytest.mark.parametrize(
    "pattern", ["*", "*.", "https://a.example.com", "a.*.com", "a b", "", "host:port", "u@host", "[x]"]
)
def test_patterns_that_mean_nothing_are_refused(pattern: str) -> None:
    """A pattern that is not a host, or that means every host, is a configuration error that quotes it."""
    with pytest.raises(ConfigurationError, match="media_hosts"):
        MediaHosts([pattern])


def test_an_empty_list_permits_nothing() -> None:
    """Without any pattern the error says what to set."""
    with pytest.raises(ConfigurationError, match="media_hosts"):
        MediaHosts([])


def test_addresses_are_judged_without_a_url() -> None:
    """The rule itself is a function of the address."""
    assert refusal(ipaddress.ip_address("8.8.8.8"), allow_private=False) is None


def test_https_does_not_become_http() -> None:
    """Without `allow_private_hosts` no hop leads to plain http."""
    guard = MediaHosts(["a.example.com"], resolver=lambda *_: ["93.184.215.14"])
    assert guard.check("https://a.example.com/x").tls
    with pytest.raises(PermanentError, match="plain http"):
        guard.check("http://a.example.com/x")
