"""Whole runs inside a bank: a proxy is the only way out, and a private CA signs for the hosts behind it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from genesys_sandbox import TOKEN_PREFIX
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.errors import ArchiveError, ConfigurationError, PermanentError
from recording_archive.model import Window
from recording_archive.settings import Settings
from recording_archive.sources import Source
from recording_archive.sources.connection import Facts, facts_from_environment, read_facts
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits
from support.bank import API, LOGIN, MEDIA, PASSWORD, Bank, open_bank, without_network
from support.runner import Runner

DAY = Window(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
OUTSIDE = {f"{LOGIN}:443", f"{API}:443", f"{MEDIA}:443"}


@pytest.fixture(scope="module")
def the_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    with open_bank(tmp_path_factory.mktemp("bank")) as bank:
        yield bank


@pytest.fixture
def bank(the_bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Bank:
    """The bank, from a machine that knows no name outside and has no proxy yet."""
    without_network(monkeypatch)
    the_bank.proxy.log_file.unlink(missing_ok=True)
    for name, value in the_bank.client.items():
        monkeypatch.setenv(name, value)
    return the_bank


@dataclass(frozen=True)
class FromInside(Runner):
    """Runs the four use cases with the source and the media client that a connection describes."""

    facts: Facts

    def source(self, archive: Archive | None = None) -> Source:
        assert archive
        return self.facts.source(requests.Session(), archive.settings, sleep=lambda _: None)

    def media(self, archive: Archive, stop: threading.Event) -> MediaClient:
        limits, network = TransferLimits(attempts=1, free_space_reserve_bytes=0), self.facts.network(archive.settings)
        return MediaClient(self.facts.media_hosts, limits, stop=stop, network=network)


Way = Callable[[pytest.MonkeyPatch, Bank], tuple[Facts, dict[str, Any]]]


def of_environment(monkeypatch: pytest.MonkeyPatch, bank: Bank) -> tuple[Facts, dict[str, Any]]:
    """The environment-only set-up: nothing but variables that other programs read too."""
    monkeypatch.setenv("HTTPS_PROXY", bank.proxy_url)
    monkeypatch.setenv("SSL_CERT_FILE", str(bank.ca_file))
    facts = facts_from_environment()
    assert facts
    return facts, {}


def of_settings(_: pytest.MonkeyPatch, bank: Bank) -> tuple[Facts, dict[str, Any]]:
    """The settings of the archive, and a connection of the platform API that says nothing of the network."""
    return facts_of(bank, {}), {"proxy": bank.proxy_url, "ca_file": str(bank.ca_file)}


def of_extra(monkeypatch: pytest.MonkeyPatch, bank: Bank) -> tuple[Facts, dict[str, Any]]:
    """The extra of the connection, against an environment that leads nowhere."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    return facts_of(bank, {"proxies": bank.proxy_url, "ca_file": str(bank.ca_file)}), {}


def facts_of(bank: Bank, extra: dict[str, Any]) -> Facts:
    who = {"login": bank.cloud.client_id, "password": bank.cloud.client_secret, "host": "eu-west-1"}
    return read_facts("test", **who, extra={"api": "conversations", **extra})


def with_settings(archive: Archive, given: dict[str, Any]) -> Archive:
    return replace(archive, settings=Settings(**(archive.settings.model_dump() | given)))


