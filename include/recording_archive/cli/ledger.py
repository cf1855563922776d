"""`recording-archive verify-ledger`: prove the archive's history by its folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, exit_bad_if, opened_archive
from recording_archive.errors import ConfigurationError

if TYPE_CHECKING:
    from recording_archive.ledger.flaw import Flaw
    from recording_archive.ledger.proof import Proof
    from recording_archive.store.base import Store

# ruff: noqa: PLC0415 - settings are read only where no root is named

_SHOWN = 1000  # flaws of each kind that are listed; the others are counted


def verify_ledger(  # noqa: PLR0917 - options, which are given by name
    root: Annotated[
        str | None,
        typer.Argument(metavar="ROOT", help="Folder or s3:// of the archive; default: the settings."),
    ] = None,
    head: Annotated[
        str | None, typer.Option(metavar="H", help="A head kept elsewhere, which the ledger must have.")
    ] = None,
    objects: Annotated[bool, typer.Option("--objects", help="Read every object too, to its last byte.")] = False,
    catalog: Annotated[
        bool, typer.Option("--catalog", help="Compare with the catalog of the settings: so a cut end is found.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(metavar="K", help="A public key kept elsewhere, a file or a fingerprint, which must have signed."),
    ] = None,
    tsa_ca: Annotated[
        str | None,
        typer.Option("--tsa-ca", metavar="F", help="PEM file of trusted time-stamp authorities, one of which stamped."),
    ] = None,
    witness: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Folder or s3:// that keeps heads, all of which the ledger must have."),
    ] = None,
    json: Json = False,
) -> None:
    """Check the ledger and every document by the archive's folder alone.

    Needs no catalog and no settings. Exit code 1 when something was tampered with; the place is named.
    """
    from datetime import UTC, datetime

    from recording_archive.ledger.proof import Proof
    from recording_archive.ledger.proof_signatures import SignatureProof
    from recording_archive.ledger.proof_stamps import StampProof
    from recording_archive.ledger.witness_heads import WitnessProof

    store = _store(root)
    proof = Proof(
        store,
        now=datetime.now(UTC),
        expected=head,
        read_objects=objects,
        signatures=SignatureProof(key),
        stamps=StampProof(tsa_ca),
        witness=WitnessProof(_store(witness) if witness else None),
    )
    listed: dict[bool, list[Flaw]] = {True: [], False: []}
    counts = {True: 0, False: 0}
    with terminal.progress("proving") as bar:
        for flaw in chain(proof.flaws(bar, bar.expect), _by_catalog(store) if catalog else ()):
            counts[flaw.tampered] += 1
            if counts[flaw.tampered] <= _SHOWN:
                listed[flaw.tampered].append(flaw)
                if not json:
                    terminal.say(f"{'tampered' if flaw.tampered else 'warning'}: {flaw.place}: {flaw.problem}")
    unread = list(_not_checked(proof, end=bool(head or catalog or witness), key=bool(key), authority=bool(tsa_ca)))
    if json:
        terminal.document(_document(proof, listed, counts, unread))
    else:
        _say_totals(proof, counts, unread)
    exit_bad_if(counts[True] > 0)


def _by_catalog(store: Store) -> Iterator[Flaw]:
    """Name the segments that the catalog knows and the archive has not, or not so."""
    from dataclasses import replace

    from recording_archive.ledger.flaw import Flaw
    from recording_archive.ledger.segments import lost_segments

    with opened_archive() as archive:
        if (here := store.required_identity()) != archive.id:
            raise ConfigurationError(f"the catalog is of archive {archive.id}, and {store} is archive {here}")
        yield from (Flaw(key, problem) for key, problem in lost_segments(replace(archive, store=store)))


def _not_checked(proof: Proof, *, end: bool, key: bool, authority: bool) -> Iterator[str]:
    """Tell what this proof did not look at, and what does."""
    if proof.objects and not proof.read_objects:
        yield f"the bytes of {proof.objects} objects (--objects)"
    if not key:
        signed = "whose key signed the heads" if proof.signatures.newest else "signatures: there are none"
        yield f"{signed} (--key)"
    if not authority:
        stamped = "who stamped the heads" if proof.stamps.newest else "time stamps: there are none"
        yield f"{stamped} (--tsa-ca)"
    if not end:
        yield "whether the newest segments were cut off (--catalog, --head, --witness)"


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


def _document(
    proof: Proof, listed: dict[bool, list[Flaw]], counts: dict[bool, int], unread: list[str]
) -> dict[str, Any]:
    problems = {
        tampered: [{"place": flaw.place, "problem": flaw.problem} for flaw in listed[tampered]] for tampered in listed
    }
    return {
        "intact": not counts[True],
        "head": str(proof.head) if proof.head else None,
        "segments": proof.segments,
        "events": proof.events,
        "documents": proof.documents,
        "signed": str(proof.signatures.newest) if proof.signatures.newest else None,
        "signedBy": proof.signatures.by,
        "stamped": str(proof.stamps.newest) if proof.stamps.newest else None,
        "stampedAt": proof.stamps.at.isoformat() if proof.stamps.at else None,
        "witnessed": str(proof.witness.newest) if proof.witness.newest else None,
        "objects": proof.objects,
        "objectsRead": proof.read_objects,
        "bytesRead": proof.bytes_read,
        "notChecked": unread,
        "tamperedCount": counts[True],
        "warningCount": counts[False],
        "tampered": problems[True],
        "warnings": problems[False],
    }


def _say_totals(proof: Proof, counts: dict[bool, int], unread: list[str]) -> None:
    for tampered, name in ((True, "places tampered with"), (False, "warnings")):
        if counts[tampered] > _SHOWN:
            terminal.say(f"… and {counts[tampered] - _SHOWN} more {name}")
    verdict = f"tampered with in {counts[True]} places" if counts[True] else "intact"
    read = f"{proof.segments} segments, {proof.events} events, {proof.documents} documents"
    read += f", {proof.objects} objects" + (f" of {proof.bytes_read} bytes" if proof.read_objects else "")
    terminal.say(f"{verdict}: {read}; {counts[False]} documents not sealed yet")
    if proof.head:
        terminal.say(f"head {proof.head}")
    if proof.signatures.newest:
        terminal.say(f"signed {proof.signatures.newest} by key {proof.signatures.by}")
    if proof.stamps.newest and proof.stamps.at:
        terminal.say(f"stamped {proof.stamps.newest} at {proof.stamps.at.isoformat()}")
    if proof.witness.newest:
        terminal.say(f"witnessed {proof.witness.newest}")
    terminal.say(f"not checked: {'; '.join(unread) or 'nothing'}")
