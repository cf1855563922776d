"""The help pages: commands under headings, and values by what a person types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from typer.core import TyperGroup

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "Begin": ("check", "demo", "sandbox"),
    "Look": ("search", "list", "get", "report", "show", "verify", "verify-ledger", "evidence", "reconcile"),
    "Decide": (
        "hold",
        "retention",
        "access",
        "restore",
        "erase",
        "approve",
        "reject",
        "acknowledge",
        "acknowledge-range",
    ),
    "Mend": ("reindex", "take-up", "keys"),
}
"""Names of the commands in the order of a person's first weeks; what is missing here is listed as *More*."""

_VALUES: Mapping[str, str] = {
    **dict.fromkeys(("from", "to"), "DATE"),
    **dict.fromkeys(("save", "policy", "out"), "FILE"),
    **dict.fromkeys(("home", "media_dir"), "FOLDER"),
    **dict.fromkeys(("port", "sandbox_port"), "PORT"),
    **dict.fromkeys(("id", "recording"), "ID"),
    **dict.fromkeys(("months", "days", "part", "limit"), "COUNT"),
}
_TEXT = "TEXT"


class Group(TyperGroup):
    """A group of commands with help for people."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command; name the values of its options by words, for Python's types tell a person nothing."""
        command: Any = super().get_command(ctx, cmd_name)
        for parameter in command.params if command else ():
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = _nothing  # beside a name such as ID, which says it
            elif not parameter.is_flag and parameter.metavar is None:
                parameter.metavar = _VALUES.get(parameter.opts[0].lstrip("-").replace("-", "_"), _TEXT)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their headings, each with its whole first sentence."""
        for heading, names in self._by_heading(ctx):
            with formatter.section(heading):
                formatter.write_dl([(name, self.get_command(ctx, name).get_short_help_str(500)) for name in names])

    def _by_heading(self, ctx: Any) -> Iterator[tuple[str, list[str]]]:
        left = dict.fromkeys(self.list_commands(ctx))
        for heading, names in HEADINGS.items() if ctx.parent is None else ():
            if found := [name for name in names if name in left]:
                yield heading, found
                left = {name: None for name in left if name not in found}
        if left:
            yield ("Commands" if len(left) == len(self.commands) else "More"), list(left)


def _nothing(*_: Any, **__: Any) -> None:
    return
