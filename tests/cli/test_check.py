"""`recording-archive check`: each probe names what is wrong and the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.cli.check import Connected, check, connect_by_airflow
from recording_archive.cli.findings import ProbeResult, ProbeStatus
from recording_archive.settings import Settings, read_settings
from recording_archive.sources.connection import Facts, read_facts
from support.commands import Command


class TestCheck:
    """`check` tries everything a run needs and says how to mend what fails."""

    @staticmethod
    def connect(cloud: Sandbox, **change: Any) -> Callable[[Settings], Connected]:
        """Find the sandbox without Airflow; ``change`` replaces parts of the connection."""
        given = cloud.connection()
        extra = given["extra"] | {name: value for name, value in change.items() if name in given["extra"]}

        def find(settings: Settings) -> Connected:
            secret = change.get("password", given["password"])
            facts: Facts = read_facts("test", login=given["login"], password=secret, host=given["host"], extra=extra)
            return Connected(facts, "this test", facts.source(requests.Session(), settings))

        return find

    def verdicts(self, findings: list[ProbeResult]) -> dict[str, ProbeStatus]:
        return {finding.probe: finding.verdict for finding in findings}

    def test_everything_works(self, configured: Settings, archived: Archive, cloud: Sandbox) -> None:
        """Every probe passes, and the archive's id is told."""
        assert configured
        findings = list(check(self.connect(cloud)))
        assert set(self.verdicts(findings).values()) == {ProbeStatus.OK}, findings
        details = {finding.probe: finding.detail for finding in findings}
        assert archived.id in details["archive id"]
        assert "interaction:read recording:read" in details["token"]
        assert f"reached {cloud.media_host}" in details["media hosts"]
        assert cloud.client_secret not in str(findings)

    def test_a_new_machine_is_left_as_it_is(self, configured: Settings, cloud: Sandbox) -> None:
        """Before the first run all is well too, and nothing is founded or made."""
        findings = list(check(self.connect(cloud)))
        assert set(self.verdicts(findings).values()) == {ProbeStatus.OK}, findings
        assert "founds" in next(finding.detail for finding in findings if finding.probe == "archive id")
        assert list(configured.root.parent.iterdir()) == []

    def test_what_needs_a_failed_probe_is_skipped(
        self, configured: Settings, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Wrong settings stop everything; the message names the variable."""
        assert configured
        monkeypatch.setenv("RECORDING_ARCHIVE_TIMEZONE", "Mars")
        read_settings.cache_clear()
        first, *others = check(self.connect(cloud))
        assert first.verdict is ProbeStatus.FAILED
        assert "RECORDING_ARCHIVE_TIMEZONE" in first.detail
        assert {finding.verdict for finding in others} == {ProbeStatus.SKIPPED}

    def test_a_root_that_cannot_be_written(self, configured: Settings, cloud: Sandbox) -> None:
        """A file where the root should be fails storage, and with it the comparison of ids."""
        configured.root.write_text("")
        found = self.verdicts(list(check(self.connect(cloud))))
        assert (found["storage"], found["archive id"]) == (ProbeStatus.FAILED, ProbeStatus.SKIPPED)
        assert found["token"] is ProbeStatus.OK

    @pytest.mark.parametrize("lost", ["archive", "catalog.db"])
    def test_root_and_catalog_that_do_not_belong_together(
        self, configured: Settings, archived: Archive, cloud: Sandbox, lost: str
    ) -> None:
        """An unmounted root and a lost catalog both fail the comparison; no catalog is made on the way."""
        archived.catalog.close()
        gone = configured.root.parent / lost
        gone.rename(gone.with_name("elsewhere"))
        findings = {finding.probe: finding for finding in check(self.connect(cloud))}
        assert findings["archive id"].verdict is ProbeStatus.FAILED
        assert archived.id in findings["archive id"].detail
        assert not gone.exists()

    def test_a_full_staging_disk(self, configured: Settings, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """Less space than the reserve is a failure that names the setting."""
        assert configured
        monkeypatch.setenv("RECORDING_ARCHIVE_FREE_SPACE_RESERVE_BYTES", str(10**18))
        read_settings.cache_clear()
        findings = {finding.probe: finding for finding in check(self.connect(cloud))}
        assert findings["staging"].verdict is ProbeStatus.FAILED
        assert "RECORDING_ARCHIVE_FREE_SPACE_RESERVE_BYTES" in findings["staging"].detail

    def test_a_wrong_secret_and_an_unreachable_media_host(self, configured: Settings, cloud: Sandbox) -> None:
        """Both are told with the place where they are mended; neither hides the other."""
        assert configured
        connect = self.connect(cloud, password="wrong", media_hosts=["*.example.com", "127.0.0.1:9"])
        findings = {finding.probe: finding for finding in check(connect)}
        assert findings["connection"].verdict is ProbeStatus.OK
        assert "Admin > Integrations > OAuth" in findings["token"].detail
        assert "127.0.0.1:9" in findings["media hosts"].detail
        assert {findings[name].verdict for name in ("token", "media hosts")} == {ProbeStatus.FAILED}

    def test_a_password_in_the_catalogs_address_is_not_told(
        self, configured: Settings, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A database that does not answer is named without its password."""
        assert configured
        monkeypatch.setenv("RECORDING_ARCHIVE_CATALOG_URL", "postgresql+psycopg2://u:hidden@127.0.0.1:9/db")
        read_settings.cache_clear()
        findings = {finding.probe: finding for finding in check(self.connect(cloud))}
        assert findings["catalog"].verdict is ProbeStatus.FAILED
        assert "hidden" not in str(findings)

    @pytest.mark.airflow
    def test_the_connection_is_airflows(
        self, command: Command, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The command finds what tasks find, says where, and ends with 1 without it."""
        monkeypatch.delenv("GENESYS_CLIENT_ID", raising=False)
        monkeypatch.setenv("AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT", json.dumps(cloud.connection()))
        ended = command("check")
        assert ended.code == 0, ended.out
        assert "environment variable AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT" in ended.out
        told = json.loads(command("check", "--json").out)
        assert {row["verdict"] for row in told} == {"ok"}
        monkeypatch.delenv("AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT")
        ended = command("check")
        assert ended.code == 1
        assert re.search(r"^failed  connection .*GENESYS_CLIENT_ID", ended.out, re.MULTILINE)
        for name, value in (("ID", "a"), ("SECRET", "b")):
            monkeypatch.setenv(f"GENESYS_CLIENT_{name}", value)
        monkeypatch.setenv("GENESYS_REGION", "eu-west-1")
        assert connect_by_airflow(read_settings()).origin == "GENESYS_* environment variables"
