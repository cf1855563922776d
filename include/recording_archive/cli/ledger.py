"""`recording-archive verify-ledger`: prove the archive's history by its folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, exit_bad_if

if TYPE_CHECKING:
    from recording_archive.ledger.proof import Flaw, Proof
    from recording_archive.store.base import Store

# ruff: noqa: PLC0415 - settings are read only where no root is named

_SHOWN = 1000  # flaws of each kind that are listed; the others are counted


def verify_ledger(
    root: Annotated[
        str | None,
        typer.Argument(metavar="ROOT", help="Folder or s3:// of the archive; default: the settings."),
    ] = None,
    head: Annotated[
        str | None, typer.Option(metavar="H", help="A head kept elsewhere, which the ledger must have.")
    ] = None,
    json: Json = False,
) -> None:
    """Check the ledger and every document by the archive's folder alone.

    Needs no catalog and no settings. Exit code 1 when something was tampered with; the place is named.
    """
    from datetime import UTC, datetime

    from recording_archive.ledger.proof import Proof

    proof = Proof(_store(root), now=datetime.now(UTC), expected=head)
    listed: dict[bool, list[Flaw]] = {True: [], False: []}
    counts = {True: 0, False: 0}
    with terminal.progress("proving") as advance:
        for flaw in proof.flaws(advance):
            counts[flaw.tampered] += 1
            if counts[flaw.tampered] <= _SHOWN:
                listed[flaw.tampered].append(flaw)
                if not json:
                    terminal.say(f"{'tampered' if flaw.tampered else 'warning'}: {flaw.place}: {flaw.problem}")
    if json:
        terminal.document(_document(proof, listed, counts))
    else:
        _say_totals(proof, counts)
    exit_bad_if(counts[True] > 0)


def _store(root: str | None) -> Store:
    """The archive at a folder or bucket, without any setting; else the one of the settings."""
    if root is None:
        from recording_archive.settings import read_settings
        from recording_archive.store.locate import store_at

        return store_at(read_settings())
    if root.startswith("s3://"):
        from recording_archive.store.s3 import S3Store, client_from_environment

        bucket, _, prefix = root.removeprefix("s3://").partition("/")
        return S3Store(client_from_environment(), bucket, prefix)
    from recording_archive.store.local import LocalStore

    return LocalStore(Path(root).expanduser().absolute())


def _document(proof: Proof, listed: dict[bool, list[Flaw]], counts: dict[bool, int]) -> dict[str, Any]:
    told = {
        tampered: [{"place": flaw.place, "problem": flaw.problem} for flaw in listed[tampered]] for tampered in listed
    }
    return {
        "intact": not counts[True],
        "head": str(proof.head) if proof.head else None,
        "segments": proof.segments,
        "events": proof.events,
        "documents": proof.documents,
        "tamperedCount": counts[True],
        "warningCount": counts[False],
        "tampered": told[True],
        "warnings": told[False],
    }


def _say_totals(proof: Proof, counts: dict[bool, int]) -> None:
    for tampered, name in ((True, "places tampered with"), (False, "warnings")):
        if counts[tampered] > _SHOWN:
            terminal.say(f"… and {counts[tampered] - _SHOWN} more {name}")
    verdict = f"tampered with in {counts[True]} places" if counts[True] else "intact"
    read = f"{proof.segments} segments, {proof.events} events, {proof.documents} documents"
    terminal.say(f"{verdict}: {read}; {counts[False]} documents not sealed yet")
    if proof.head:
        terminal.say(f"head {proof.head}")
