"""`recording-archive retention`: show, adopt and forecast."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from recording_archive.cli import app, basics
from recording_archive.retention.policy_in_force import in_force
from recording_archive.settings import Settings
from support.catalog_rows import archived_row, fill
from support.commands import Command, run_command

DOCS = Path(__file__).parents[2] / "docs"
RULES = b"""name: Bank
defaultDays: 90
rules:
  - name: trading
    days: 2555
    queues: [Trading]
"""
DAY = timedelta(days=1)


def told(archive: Archive) -> list[Any]:
    """The events of adopted policies, oldest first."""
    with archive.catalog.read() as connection:
        query = select(events).where(events.c.kind == "adopted").order_by(events.c.id)
        return list(connection.execute(query))


def documents(archive: Archive) -> dict[str, bytes]:
    """The policies in the archive."""
    return {key: archive.store.read(key) for key in archive.store.list("policies/")}


@pytest.fixture
def command(configured: Settings, capsys: pytest.CaptureFixture[str]) -> Command:  # noqa: ARG001 - in the environment
    """Run ``recording-archive retention …`` in this process."""
    return partial(run_command, capsys, "retention")


class TestCommands:
    """`recording-archive retention show` and `adopt`."""

    def test_adopt_and_show(self, command: Command, archive: Archive, tmp_path: Path) -> None:
        """What was adopted is shown, with its version and where it lies."""
        path = tmp_path / "bank.yaml"
        path.write_bytes(RULES + b"    maximum: true\n    attributes: {agentId: [a, b]}\n")
        lies = str(archive.settings.root / "policies" / "000001.yaml")
        version = sha256(path.read_bytes()).hexdigest()
        assert command("show") == (
            0,
            "Policy default\n  version: default:90\n  lies: RECORDING_ARCHIVE_RETENTION_DAYS\n  default days: 90\n",
            "",
        )
        assert command("adopt", str(path)) == (0, f"adopted: Bank, version {version}, {lies}\n", "")
        assert command("adopt", str(path)) == (0, f"in force already: Bank, version {version}, {lies}\n", "")
        assert command("show")[1].splitlines() == [
            "Policy Bank",
            f"  version: {version}",
            f"  lies: {lies}",
            "  default days: 90",
            "Rules",
            "  rule\tdays\t\trecordings with",
            "  trading\t2555\tmaximum\tqueues: Trading; agentId: a, b",
        ]
        assert told(archive)[0].actor == basics.user()

    def test_json(self, command: Command, archive: Archive, tmp_path: Path) -> None:
        """The same for programs."""
        path = tmp_path / "bank.yaml"
        path.write_bytes(RULES)
        adopted = json.loads(command("adopt", str(path), "--json")[1])
        assert adopted.pop("adopted") is True
        assert json.loads(command("adopt", str(path), "--json")[1])["adopted"] is False
        assert json.loads(command("show", "--json")[1]) == adopted == in_force(archive).to_json()

    def test_a_wrong_file_ends_with_2(self, command: Command, archive: Archive, tmp_path: Path) -> None:
        """One line names file, line and remedy."""
        path = tmp_path / "bank.yaml"
        path.write_bytes(RULES.replace(b"2555", b"'2555'"))
        code, out, err = command("adopt", str(path))
        assert (code, out) == (2, "")
        assert err == f"recording-archive: {path}, line 5: days must be a whole number without quotes, such as 90\n"
        assert command("adopt", str(tmp_path / "none"))[2].endswith(
            "is not a file: name a policy file in YAML or JSON\n"
        )
        assert documents(archive) == {}


class TestForecast:
    """`recording-archive retention forecast`."""

    @pytest.fixture
    def command(self, configured: Settings, capsys: pytest.CaptureFixture[str]) -> Command:  # noqa: ARG002 - in the environment
        """Run ``recording-archive retention forecast …`` in this process."""
        return partial(run_command, capsys, "retention", "forecast")

    def test_it_prints_when_what_expires(self, command: Command, archive: Archive) -> None:
        """By rule; times at which nothing expires are left out, and so is what keeps nothing."""
        long_ago, ahead = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        fill(archive, archived_row(1, long_ago), archived_row(2, long_ago, verified_ok=False), archived_row(3, ahead))
        code, out, err = command()
        lines = out.splitlines()
        assert (code, err) == (0, "")
        assert lines[0].startswith("Policy default (default:90), as of 20")
        assert lines[1:] == [
            "Expires",
            "  when\trule\trecordings\tsize",
            "  at once\tdefault\t1\t2 B",
            "  later\tdefault\t1\t4 B",
            "Besides",
            "  why\trecordings\tsize",
            "  expired, not found intact\t1\t3 B",
            "What has expired goes into quarantine, and is purged after 14 days there",
        ]
        assert json.loads(command("--json", "--months", "3")[1])["inForce"]["due"]["recordings"] == 1

    def test_it_prints_the_difference(self, command: Command, archive: Archive, tmp_path: Path) -> None:
        """Before, after and how much more or less, in numbers and bytes; and what goes at once."""
        days = (datetime.now(UTC) - datetime(2020, 1, 1, tzinfo=UTC)).days
        fill(
            archive, archived_row(1, datetime(2020, 1, 1, tzinfo=UTC)), archived_row(2, datetime.now(UTC) - 3000 * DAY)
        )
        path = tmp_path / "p.yaml"
        path.write_text(f"name: p\ndefaultDays: {days + 200}\nrules:\n- {{name: x, days: 1, queues: [Typo]}}\n")
        code, out, err = command("--policy", str(path), "--months", "1")
        assert (code, err) == (0, "")
        assert [line for line in out.splitlines() if "\t" in line] == [
            "  when\tin force\tproposed\tdifference",
            "  at once\t2\t1\t-1",
            "  later\t0\t1\t1",
            "  when\tin force\tproposed\tdifference",
            "  at once\t5 B\t3 B\t-2 B",
            "  later\t0 B\t2 B\t2 B",
        ]
        assert "At once: 1 recordings, 3 B, of which 0 recordings, 0 B by this policy alone" in out
        assert "Not any more: 1 recordings, 2 B that would go under the policy in force" in out
        assert "Rule x governs nothing" in out

    def test_a_wrong_policy_ends_with_2(self, command: Command, archive: Archive, tmp_path: Path) -> None:
        """One line with the file's line, before anything is counted."""
        assert archive
        path = tmp_path / "p.yaml"
        path.write_text("name: p\ndefaultDays: many\n")
        code, out, err = command("--policy", str(path))
        assert (code, out) == (2, "")
        assert err.startswith(f"recording-archive: {path}, line 2: defaultDays must be a whole number")
        assert command("--months", "0")[0] == 2


def test_every_command_and_option_is_told() -> None:
    """docs/commands.md has each subcommand with its arguments."""
    text = (DOCS / "commands.md").read_text()
    sections = dict(re.findall(r"^## `retention (\S+)`.*?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    whole: Any = typer.main.get_command(app.app)
    commands = whole.commands["retention"].commands
    assert set(sections) == set(commands)
    for name, one in commands.items():
        for parameter in one.params:
            shown = parameter.opts[0] if parameter.opts[0].startswith("--") else parameter.metavar
            assert f"| `{shown}` |" in sections[name], f"{name}: {shown}"
