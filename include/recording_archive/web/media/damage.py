"""Damaged recordings: refused where the damage is known, and found out while their bytes are sent.

Nothing is handed out that is known to be bad. What turns out bad on the way is read again before it is called so, as
`verify_archive` does; then the catalog has the verdict with its event, and the next request is refused at once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Row, select

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.rows import is_part, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.errors import FixityError, PermanentError, RunError, TransientError
from recording_archive.fixity.examine import Flaws, examine
from recording_archive.fixity.outlook import why_not_repaired
from recording_archive.fixity.verdict import note_verdict
from recording_archive.web.media.ranges import ByteSpan
from recording_archive.web.media.streams import Pieces
from recording_archive.web.problem import Problem

log = logging.getLogger(__name__)

_SOON_S, _NEXT_RUN_S = 5, 3600
_SAME = ("state", "deleting_at", "sha256", "stored_sha256", "sidecar_sha256")


def is_damaged(row: Row[Any]) -> bool:
    """Tell if the last reading of a stored recording found it bad."""
    return row.verified_ok is False


def damaged(archive: Archive, row: Row[Any]) -> Problem:
    """Describe a recording that is known to be bad: 503 while a run may repair it, else 409."""
    bad = "Its last reading found that the stored bytes are not what was archived, so they are not handed out."
    if why := why_not_repaired(archive, part_of(row)):
        remedy = f"It could not be repaired: {why}. Restore the object from a copy of the archive, then run"
        return Problem(409, "Damaged", f"{bad} {remedy} `recording-archive verify {row.interaction_id}`.", repair=why)
    remedy = "The next run of verify_archive tries to repair it; ask again then."
    return Problem(503, "Damaged", f"{bad} {remedy}", headers={"Retry-After": str(_NEXT_RUN_S)}, repair="to be tried")


def require_whole(archive: Archive, row: Row[Any]) -> None:
    """Raise Problem when the stored object is not there or has another size than the catalog says."""
    with reading(archive, row):
        if (size := archive.store.size(row.key)) != row.stored_bytes:
            raise PermanentError(f"{row.key} has {size} bytes, the catalog has {row.stored_bytes}")


@contextmanager
def reading(archive: Archive, row: Row[Any]) -> Iterator[None]:
    """Read bytes of a recording; what goes wrong with it alone is looked into, and becomes the Problem to answer."""
    try:
        yield
    except (RunError, TransientError):
        raise
    except (PermanentError, FixityError) as error:
        log.error("%s: %s", part_of(row), error)  # noqa: TRY400 - the message says it all
        raise _look_into(archive, row) from error


def checked(archive: Archive, row: Row[Any], pieces: Pieces, *, sha256: str, size: int) -> Pieces:
    """Pieces that are compared with ``sha256`` where all ``size`` bytes are asked for, before the last one goes.

    A mismatch raises Problem, which breaks a transfer that has begun. A part of the bytes is sent as it is read.
    """

    def read(span: ByteSpan) -> Iterator[bytes]:
        with reading(archive, row), closing(pieces(span)) as source:  # type: ignore[type-var]  # they are generators
            yield from source if span.length < size else compared(source, row.key, sha256)

    return read


def compared(source: Iterator[bytes], name: str, expected: str) -> Iterator[bytes]:
    """Yield pieces and hash them on the way; raise FixityError before the last one when the hash is another."""
    tally, held = hashlib.sha256(), b""
    for piece in source:
        if held:
            yield held
        tally.update(piece)
        held = piece
    if (found := tally.hexdigest()) != expected:
        raise FixityError(name, expected=expected, found=found)
    yield held


def _look_into(archive: Archive, row: Row[Any]) -> Problem:
    """Read a recording again that could not be sent, and note that it is bad when it is."""
    require_root(archive)
    flaws = examine(archive, row)
    if flaws is None or not _condemn(archive, row, flaws):
        again = "It was not read as it was archived, and now is, or it has changed since: ask again."
        return Problem(503, "Not read well", again, headers={"Retry-After": str(_SOON_S)})
    return damaged(archive, row)


def _condemn(archive: Archive, row: Row[Any], flaws: Flaws) -> bool:
    """Note that a recording is bad, once; False when its row is another by now: repaired, or on its way out."""
    mine = select(recordings).where(is_part(recordings, part_of(row)))
    with archive.catalog.write() as connection:
        now = connection.execute(mine).one()
        same = all(getattr(now, name) == getattr(row, name) for name in _SAME)
        return same and (is_damaged(now) or note_verdict(connection, row, flaws, at=archive.clock()))
