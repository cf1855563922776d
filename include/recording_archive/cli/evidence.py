"""`recording-archive evidence`: a pack of recordings to hand out, with all that proves them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from recording_archive.cli import query, terminal
from recording_archive.cli.basics import Json, exit_bad_if, opened_archive, user, whole_file

if TYPE_CHECKING:
    from recording_archive.evidence.pack import Pack

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

_Text = str | None


def evidence(  # noqa: PLR0917 - the options of a command
    reason: Annotated[str, typer.Option(help="What it is for; kept for good.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The ZIP to write; it must not be there yet.")],
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Interactions or recordings.")] = None,
    hold: Annotated[_Text, typer.Option(help="All that this legal hold holds, certainly or possibly.")] = None,
    run: Annotated[_Text, typer.Option(help="All that this run archived, or found archived.")] = None,
    start: query.Start = None,
    end: query.End = None,
    agent: query.Agent = None,
    queue: query.Queue = None,
    number: query.Number = None,
    contact: query.Contact = None,
    json: Json = False,
) -> None:
    """Write recordings into a ZIP to hand out, with all that proves them.

    Name them by ids, by a hold, by a run, or by a search (--from and what follows it, of which all must hold). Who gets
    the pack checks it without this software: it says how. What is deleted, in quarantine or damaged is not in it, and
    the pack says why.
    """
    from recording_archive.evidence.pack import plan_pack
    from recording_archive.evidence.request import Asked
    from recording_archive.spelling.ids import split_ids

    wanted = query.Query(start, end, agent, queue, number, contact)
    named = tuple(dict.fromkeys(each for text in ids or () for each in split_ids(text)))
    fields = {"interactionIds": list(named), "holdId": hold, "runId": run, "query": wanted.given}
    with opened_archive() as archive:
        asked = Asked(
            reason,
            ids=named,
            hold=hold,
            run=run,
            filters=wanted.filters(archive) if wanted.given else None,
            given={name: value for name, value in fields.items() if value},
        )
        pack = plan_pack(archive, asked, user())
        with whole_file(out) as file:
            _fill(pack, file)
    _tell(pack, out, json=json)
    exit_bad_if(pack.absent > 0)


def _fill(pack: Pack, file: BinaryIO) -> None:
    done = 0
    with terminal.progress("Packing", len(pack.selection.parts)) as advance:
        for piece in pack.stream():
            file.write(piece)
            for _ in range(pack.included + pack.absent - done):
                advance()
            done = pack.included + pack.absent


def _tell(pack: Pack, out: Path, *, json: bool) -> None:
    answer = {
        "file": str(out),
        "pack": pack.name,
        "calls": pack.included,
        "notIncluded": pack.absent,
        "bytes": pack.size_bytes,
        "fingerprint": pack.fingerprint,
    }
    if json:
        terminal.document(answer)
        return
    terminal.facts(f"{out}: {pack.included} calls", {"fingerprint": pack.fingerprint, "bytes": pack.size_bytes})
    if pack.absent:
        terminal.say(f"{pack.absent} asked for are not in it: data/not-included.csv in the pack says why")
