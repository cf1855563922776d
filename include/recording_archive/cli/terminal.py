"""Output of commands: tables and progress on a terminal, plain lines elsewhere, JSON for programs.

Text of the source (names, error messages) may hold anything, so nothing unprintable reaches the terminal.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress


def say(text: str, *, to_stderr: bool = False) -> None:
    """Print one line."""
    typer.echo(printable(text), err=to_stderr)


def document(value: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


def facts(title: str, pairs: Mapping[str, Any]) -> None:
    """Print names and values; values that are None are left out."""
    rows = [(name, value) for name, value in pairs.items() if value is not None]
    if sys.stdout.isatty():
        table(title, ("", ""), rows)
        return
    say(title)
    for name, value in rows:
        say(f"  {name}: {_cell(value)}")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; elsewhere than on a terminal its title, then its head and each row as a line of tabbed cells."""
    if not sys.stdout.isatty():
        say(title)
        for row in chain([columns] if any(columns) else [], rows):
            typer.echo("  " + "\t".join(map(_cell, row)))
        return
    from rich.console import Console  # noqa: PLC0415 - rich costs a tenth of a second
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(title=printable(title), title_justify="left", show_header=any(columns))
    for name in columns:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    Console().print(shown)


def is_narrow(columns: int) -> bool:
    """Tell if standard output is a terminal of less than so many columns."""
    return sys.stdout.isatty() and shutil.get_terminal_size().columns < columns


class Bar:
    """A bar on a terminal's standard error; called, it moves on. Elsewhere it shows nothing."""

    def __init__(self, shown: Progress | None = None, what: str = "", total: int | None = None) -> None:
        self._shown = shown
        self._task = shown.add_task(what, total=total) if shown else None

    def __call__(self, by: int = 1) -> None:
        """Move on."""
        if self._shown and self._task is not None:
            self._shown.advance(self._task, by)

    def expect(self, total: int) -> None:
        """Say where it ends, as soon as that is known."""
        if self._shown and self._task is not None:
            self._shown.update(self._task, total=total)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Bar]:
    """Show a bar while the block runs; without ``total`` it counts."""
    if not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console  # noqa: PLC0415 - rich costs a tenth of a second
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Lines printed meanwhile are moved above the bar, but not when they go to a pipe and must not leave it.
    moved = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=moved) as shown:
        yield Bar(shown, what, total)


def size(count: int) -> str:
    """Bytes in decimal units, as the page shows them; with a sign where they are less than nothing."""
    from recording_archive.web.wording import formats  # noqa: PLC0415 - as above

    return f"-{formats.size(-count)}" if count < 0 else formats.size(count)


def printable(text: str) -> str:
    """Text in one line that cannot steer a terminal."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "�" for c in text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_cell(inner)}" for name, inner in value.items())
    return printable(str(value))
