"""`recording-archive keys`: the keys that sign the ledger's heads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import Json, opened_archive, user

if TYPE_CHECKING:
    from recording_archive.ledger.signing_key import KnownKey

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

app = typer.Typer(help="Make, rotate and list the keys that sign the ledger.", no_args_is_help=True)


@app.command()
def create(json: Json = False) -> None:
    """Make the first signing key, in the file of the settings; its public half goes into the archive.

    A file that is there already is taken up: any Ed25519 key in PEM without password will do.
    """
    from recording_archive.ledger.key_making import create_key

    with opened_archive() as archive:
        _say(create_key(archive, actor=user()), json=json)


@app.command()
def rotate(
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the new key there, and leave the old file as it is.")
    ] = None,
    json: Json = False,
) -> None:
    """Make another signing key, for which the one in force vouches.

    It takes the old one's file, and that one is kept beside it. With --to the settings must name FILE from then on.
    """
    from recording_archive.ledger.key_making import rotate_key

    with opened_archive() as archive:
        _say(rotate_key(archive, actor=user(), to=to and to.expanduser().absolute()), json=json)


@app.command(name="list")
def list_keys(json: Json = False) -> None:
    """List the archive's keys, in the order in which they followed each other."""
    from recording_archive.ledger.signatures import signing_key
    from recording_archive.ledger.signing_key import known_keys

    with opened_archive() as archive:
        keys = list(known_keys(archive.store).values())
        mine = signing_key(archive.settings)
    signs = mine.public.name if mine else None
    if json:
        terminal.document([_to_json(key) | {"signs": key.name == signs} for key in keys])
        return
    rows = [
        (key.name, key.public.fingerprint, key.created_at, key.created_by, key.follows, "signs" * (key.name == signs))
        for key in keys
    ]
    terminal.table("Keys", ("key", "fingerprint", "created", "by", "follows", ""), rows)


def _say(key: KnownKey, *, json: bool) -> None:
    if json:
        terminal.document(_to_json(key))
        return
    terminal.facts(f"Key {key.name}", {name: value for name, value in _to_json(key).items() if name != "keyId"})
    terminal.say("Keep the fingerprint, and a copy of the private key, out of reach of who can write the archive.")


def _to_json(key: KnownKey) -> dict[str, Any]:
    return {
        "keyId": key.name,
        "fingerprint": key.public.fingerprint,
        "createdAt": key.created_at,
        "createdBy": key.created_by,
        "follows": key.follows,
    }
