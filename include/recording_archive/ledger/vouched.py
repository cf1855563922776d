"""Progress of those who vouch for the ledger, as the catalog has it: read at once, however large the archive is.

The marks beside the segments are the truth, and `check` reads those. A rebuilt catalog learns it at the end of the next
run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.rows import insert_missing
from recording_archive.catalog.tables import segments, vouched
from recording_archive.settings import Settings

SIGNED, STAMPED, WITNESSED = "signed", "stamped", "witnessed"


@dataclass(frozen=True, slots=True)
class Vouched:
    """The newest segment that was signed, stamped or witnessed (0: none), how many wait, and since when.

    ``asked_for`` says that the settings want it at all.
    """

    kind: str
    asked_for: bool
    segment: int
    waiting: int
    since: datetime | None


def note_vouched(archive: Archive, kind: str, number: int) -> None:
    """Note that the head of a segment, and so all before it, was signed, stamped or witnessed."""
    at = archive.clock()
    older = (vouched.c.kind == kind, vouched.c.segment < number)
    with archive.catalog.write() as connection:
        insert_missing(connection, vouched, [{"kind": kind, "segment": number, "at": at}])
        connection.execute(update(vouched).where(*older).values(segment=number, at=at))


def read_vouched(connection: Connection, settings: Settings) -> Iterator[Vouched]:
    """Tell of each kind how far it is."""
    wanted = {SIGNED: settings.signing_key_file, STAMPED: settings.tsa_urls, WITNESSED: settings.witness_url}
    known = {row.kind: row.segment for row in connection.execute(select(vouched))}
    for kind, setting in wanted.items():
        newest = known.get(kind, 0)
        later = select(func.count(), func.min(segments.c.sealed_at)).where(segments.c.number > newest)
        waiting, since = connection.execute(later).one()
        yield Vouched(kind, bool(setting), newest, waiting, since)
