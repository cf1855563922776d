"""The help pages, as a person reads them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from recording_archive.cli import app
from recording_archive.cli.help import HEADINGS
from support.commands import Command


def test_every_command_stands_under_a_heading(command: Command) -> None:
    """Each once, with a whole sentence; a new command is put under one of them."""
    shown = command("--help").out
    whole: Any = typer.main.get_command(app.app)
    assert sorted(name for names in HEADINGS.values() for name in names) == sorted(whole.commands)
    sections = dict(re.findall(r"^(\w+):\n((?:  .*\n)+)", shown, re.MULTILINE))
    assert {name: re.findall(r"^  (\S+)", text, re.MULTILINE) for name, text in sections.items()} == {
        "Options": ["--version", "--help"],
        **{heading: list(names) for heading, names in HEADINGS.items()},
    }
    assert "..." not in shown.partition("Begin:")[2]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("hold create", "--from DATE"),
        ("hold create", "--id ID"),
        ("hold create", "--agent TEXT"),
        ("retention forecast", "--policy FILE"),
        ("retention forecast", "--months COUNT"),
        ("demo", "--home FOLDER"),
    ],
)
def test_values_are_named_by_words(command: Command, words: str, value: str) -> None:
    """What Python calls a value, a person need not know."""
    shown = command(*words.split(), "--help").out
    assert f"{value} " in shown
    assert not re.search(r"<\w|str\b|\bint\b|list\[", shown)


def test_an_argument_is_named_once(command: Command) -> None:
    """`ID` says it; the usage line tells whether it may be left out."""
    shown = command("show", "--help").out
    assert re.search(r"^  ID  ", shown, re.MULTILINE)


def test_a_group_lists_its_own_commands(command: Command) -> None:
    """Without headings: there are few, and some have a name that another has at the top."""
    shown = command("retention", "--help").out
    assert re.findall(r"^  (\w+)  ", shown.partition("Commands:")[2], re.MULTILINE) == ["show", "adopt", "forecast"]
