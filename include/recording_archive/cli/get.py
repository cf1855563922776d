"""`recording-archive get`: fetch the audio of a recording, compared with what was archived."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from recording_archive.cli import terminal
from recording_archive.cli.basics import opened_archive, user, whole_file
from recording_archive.errors import FixityError, PermanentError
from recording_archive.model import State

if TYPE_CHECKING:
    from sqlalchemy import Row

    from recording_archive.archive import Archive

# ruff: noqa: PLC0415 - `recording-archive --help` must not wait for SQLAlchemy, let alone for Airflow

_PIECE = 1 << 20
_NAMED = 20  # recordings that a message names


def get(
    id: Annotated[str, typer.Argument(metavar="ID", help="Interaction or recording.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; - for standard output. Named by id else.")
    ] = None,
    part: Annotated[int | None, typer.Option(help="Only this part, counted from 0.")] = None,
    stored: Annotated[bool, typer.Option("--stored", help="The .gz as it is stored, not the audio in it.")] = False,
) -> None:
    """Write the audio of a recording into a file.

    Every byte is compared with what was archived before the file gets its name. What is in quarantine, deleted or
    known to be damaged is refused. Who fetched it is an event of the recording.
    """
    with opened_archive() as archive:
        row = _one(archive, id, part)
        target = out or Path(_name(row, stored=stored))
        if target == Path("-"):
            _copy(archive, row, sys.stdout.buffer, stored=stored)
            sys.stdout.flush()
            return
        with whole_file(target) as file:
            _copy(archive, row, file, stored=stored)
    terminal.say(f"{target}: {terminal.size(row.stored_bytes if stored else row.size_bytes)}, unaltered")


def _one(archive: Archive, given: str, part: int | None) -> Row[Any]:
    """The one recording that an id names; raises PermanentError that says why there is none, or which there are.

    An id is that of an interaction or a recording, or ``interaction~recording~part`` as the other commands print it.
    """
    from sqlalchemy import or_, select

    from recording_archive.catalog.rows import has_id, part_key, part_of
    from recording_archive.catalog.tables import recordings

    interaction, recording, number = (*given.split("~"), "", "")[:3]
    columns = (recordings.c.interaction_id, recordings.c.recording_id)
    found = select(recordings).where(or_(*(has_id(column, [interaction]) for column in columns)))
    if recording:
        found = found.where(has_id(recordings.c.recording_id, [recording]))
    if part is not None or number.isdecimal():
        found = found.where(recordings.c.part == (int(number) if part is None else part))
    with archive.catalog.read() as connection:
        rows = connection.execute(found.order_by(*part_key(recordings)).limit(_NAMED + 1)).all()
    if not rows:
        raise PermanentError(
            f"{given} is not in the archive: `recording-archive show {interaction}` says what is known"
        )
    if len(rows) > 1:
        names = ", ".join(str(part_of(row)) for row in rows[:_NAMED])
        raise PermanentError(f"{given} has several recordings: name one of {names}")
    return _require_whole(rows[0])


def _require_whole(row: Row[Any]) -> Row[Any]:
    """Raise PermanentError unless the recording may be fetched now."""
    from recording_archive.catalog.rows import part_of

    name = part_of(row)
    if row.state == State.DISCOVERED:
        raise PermanentError(f"{name} is not archived yet: {row.last_error or 'a run may be at work on it'}")
    if row.state == State.QUARANTINED:
        raise PermanentError(f"{name} is in quarantine: `recording-archive restore` takes it out")
    if row.state != State.ARCHIVED:
        raise PermanentError(f"{name} was deleted lawfully: its certificate is {row.certificate}")
    if row.verified_ok is False:
        raise PermanentError(f"{name} is damaged: `recording-archive verify {row.interaction_id}` reads it again")
    return row


def _name(row: Row[Any], *, stored: bool) -> str:
    from recording_archive.catalog.rows import part_of
    from recording_archive.store.keys import file_name

    name = file_name(part_of(row), row.key)
    return name if stored else name.removesuffix(".gz")


def _copy(archive: Archive, row: Row[Any], sink: BinaryIO, *, stored: bool) -> None:
    """Write every byte, once the event is written; raises FixityError when they are not those that were archived."""
    from recording_archive.catalog.events import record
    from recording_archive.catalog.rows import part_of

    expected = row.stored_sha256 if stored else row.sha256
    noted = {"stored_sha256": expected} if stored else {"sha256": expected}
    with archive.catalog.write() as connection:
        record(connection, "downloaded", part_of(row), at=archive.clock(), actor=user(), detail=noted)
    tally = hashlib.sha256()
    with terminal.progress("Reading", row.stored_bytes if stored else row.size_bytes) as advance:
        for piece in _pieces(archive, row, stored=stored):
            tally.update(piece)
            sink.write(piece)
            advance(len(piece))
    sink.flush()
    if (found := tally.hexdigest()) != expected:
        remedy = f"`recording-archive verify {row.interaction_id}` reads it again"
        raise FixityError(f"{row.key} is damaged: {remedy}", expected=expected, found=found)


def _pieces(archive: Archive, row: Row[Any], *, stored: bool) -> Iterator[bytes]:
    from recording_archive.store import bgzf

    with archive.store.open(row.key) as file:
        if stored:
            yield from iter(lambda: file.read(_PIECE), b"")
        else:
            yield from bgzf.media_range(file, 0, row.size_bytes, name=row.key)
