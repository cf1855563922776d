"""`recording-archive take-up`: answer for a hold, a release or a policy that nobody is known to have made."""

from __future__ import annotations

from typing import Annotated

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, opened_archive, user

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow


def take_up(
    keys: Annotated[list[str], typer.Argument(metavar="KEY", help="Documents, such as holds/H-20261123-7b7380.json.")],
    reason: Annotated[str, typer.Option(help="Why they are right; kept for good.")],
    json: Json = False,
) -> None:
    """Let a foreign document count: a hold, a release or a policy that no event records.

    A crash leaves such a document, or someone put it there: look at it first. `check` and `reindex` name them.
    """
    from recording_archive.recovery.take_up import take_up as answer_for

    with opened_archive() as archive:
        taken = [answer_for(archive, key, reason=reason, actor=user()) for key in keys]
    if json:
        terminal.document([{"filePath": each.key, "takenUp": each.new, "effect": each.effect} for each in taken])
        return
    for each in taken:
        terminal.say(f"{'taken up' if each.new else 'not foreign'}: {each.key}: {each.effect}")
