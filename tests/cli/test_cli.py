"""The command line: what it prints, its exit codes, and that docs/commands.md tells all of it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import typer
from sqlalchemy import select, update

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import events, recordings
from recording_archive.cli import app, basics
from recording_archive.cli.check import Connected, ProbeResult, ProbeStatus, check, connect_by_airflow
from recording_archive.settings import Settings, read_settings
from recording_archive.sources.connection import Facts, read_facts
from support.commands import Command, Output

COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"
MAIN = [sys.executable, "-c", "from recording_archive.cli import main; main()"]


def first_id(archive: Archive) -> str:
    with archive.catalog.read() as connection:
        return str(connection.execute(select(recordings.c.interaction_id).limit(1)).scalar_one())


def spoil(archive: Archive, interaction_id: str) -> None:
    """Turn one bit of the interaction's object."""
    path = next((archive.settings.root / "recordings").rglob(f"{interaction_id}~*.gz"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o640)
    path.write_bytes(content)


class TestVerify:
    """`verify` names what is bad, and ends with 1 when anything is."""

    def test_it_wants_ids_or_all(self, command: Command, archived: Archive) -> None:
        """Neither or both is a usage error, said in one line."""
        for arguments in ([], ["--all", first_id(archived)]):
            ended = command("verify", *arguments)
            assert ended.code == 2
            assert ended.err == (
                "recording-archive: Name the interactions to verify, or give --all for the whole archive\n"
            )

    def test_a_sound_archive_ends_with_0(self, command: Command, archived: Archive) -> None:
        """All recordings are counted."""
        assert archived
        assert command("verify", "--all") == Output(0, "6 recordings verified, 0 bad\n", "")

    def test_a_bad_recording_is_named(self, command: Command, archived: Archive) -> None:
        """Its name and the reason stand in a line of their own, and in JSON as documented."""
        victim = first_id(archived)
        spoil(archived, victim)
        ended = command("verify", "--all")
        assert ended.code == 1
        assert ended.out.startswith(f"bad: {victim}~{victim}~0: recordings/")
        assert ended.out.endswith("6 recordings verified, 1 bad\n")
        ended = command("verify", victim, "nobody", "--json")
        told = json.loads(ended.out)
        assert ended.code == 1
        assert told["verified"] == 1
        assert [bad["interactionId"] for bad in told["bad"]] == [victim, "nobody"]
        assert set(told["bad"][0]) == {"interactionId", "recordingId", "part", "filePath", "problem"}
        assert told["bad"][0]["filePath"].endswith(f"/{victim}~{victim}~0.wav.gz")

    def test_an_unknown_sidecar_is_bad_and_an_unknown_file_a_warning(self, command: Command, archived: Archive) -> None:
        """Only what a reindex would mend makes the exit code 1."""
        (archived.settings.root / "recordings" / "notes.txt").write_text("")
        ended = command("verify", "--all")
        assert ended.code == 0
        assert ended.out.startswith("warning: recordings/notes.txt: not a file of this archive")
        with archived.catalog.write() as connection:
            connection.execute(recordings.delete().where(recordings.c.interaction_id == first_id(archived)))
        ended = command("verify", "--all", "--json")
        assert ended.code == 1
        assert "reindex" in json.loads(ended.out)["bad"][0]["problem"]


class TestReindex:
    """`reindex` counts what it did."""

    def test_a_lost_catalog_is_rebuilt(self, command: Command, archived: Archive) -> None:
        """Without its catalog no other command goes on; after it every one does."""
        archived.catalog.close()
        for path in archived.settings.root.parent.glob("catalog.db*"):
            path.unlink()
        ended = command("verify", "--all")
        assert ended.code == 2
        assert "recording-archive reindex" in ended.err
        assert command("reindex").out.splitlines() == [
            "Catalog",
            "  \tadded\tknown\tbad",
            "  ledger\t2\t0\t0",
            "  recordings\t6\t0\t0",
            "  runs\t1\t0\t0",
            "  coverage\t1\t0\t0",
            "  failures\t0\t0\t0",
        ]
        assert command("verify", "--all").code == 0

    def test_a_difference_ends_with_1(self, command: Command, archived: Archive) -> None:
        """What differs is named in both forms."""
        victim = first_id(archived)
        with archived.catalog.write() as connection:
            same = recordings.c.interaction_id == victim
            connection.execute(update(recordings).where(same).values(sha256="0" * 64))
        ended = command("reindex")
        assert ended.code == 1
        assert f"{victim}~{victim}~0.json: the catalog has another sha256" in ended.out
        told = json.loads(command("reindex", "--json").out)
        assert told["recordings"] == {"added": 0, "known": 5, "bad": 1}
        assert told["problems"][0]["filePath"].endswith(f"/{victim}~{victim}~0.json")


class TestReport:
    """`report` tells a run's counts and failures."""

    def test_the_newest_report_is_shown(self, command: Command, archived: Archive, run: Callable[..., Any]) -> None:
        """Without a run id it is the newest; counts have the names of the file."""
        summary = run(archived, "manual__second")
        ended = command("report")
        assert ended.code == 0
        lines = ended.out.splitlines()
        assert lines[0] == "Run manual__second: success"
        assert "  alreadyArchived: 6" in lines
        assert lines[-1] == str(archived.settings.root / summary.report_key)
        assert "  successful: 6" in command("report", "scheduled__first").out.splitlines()

    def test_the_stored_file_is_printed_as_it_is(self, command: Command, archived: Archive) -> None:
        """``--json`` is the report itself, byte for byte."""
        path = next((archived.settings.root / "reports").rglob("compliance_report.json"))
        assert command("report", "--json").out == path.read_text()

    def test_failures_are_listed_up_to_twenty(
        self, command: Command, archived: Archive, run: Callable[..., Any]
    ) -> None:
        """A failed run ends with 1, tells its problems, the first twenty failures, and where the others are."""
        run(archived, "manual__ids", Request(ids=tuple(f"unknown-{n:02}" for n in range(23))))
        ended = command("report")
        assert ended.code == 1
        assert "problem: 23 asked interactions are not at the source" in ended.out
        assert ended.out.count("\tmissing\t") == 20
        assert "… and 3 more: see " in ended.out
        assert ended.out.splitlines()[-2].endswith("compliance_report.csv")

    def test_no_report_ends_with_1(self, command: Command, archive: Archive) -> None:
        """A run without a report, or an archive without runs, is told to standard error."""
        assert archive
        assert command("report").code == 1
        ended = command("report", "nobody")
        assert ended == Output(1, "", ended.err)
        assert "no report of run nobody" in ended.err


class TestShow:
    """`show` tells everything known of an interaction."""

    def test_an_archived_interaction(self, command: Command, archived: Archive) -> None:
        """State, hashes, events in order and runs."""
        known = first_id(archived)
        command("verify", known)
        ended = command("show", known)
        assert ended.code == 0
        order = [
            "  state: archived",
            "  sha256: ",
            "Time line (UTC)",
            "\tseen\t",
            "\tarchived\t",
            "\tverified\t",
            "Runs",
        ]
        places = [ended.out.index(text) for text in order]
        assert places == sorted(places)
        told = json.loads(command("show", known, "--json").out)
        assert told["known"] is True
        assert told["parts"][0]["interactionId"] == known
        assert len(told["parts"][0]["storedSha256"]) == 64
        assert [event["kind"] for event in told["events"]] == ["seen", "archived", "verified"]
        assert [row["outcome"] for row in told["work"]] == ["success"]

    def test_one_never_seen(self, command: Command, archived: Archive) -> None:
        """What its absence means, and how to ask the source for it."""
        assert archived
        ended = command("show", "nobody")
        assert ended.code == 1
        assert ended.out.startswith("nobody: never seen")
        assert "  interactions:default\t2026-11-19 00:00:00+00:00\t2026-11-21 00:00:00+00:00" in ended.out
        assert """airflow dags trigger archive_recordings --conf '{"interactionId": "nobody"}'""" in ended.out
        told = json.loads(command("show", "nobody", "--json").out)
        assert told["known"] is False
        assert told["coverage"] == [
            {
                "source": "interactions:default",
                "start": "2026-11-19T00:00:00+00:00",
                "end": "2026-11-21T00:00:00+00:00",
            }
        ]

    def test_touching_ranges_are_one(self, command: Command, archived: Archive, run: Callable[..., Any]) -> None:
        """Coverage is told as stretches without a gap, not as a line per day."""
        run(archived, "scheduled__again")
        assert len(json.loads(command("show", "nobody", "--json").out)["coverage"]) == 1

    def test_an_asked_one_that_is_not_there(self, command: Command, archived: Archive, run: Callable[..., Any]) -> None:
        """Runs that asked for it in vain are told."""
        run(archived, "manual__ids", Request(ids=("nobody",)))
        ended = command("show", "nobody")
        assert ended.code == 1
        assert "manual__ids\t\tmissing\t0\tthe source lists no recording" in ended.out

    def test_nothing_steers_the_terminal(self, command: Command, archived: Archive) -> None:
        """Control characters in a name from the source are made visible."""
        with archived.catalog.write() as connection:
            connection.execute(update(recordings).values(agent_name="\x1b[2Jx\x07\n[red]"))
        assert "agent name: �[2Jx� [red]" in command("show", first_id(archived)).out


class TestAcknowledge:
    """`acknowledge` closes a failure by a person's decision."""

    @pytest.fixture
    def failed(self, archive: Archive, run: Callable[..., Any], cloud: Sandbox) -> str:
        """The id of a recording whose checksum never matches."""
        victim = cloud.library[0].id
        cloud.faults.add(Fault("wrong_bytes", recording=victim))
        assert run(archive, "scheduled__first").failed
        return victim

    def test_the_decision_is_kept(self, command: Command, archive: Archive, failed: str) -> None:
        """Reason and name go into an event, and a second decision has nothing to decide."""
        assert command("acknowledge", failed, "--reason", "damaged at the source").code == 0
        with archive.catalog.read() as connection:
            event = connection.execute(select(events).where(events.c.kind == "acknowledged")).one()
            row = connection.execute(select(recordings).where(recordings.c.interaction_id == failed)).one()
        assert event.detail["reason"] == "damaged at the source"
        assert event.detail["error"] == row.last_error
        assert event.actor == basics.user() != ""
        assert row.acknowledged_at == event.at
        ended = command("acknowledge", failed, "--reason", "again", "--json")
        assert ended.code == 1
        assert "was acknowledged on" in json.loads(ended.out)["refused"][0]["problem"]

    def test_only_what_is_named(self, command: Command, failed: str) -> None:
        """Recording and part narrow it down; what is not there is told."""
        assert command("acknowledge", failed, "--reason", "r", "--recording", "other").code == 1
        assert command("acknowledge", failed, "--reason", "r", "--part", "1").code == 1
        ended = command("acknowledge", failed, "--reason", "r", "--recording", failed, "--part", "0", "--json")
        assert json.loads(ended.out) == {"acknowledged": [f"{failed}~{failed}~0"], "refused": []}

    def test_nothing_to_acknowledge(self, command: Command, archived: Archive) -> None:
        """An archived, an unknown and an unreasoned one are refused, each with its reason."""
        assert "it is archived, not failed" in command("acknowledge", first_id(archived), "--reason", "r").out
        ended = command("acknowledge", "nobody", "--reason", "r")
        assert ended.code == 1
        assert "no such recording" in ended.out
        assert command("acknowledge", "nobody", "--reason", " ").code == 2
        assert command("acknowledge", "nobody").code == 2


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


class TestSandbox:
    """`sandbox` hands its options on."""

    def test_it_serves_until_a_signal(self) -> None:
        """Its first lines say where it is and how Airflow connects."""
        arguments = ["sandbox", "--days", "1", "--per-day", "1", "--min-bytes", "1000", "--max-bytes", "2000"]
        with subprocess.Popen([*MAIN, *arguments], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline().startswith("Sandbox: API http://127.0.0.1:")
            assert process.stdout.readline().startswith("AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT='{")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0

    def test_wrong_options_end_with_2(self, command: Command) -> None:
        """Help and usage errors are those of the sandbox."""
        assert command("sandbox", "--days", "0").code == 2
        ended = command("sandbox", "--help")
        assert ended.code == 0
        assert "--per-day" in ended.out


class TestWhole:
    """What holds for every command."""

    @pytest.mark.parametrize(
        "arguments", [["verify", "--all"], ["report"], ["show", "x"], ["acknowledge", "x", "--reason", "r"]]
    )
    def test_a_missing_archive_ends_with_2(self, command: Command, configured: Settings, arguments: list[str]) -> None:
        """No command but a run founds an archive: a mistyped root is an error, and leaves nothing behind."""
        ended = command(*arguments)
        assert ended.code == 2
        assert ended.err.startswith(f"recording-archive: {configured.root} holds no archive")
        assert ended.err.count("\n") == 1
        assert list(configured.root.parent.iterdir()) == []

    def test_help_starts_fast(self) -> None:
        """Nothing slow is imported before a command needs it."""
        code = "import sys; from recording_archive.cli import main\ntry: main(['--help'])\nfinally: print(*sys.modules)"
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        slow = {"airflow", "sqlalchemy", "alembic", "pydantic", "requests", "rich", "isal"}
        assert not slow & set(shown.stdout.split())

    def test_a_terminal_gets_tables(self) -> None:
        """Where a person looks, rows have borders, and text of the source is neither markup nor control."""
        code = (
            r"from recording_archive.cli import terminal; terminal.table('Title', ('a', 'b'), [('[red]', '\x1b[2J')])"
        )
        master, slave = pty.openpty()
        with subprocess.Popen([sys.executable, "-c", code], stdout=slave) as process:
            os.close(slave)
            shown = b""
            while piece := _read_all(master):
                shown += piece
            assert process.wait(10) == 0
        os.close(master)
        assert "┃" in shown.decode()
        assert "[red]" in shown.decode()
        assert b"\x1b[2J" not in shown

    def test_every_command_and_option_is_documented(self) -> None:
        """docs/commands.md has a section per command with its options, and every exit code and probe."""
        sections = dict(
            re.findall(r"^## `(\S+?)[` ].*?\n(.*?)(?=^## |\Z)", COMMANDS.read_text(), re.MULTILINE | re.DOTALL)
        )
        whole: Any = typer.main.get_command(app.app)
        commands = whole.commands
        assert set(sections) == set(commands)
        for name, one in commands.items():
            for parameter in one.params:
                shown = parameter.opts[0] if parameter.opts[0].startswith("--") else parameter.metavar
                assert f"`{shown}" in sections[name], f"{name}: {shown}"
        for option in SandboxOptions.described():
            assert f"`--{option.name.replace('_', '-')}`" in sections["sandbox"], option.name
        for probe in ("settings", "storage", "staging", "catalog", "archive id", "connection", "token", "media hosts"):
            assert f"| {probe} " in sections["check"]


def _read_all(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux ends a pseudo-terminal
        return b""
