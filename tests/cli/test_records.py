"""`recording-archive report`, `show`, `acknowledge` and `acknowledge-range`: what they print, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive
from recording_archive.archiving.account import note
from recording_archive.archiving.problems import note_problem
from recording_archive.archiving.report import report as write_report
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import coverage, events, recordings, runs
from recording_archive.cli import basics
from recording_archive.sources import Account
from support.commands import Command, Output
from support.contents import change, first_id
from support.parties import TRANSFERRED, party


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

    def test_notes_and_the_comparison_with_the_inventory_are_shown(self, command: Command, archive: Archive) -> None:
        """What was left out as a whole, and how many recordings the source has that are not here."""
        note_problem(archive, "manual__x", "stopped")
        figures = {"archived": 7, "unknown": 2, "takenIn": 2}
        with archive.catalog.write() as connection:
            note(connection, "manual__x", Account(notes=("orphans were refused",)), reconciled=figures)
        write_report(archive, "manual__x")
        lines = command("report").out.splitlines()
        assert "note: orphans were refused" in lines
        assert lines[lines.index("Compared with the source's inventory") :][1:4] == [
            "  archived: 7",
            "  unknown: 2",
            "  takenIn: 2",
        ]

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

    def test_what_stands_with_the_part_is_not_repeated(self, command: Command, archived: Archive) -> None:
        """Its key and hashes are shown once, and no column names the only part; JSON has all of it."""
        known = first_id(archived)
        facts, _, times = command("show", known).out.partition("Time line (UTC)")
        told = json.loads(command("show", known, "--json").out)
        assert told["parts"][0]["sha256"] in facts
        assert told["parts"][0]["sha256"] not in times
        assert told["events"][1]["detail"]["sha256"] == told["parts"][0]["sha256"]
        assert "  when\twhat\trun or person\tdetail" in times

    def test_everybody_who_took_part(self, command: Command, archived: Archive) -> None:
        """In words, possible ones as such; in JSON as the catalog has them."""
        name, parties = first_id(archived), [party(**TRANSFERRED), party(ani="tel:+12025550100", certain=False)]
        change(archived, name, parties=parties)
        lines = command("show", name).out.splitlines()
        assert "  parties: agent Tömas Ryan (queue Escalation); possibly from +12025550100" in lines
        assert json.loads(command("show", name, "--json").out)["parts"][0]["parties"] == parties

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
        assert "manual__ids\tmissing\t0\tthe source lists no recording" in ended.out

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


def test_a_gap_of_a_listing_is_acknowledged(archived: Archive, command: Command) -> None:
    """By its range, once; exit code 1 where no run left one."""
    at = archived.clock()
    gap = {"start": "2026-11-20T10:00:00+00:00", "end": "2026-11-20T11:00:00+00:00", "missing": 2, "reason": "short"}
    with archived.catalog.write() as connection:
        listing = {"listed": 4, "counted": 6, "gaps": [gap], "notes": []}
        connection.execute(update(runs).values(listing=listing))
    who = ("acknowledge-range", "2026-11-20", "2026-11-20", "--reason", "not ours")
    assert command(*who).code == 0
    assert "nothing to acknowledge" in command(*who).out
    with archived.catalog.read() as connection:
        row = connection.execute(select(coverage).where(coverage.c.kind == "acknowledged")).one()
    assert (row.start.isoformat(), row.end.isoformat()) == ("2026-11-20T00:00:00+00:00", "2026-11-21T00:00:00+00:00")
    assert at <= row.closed_at
