"""`recording-archive search` and `list`: what they find and print."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest

from recording_archive.archive import Archive
from recording_archive.retention import policy_in_force
from support.commands import Command
from support.contents import all_rows, first_id, ids


class TestSearch:
    """`search` shows a page of what matches."""

    def test_by_words_and_options(self, command: Command, archived: Archive) -> None:
        """An agent's name as words, an id's start, and an option; each shows exactly what has it."""
        agent = all_rows(archived)[0].agent_name
        count = sum(row.agent_name == agent for row in all_rows(archived))
        lines = command("search", *agent.split()).out.splitlines()
        assert len(lines) == count + 2
        assert all(f"\t{agent}\t" in line for line in lines[2:])
        name = first_id(archived)
        assert f"\t{name}\t" in command("search", name[:12]).out
        assert len(command("search", "--agent", agent, "--limit", "500").out.splitlines()) == count + 2

    def test_times_are_local_and_the_zone_is_named(self, command: Command, archived: Archive) -> None:
        """The zone of days is the one in which they are shown."""
        row = all_rows(archived)[0]
        title, _, line = command("search", row.interaction_id).out.splitlines()
        assert title == "1 recording (UTC)"
        assert line.startswith(f"  {row.interaction_date:%Y-%m-%d %H:%M}\t{row.interaction_id}\t")
        assert line.endswith("\tarchived")

    def test_a_narrow_terminal(self, command: Command, archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        """A GUID is never broken: who and when in one line, the id below."""
        monkeypatch.setattr("recording_archive.cli.terminal.sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "80")
        row = all_rows(archived)[0]
        _, first, second = command("search", row.interaction_id).out.splitlines()
        assert f"  {row.agent_name} · {row.queue_name} · " in first
        assert first.endswith("  (archived)")
        assert second == f"  {row.interaction_id}"

    def test_by_rule_and_by_the_end_of_days(self, command: Command, archived: Archive) -> None:
        """What a rule governs, and what expires when; `list` and CSV as well. For an unknown rule all are named."""
        row = all_rows(archived)[0]
        rule = f"{{name: Own, days: 400, attributes: {{agentId: ['{row.agent_id}']}}}}"
        policy = f"name: P\ndefaultDays: 100\nrules:\n- {rule}\n"
        policy_in_force.adopt(archived, policy.encode(), "p.yaml", actor="rosa")
        names = {each.interaction_id for each in all_rows(archived) if each.agent_id == row.agent_id}
        told = json.loads(command("search", "--rule", "own", "--limit", "500", "--json").out)
        assert {each["interactionId"] for each in told["recordings"]} == names
        day = f"{row.interaction_date + timedelta(days=400):%Y-%m-%d}"
        listed = command("list", "--rule", "Own", "--expires-from", day, "--expires-to", day, "--csv").out
        same = {
            each.interaction_id
            for each in all_rows(archived)
            if each.agent_id == row.agent_id and each.interaction_date.date() == row.interaction_date.date()
        }
        assert {each["interactionId"] for each in csv.DictReader(io.StringIO(listed))} == same
        assert "it has Own, default" in command("search", "--rule", "mine").err

    def test_no_more_than_the_limit(self, command: Command, archived: Archive) -> None:
        """The title says that there are more."""
        assert command("search", "--limit", "2").out.splitlines()[0] == "The first 2 recordings (UTC)"
        assert len(ids(archived)) > 2

    def test_json_has_the_rows_of_the_api(self, command: Command, archived: Archive) -> None:
        """Every column under its name there, who holds it, and which ids are not known."""
        name = first_id(archived)
        told = json.loads(command("search", f"{name.upper()}, nobody-1", "--json").out)
        assert [row["interactionId"] for row in told["recordings"]] == [name]
        assert told["recordings"][0]["heldBy"] == []
        assert (told["unknown"], told["more"]) == (["nobody-1"], False)

    def test_nothing_found(self, command: Command, archived: Archive) -> None:
        """Exit code 1; of an id it is said where to read what its absence means."""
        assert archived
        ended = command("search", "nobody-1")
        assert ended.code == 1
        assert ended.out.splitlines()[0] == "Nothing found"
        assert "nobody-1: never seen: `recording-archive show nobody-1`" in ended.out
        assert command("search", "--from", "yesterday").code == 2


class TestList:
    """`list` prints all that matches, for pipes."""

    def test_a_line_for_each(self, command: Command, archived: Archive) -> None:
        """No title and no head, tabs between cells, the oldest first when asked."""
        lines = command("list", "--oldest").out.splitlines()
        assert [line.split("\t")[1] for line in lines] == [
            row.interaction_id for row in sorted(all_rows(archived), key=lambda row: row.interaction_date)
        ]
        assert command("list", "--status", "purged").out == ""

    def test_csv_and_json_lines(self, command: Command, archived: Archive) -> None:
        """The same columns as the API's lists."""
        rows = list(csv.DictReader(io.StringIO(command("list", "--csv").out)))
        documents = [json.loads(line) for line in command("list", "--json").out.splitlines()]
        assert {row["interactionId"] for row in rows} == set(ids(archived))
        assert [row["interactionId"] for row in rows] == [each["interactionId"] for each in documents]
        assert rows[0].keys() == documents[0].keys()
        assert command("list", "--json", "--csv").code == 2
