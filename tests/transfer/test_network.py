"""The network to the hosts outside: where proxy, exceptions and CAs are found, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recording_archive.errors import ConfigurationError
from recording_archive.settings import Settings
from recording_archive.transfer.network import Network, default_certificates, is_exempt, network_of
from support.certificates import make_certificates


def found(
    environment: dict[str, str] | None = None, *, extra: dict[str, str] | None = None, ca: str = "", **settings: Any
) -> Network:
    return network_of(extra or {}, ca, Settings(**settings), environment or {})


def way(network: Network, host: str = "api.mypurecloud.ie") -> str:
    return network.way_to(host, 443)


@pytest.mark.parametrize(
    ("environment", "extra", "setting", "says"),
    [
        ({}, {}, "", "directly"),
        ({"HTTPS_PROXY": "http://e:3128"}, {}, "", "through proxy e:3128 (HTTPS_PROXY)"),
        ({"HTTPS_PROXY": "http://e:1", "https_proxy": "http://f:2"}, {}, "", "through proxy f:2 (https_proxy)"),
        ({"ALL_PROXY": "e:3128"}, {}, "", "through proxy e:3128 (ALL_PROXY)"),
        ({"HTTPS_PROXY": "http://e:1"}, {}, "http://s:2", "through proxy s:2 (RECORDING_ARCHIVE_PROXY)"),
        ({"HTTPS_PROXY": "http://e:1"}, {"https": "x:3"}, "s:2", "through proxy x:3 (proxies in the extra)"),
        ({"HTTPS_PROXY": "http://e:1"}, {"all": "x:3"}, "s:2", "through proxy x:3 (proxies in the extra)"),
        ({"HTTP_PROXY": "http://e:1"}, {}, "", "directly"),
        ({"HTTPS_PROXY": " ", "NO_PROXY": "*"}, {}, "", "directly"),
        ({"HTTPS_PROXY": "e:1", "NO_PROXY": "a.example, .mypurecloud.ie"}, {}, "", "directly (NO_PROXY)"),
        ({"HTTPS_PROXY": "e:1"}, {"no_proxy": "*"}, "", "directly (no_proxy in the extra)"),
    ],
)
def test_the_first_place_counts(environment: dict[str, str], extra: dict[str, str], setting: str, says: str) -> None:
    """The extra comes before the settings, these before the environment; each says where it was found."""
    assert way(found(environment, extra=extra, proxy=setting)) == says


@pytest.mark.parametrize(
    ("entry", "host", "exempt"),
    [
        ("", "example.com", False),
        ("*", "example.com", True),
        ("example.com", "example.com", True),
        ("example.com", "a.EXAMPLE.com.", True),
        (".example.com", "a.example.com", True),
        ("*.example.com", "a.example.com", True),
        ("ample.com", "example.com", False),
        ("example.com:443", "example.com", True),
        ("example.com:8443", "example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "example.com", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "fd00::1", True),
        ("[fd00::1]:443", "[fd00::1]", True),
        ("fd00::/8", "10.1.2.3", False),
        ("", "localhost", True),
        ("", "127.0.0.1", True),
        ("", "::1", True),
    ],
)
def test_hosts_that_need_no_proxy(entry: str, host: str, exempt: bool) -> None:
    """``NO_PROXY`` has names with their subdomains, addresses and networks, with or without a port."""
    assert is_exempt(host, 443, ["other.test", entry]) is exempt


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_ca_of_the_environment_is_the_only_one(tmp_path: Path, name: str) -> None:
    """The file that is named is trusted instead of the public CAs."""
    certificates = make_certificates(tmp_path, "a.test") / "ca.pem"
    network = found({name: str(certificates)})
    assert (network.certificates, network.trusted.place) == (str(certificates), name)
    assert [dict(pair[0] for pair in ca["subject"]) for ca in network.context().get_ca_certs()] == [
        {"commonName": "Test-CA"}
    ]
    assert found({name: "/nowhere"}, ca=str(certificates)).trusted.place == "ca_file in the extra"
    assert found({name: "/nowhere"}, ca_file=str(certificates)).trusted.place == "RECORDING_ARCHIVE_CA_FILE"


def test_without_one_the_systems_are_trusted() -> None:
    """The system's CAs, or those that come with Python's HTTP library."""
    network = found()
    assert network.certificates == default_certificates()
    assert Path(network.certificates).exists()
    assert network.context().verify_mode.name == "CERT_REQUIRED"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    """A wrong path and a file without certificates are told before the first request, with the variable."""
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE: .*ca\.pem"):
        found({"SSL_CERT_FILE": str(file)})


@pytest.mark.parametrize("proxy", ["socks5://u:secret@p:1", "https://u:secret@p:1", "http://u:secret@p:port"])
def test_a_proxy_that_cannot_be_used_is_named(proxy: str) -> None:
    """Only plain http proxies are known; the message names the variable and keeps the password."""
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as refused:
        found({"HTTPS_PROXY": proxy})
    assert "secret" not in str(refused.value)


def test_passwords_are_told_to_nobody_but_the_mask() -> None:
    """Neither description nor representation holds one."""
    network = found({"HTTPS_PROXY": "http://me:s%40cret@p:1"})
    assert network.passwords() == ("s@cret",)
    assert "s@cret" not in repr(network) + way(network)
    assert "s%40cret" not in repr(network) + repr(Settings(proxy="http://me:s%40cret@p:1"))