@pytest.mark.parametrize("way", [of_environment, of_settings, of_extra])
def test_a_night_inside_a_bank(
    archive: Archive, bank: Bank, monkeypatch: pytest.MonkeyPatch, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """API and media go through the proxy, trust the private CA, and resolve no name; nobody is told a secret."""
    caplog.set_level(logging.DEBUG)
    facts, given = way(monkeypatch, bank)
    inside = with_settings(archive, given)
    summary = FromInside(bank.cloud, facts)(inside, "night", Request(window=DAY, scheduled=True))
    assert (summary.problems, summary.counts["successful"]) == ((), 6)
    assert bank.proxy.hosts() == OUTSIDE
    assert {entry["status"] for entry in bank.proxy.log()} == {200}
    for secret in (TOKEN_PREFIX, bank.cloud.client_secret):
        assert secret not in str(bank.proxy.log())
    assert PASSWORD not in caplog.text
    assert "pass%2Fword" not in caplog.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"proxy": "http://127.0.0.1:{port}"}, "the proxy wants credentials (407)"),
        ({"ca_file": ""}, "certificate of the host is not trusted"),
    ],
)
def test_the_api_says_what_the_network_lacks(bank: Bank, change: dict[str, str], says: str) -> None:
    """Missing credentials and an unknown CA are told as such, and are no reason to try again."""
    given = {"proxy": bank.proxy_url, "ca_file": str(bank.ca_file)} | change
    settings = Settings(**{name: value.format(port=bank.proxy.port) for name, value in given.items()})
    with pytest.raises(ConfigurationError) as failed:
        facts_of(bank, {}).source(requests.Session(), settings).probe()
    assert says in str(failed.value)
    assert len(bank.proxy.log()) == 1


def test_a_host_that_the_proxy_does_not_permit_is_named(bank: Bank) -> None:
    """Another region than the firewall permits is told by its host."""
    settings = Settings(proxy=bank.proxy_url, ca_file=str(bank.ca_file))
    facts = replace(facts_of(bank, {}), endpoints=replace(facts_of(bank, {}).endpoints, login_base="https://a.test"))
    with pytest.raises(ConfigurationError, match=r"https://a\.test.*does not permit this host \(403\)"):
        facts.source(requests.Session(), settings).probe()


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.7/a", "https://169.254.169.254/latest", "https://evil.test/a", "http://api.mypurecloud.ie/a"],
)
def test_the_guard_stands_before_the_proxy(bank: Bank, url: str) -> None:
    """What may not be fetched is not asked of the proxy either: other hosts, private addresses, plain http."""
    settings = Settings(proxy=bank.proxy_url, ca_file=str(bank.ca_file))
    client = FromInside(bank.cloud, facts_of(bank, {"media_hosts": "*.mypurecloud.ie,10.0.0.7,169.254.169.254"}))
    media = MediaClient(
        client.facts.media_hosts, TransferLimits(), stop=threading.Event(), network=client.facts.network(settings)
    )
    with pytest.raises(PermanentError):
        media.check(url)
    assert media.check(f"https://{MEDIA}/a").addresses == ()
    assert bank.proxy.log() == []


def test_hosts_without_a_proxy_are_resolved_and_checked(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of ``NO_PROXY`` is reached directly: its addresses are the guard's matter again."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.9.9.9", 443))])
    settings = Settings(proxy=bank.proxy_url, no_proxy=f".{MEDIA}", ca_file=str(bank.ca_file))
    facts = facts_of(bank, {})
    hosts = MediaClient(facts.media_hosts, TransferLimits(), stop=threading.Event(), network=facts.network(settings))
    with pytest.raises(ArchiveError, match="private"):
        hosts.check(f"https://{MEDIA}/a")


def test_a_gateway_of_plain_http_is_asked_through_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API base of plain http goes to the proxy in absolute form; this machine's own hosts never do."""
    without_network(monkeypatch)
    with open_bank(tmp_path, certificate=None) as plain:
        base = "http://gateway.bank.test"
        extra = {"proxies": plain.proxy_url, "api_base": base, "login_base": base, "allow_private_hosts": True}
        facts_of(plain, extra).source(requests.Session(), Settings()).probe()
        assert f"POST {base}/oauth/token HTTP/1.1" in {entry["line"] for entry in plain.proxy.log()}
        asked = len(plain.proxy.log())
        here = {"api_base": plain.cloud.api_base, "login_base": plain.cloud.api_base}
        facts_of(plain, {**extra, **here}).source(requests.Session(), Settings()).probe()
        assert len(plain.proxy.log()) == asked
