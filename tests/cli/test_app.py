"""The command line as a whole: help, tables, signals, and that docs/commands.md has all of it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer

from genesys_sandbox import SandboxOptions
from recording_archive.cli import app
from recording_archive.settings import Settings
from support.commands import Command

COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"


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

    def test_the_version_is_that_of_the_package(self, command: Command) -> None:
        """`--version` needs no archive, and prints one line."""
        ended = command("--version")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == f"recording-archive {metadata.version('recording-archive')}\n"

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

    @pytest.mark.parametrize("document", ["compliance.md", "evidence.md", "retention.md"])
    def test_commands_that_documents_name_exist(self, document: str) -> None:
        """Each with the options that stand behind it, in text as in examples."""
        named = re.findall(r"recording-archive ((?:[a-z-]+ ?)+)([^`\n#]*)", (COMMANDS.parent / document).read_text())
        assert named
        for words, rest in named:
            one: Any = typer.main.get_command(app.app)
            for word in words.split():
                if not hasattr(one, "commands"):
                    break
                assert word in one.commands, f"recording-archive {words}"
                one = one.commands[word]
            options = {name for parameter in one.params for name in (*parameter.opts, *parameter.secondary_opts)}
            assert {*re.findall(r"(?<!\S)-{1,2}[a-z][a-z-]*", rest)} <= options, f"recording-archive {words}{rest}"


def _read_all(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux ends a pseudo-terminal
        return b""
