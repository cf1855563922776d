"""What `recording-archive check` tells of the network, from inside a bank."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from recording_archive.cli.check import Connected, check
from recording_archive.cli.findings import ProbeResult, ProbeStatus
from recording_archive.settings import Settings, read_settings
from recording_archive.sources.connection import facts_from_environment
from support.bank import API, LOGIN, MEDIA, PASSWORD, Bank, open_bank, without_network
from support.commands import Command


@pytest.fixture(scope="module")
def the_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    with open_bank(tmp_path_factory.mktemp("bank")) as bank:
        yield bank


@pytest.fixture
def bank(the_bank: Bank, configured: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    """The environment-only set-up of a machine inside the bank."""
    assert configured
    without_network(monkeypatch)
    the_bank.proxy.log_file.unlink(missing_ok=True)
    variables = {"HTTPS_PROXY": the_bank.proxy_url, "REQUESTS_CA_BUNDLE": str(the_bank.ca_file)}
    for name, value in {**the_bank.client, **variables}.items():
        monkeypatch.setenv(name, value)
    return the_bank


def findings() -> dict[str, ProbeResult]:
    def connect(settings: Settings) -> Connected:
        facts = facts_from_environment()
        assert facts
        return Connected(facts, "this test", facts.source(requests.Session(), settings))

    return {finding.probe: finding for finding in check(connect)}


def test_it_says_which_proxy_and_which_cas(bank: Bank) -> None:
    """Each host, the way to it, the CAs, and where they were found; media hosts are reached up to their TLS name."""
    found = findings()
    assert {finding.verdict for finding in found.values()} == {ProbeStatus.OK}, found
    told = found["network"].detail
    proxy = f"through proxy 127.0.0.1:{bank.proxy.port} (HTTPS_PROXY)"
    assert told == (
        f"{LOGIN}, {API}, {MEDIA}, *.mypurecloud.ie {proxy}; trusted CAs: {bank.ca_file} alone (REQUESTS_CA_BUNDLE)"
    )
    assert f"reached {MEDIA}" in found["media hosts"].detail
    assert f"{MEDIA}:443" in bank.proxy.hosts()
    assert PASSWORD not in str(found)


def test_a_ca_that_is_missing_is_named_at_token_and_media(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the private CA neither host is trusted, and the remedy names the variables."""
    assert bank
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    found = findings()
    assert found["network"].verdict is ProbeStatus.OK
    for probe in ("token", "media hosts"):
        assert found[probe].verdict is ProbeStatus.FAILED
        assert "not trusted" in found[probe].detail
    assert "REQUESTS_CA_BUNDLE" in found["token"].detail


def test_a_ca_file_that_is_not_there_stops_at_the_network(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable and the path are told; nothing is asked."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    found = findings()
    failed = next(finding for finding in found.values() if finding.verdict is ProbeStatus.FAILED)
    assert "REQUESTS_CA_BUNDLE: /nowhere/ca.pem" in failed.detail
    assert bank.proxy.log() == []


def test_a_media_host_that_the_proxy_refuses(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that is missing in the proxy's list is told from one that does not answer."""
    assert bank
    monkeypatch.setenv("GENESYS_MEDIA_HOSTS", "media.example.com")
    assert "does not permit media.example.com (403)" in findings()["media hosts"].detail


@pytest.mark.airflow
def test_tasks_go_the_same_way(bank: Bank, command: Command, tmp_path: Path) -> None:
    """The hook of the connection gives source and media client the network of the environment."""
    ended = command("check", "--json")
    assert ended.code == 0, ended.out
    assert {row["verdict"] for row in json.loads(ended.out)} == {"ok"}
    assert {f"{LOGIN}:443", f"{API}:443", f"{MEDIA}:443"} == bank.proxy.hosts()
    from recording_archive.hooks import GenesysCloudHook  # noqa: PLC0415 - Airflow takes seconds

    media = GenesysCloudHook().media(read_settings(), threading.Event())
    place = media.check(f"https://{MEDIA}/a")
    before = len(bank.proxy.log())
    media.connection(place).connect()
    assert len(bank.proxy.log()) == before + 1
    media.close()
    assert tmp_path.exists()
