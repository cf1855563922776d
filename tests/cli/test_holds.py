"""The commands `hold create`, `hold list` and `hold release`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer

from recording_archive.archive import Archive
from recording_archive.cli import app, basics
from recording_archive.holds import Criteria, create, find, read, release
from recording_archive.model import State
from recording_archive.settings import Settings
from support.commands import Command, Output, run_command
from support.contents import all_rows, change
from support.hold_files import NOON, hold

COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"


@pytest.fixture
def command(
    configured: Settings,  # noqa: ARG001 - in the environment
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run ``recording-archive hold …`` in this process, in the zone of Berlin."""
    monkeypatch.setenv("RECORDING_ARCHIVE_TIMEZONE", "Europe/Berlin")
    return partial(run_command, capsys, "hold")


WHY = ("--matter", "Case 4711", "--reason", "the judge said so")


class TestCommands:
    """`hold create`, `hold list`, `hold release`."""

    def test_create_takes_every_criterion(self, command: Command, archived: Archive) -> None:
        """Options may be repeated; dates are whole days of the configured zone, the last one included."""
        names = ("--id", "a", "--id", "b", "--agent", "Bo", "--queue", "Q", "--number", "1", "--number", "2")
        ended = command("create", *WHY, *names, "--from", "2026-11-20", "--to", "2026-11-20", "--json")
        assert ended.code == 0
        (made,) = find(archived)
        start = datetime(2026, 11, 19, 23, tzinfo=UTC)
        assert made.criteria == Criteria(("a", "b"), ("Bo",), ("Q",), ("1", "2"), start, start + timedelta(days=1))
        assert (made.matter, made.reason, made.owner) == ("Case 4711", "the judge said so", basics.user())
        assert json.loads(ended.out) == {
            "id": made.id,
            "matter": "Case 4711",
            "reason": "the judge said so",
            "owner": made.owner,
            "createdAt": made.created_at.isoformat(),
            "interactionIds": ["a", "b"],
            "agents": ["Bo"],
            "queues": ["Q"],
            "numbers": ["1", "2"],
            "from": "2026-11-19T23:00:00+00:00",
            "to": "2026-11-20T23:00:00+00:00",
            "releasedAt": None,
            "releasedBy": None,
            "releaseReason": None,
            "effect": {"held": 0, "possiblyHeld": 0, "purged": 0, "examples": []},
            "unmatchedIds": ["a", "b"],
            "warning": ended.err.removeprefix("warning: ").strip(),
        }

    def test_a_hold_that_matches_nothing_warns(self, command: Command, archived: Archive) -> None:
        """On standard error, with the ids that match nothing; it holds all the same, and the exit code stays 0."""
        known, agent = all_rows(archived)[0].interaction_id, "--agent=nobody"
        nothing = command("create", *WHY, agent)
        assert (nothing.code, len(find(archived))) == (0, 1)
        assert "warning: this hold matches no recording that is in the archive now" in nothing.err
        some = command("create", *WHY, "--id", f"{known}, typo-1\n'typo-2'")
        assert "  held now: 1" in some.out.splitlines()
        assert "warning: 2 of 3 ids match nothing: typo-1, typo-2" in some.err
        change(archived, known, state=State.PURGED)
        assert "and 1 that match were deleted before" in command("create", *WHY, "--id", known).err
        assert command("create", *WHY, "--from", "2026-11-20").err == ""
        empty = command("create", *WHY, "--id", ' "" ', agent)
        assert (empty.code, "is empty" in empty.err) == (2, True)

    def test_create_says_what_it_matches(self, command: Command, archived: Archive) -> None:
        """Counts and examples stand in lines; the same in JSON."""
        ended = command("create", *WHY, "--from", "2026-11-20T00:00:00Z")
        (made,) = find(archived)
        lines = ended.out.splitlines()
        assert lines[0] == f"Hold {made.id} holds from now on"
        assert {"  held now: 6", "  possibly held: 0", "  already deleted: 0"} < set(lines)
        assert "  from: 2026-11-20 00:00:00+00:00" in lines
        first = all_rows(archived)[0].interaction_id
        assert f"{first}~{first}~0" in lines[-1]
        found = json.loads(command("create", *WHY, "--id", first, "--json").out)["effect"]
        assert found["held"] == 1
        assert found["examples"] == [{"interactionId": first, "recordingId": first, "part": 0}]

    def test_mistakes_are_told_in_one_line(self, command: Command, archive: Archive) -> None:
        """No criterion, an unreadable date, a missing matter: exit code 2 and no hold."""
        assert "asks for nothing" in command("create", *WHY).err
        assert "--from: 'yesterday' is neither" in command("create", *WHY, "--from", "yesterday").err
        assert "--to: '' is neither" in command("create", *WHY, "--to", "").err
        assert command("create", *WHY, "--id", "a/b").code == 2
        assert command("create", "--reason", "r", "--id", "a").code == 2
        assert find(archive) == []

    def test_list_shows_what_holds(self, command: Command, archive: Archive) -> None:
        """Newest first; released ones with ``--all``, and who released them."""
        old = hold(archive, Criteria(("a", "b", "c", "d"), queues=("Q",), start=NOON))
        later = replace(archive, clock=lambda: NOON + timedelta(hours=1))
        new = create(later, matter="Other", reason="r", criteria=Criteria(agents=("Bo",)), actor="rosa")[0]
        lines = command("list").out.splitlines()
        assert lines[1] == "  hold\tmatter\towner\tsince\twhat"
        assert lines[2].split("\t")[1:3] == ["Other", "rosa"]
        assert lines[3].startswith(f"  {old.id}\tCase 4711\trosa\t2026-11-23 12:00:00+00:00\t")
        assert lines[3].endswith("interaction ids a or b or c and 1 more; queues Q; from 2026-11-23 12:00:00+00:00")
        release(archive, new.id, reason="r", actor="max")
        assert [each["id"] for each in json.loads(command("list", "--json").out)] == [old.id]
        assert [each["id"] for each in json.loads(command("list", "--all", "--json").out)] == [new.id, old.id]
        assert command("list", "--all").out.splitlines()[2].endswith("\tmax")

    def test_release_ends_it_once(self, command: Command, archive: Archive) -> None:
        """The second time, and for an unknown one, exit code 2 and why."""
        made = hold(archive)
        assert command("release", made.id, "--reason", "settled") == Output(0, f"released: {made.id} (Case 4711)\n", "")
        assert read(archive, made.id).released_by == basics.user()
        again = command("release", made.id, "--reason", "settled")
        assert again.code == 2
        assert "was released already" in again.err
        assert "hold list --all" in command("release", "H-1", "--reason", "r").err
        other = json.loads(command("release", hold(archive).id, "--reason", "settled", "--json").out)
        assert other["releaseReason"] == "settled"

    def test_every_option_is_documented(self) -> None:
        """docs/commands.md has a section for each of the three, with its options."""
        whole: Any = typer.main.get_command(app.app)
        text = COMMANDS.read_text()
        for name, one in whole.commands["hold"].commands.items():
            section = re.search(rf"^## `hold {name}`.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
            assert section, name
            for parameter in one.params:
                shown = parameter.opts[0] if parameter.opts[0].startswith("--") else parameter.metavar
                assert f"`{shown}" in section[0], f"{name}: {shown}"
