"""A witness: a second place that keeps every head, write-once, where the archive's keeper has no say.

`{archive}/000000000042.head` holds one line, the statement that signatures sign as well. The heads come from the
catalog, so a ledger that was rewritten in its folder does not get there; and none that is there is ever replaced.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import segments
from recording_archive.errors import ArchiveError, FixityError, StoreError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.stamping import lag
from recording_archive.ledger.vouched import WITNESSED, note_vouched
from recording_archive.ledger.witness_heads import head_key, newest_kept
from recording_archive.store.base import Store
from recording_archive.store.locate import witness_at

log = logging.getLogger(__name__)


def tell_witness(archive: Archive) -> None:
    """Bring the witness every head that it lacks; what goes wrong the log says, and the next run brings them."""
    try:
        if witness := witness_at(archive.settings):
            _bring(archive, witness)
    except ArchiveError:
        log.exception("The witness of the ledger could not be told; the next run tries again")


def describe_witness(archive: Archive) -> str:
    """Say up to which segment the witness keeps heads; raise an ArchiveError when it cannot be reached or differs."""
    witness = witness_at(archive.settings)
    if witness is None:
        return "warning: no witness keeps the ledger's heads: set RECORDING_ARCHIVE_WITNESS_URL"
    _require_folder(witness)
    reached = witness.probe()
    newest = newest_kept(witness, archive.id)
    if newest:
        _require_same(witness, archive, newest)
    return f"{reached}; {lag(archive, 'kept', newest)}"


def _bring(archive: Archive, witness: Store) -> None:
    _require_folder(witness)
    newest = newest_kept(witness, archive.id)
    if newest:
        _require_same(witness, archive, newest)
    for head in _heads(archive, newest):
        key = head_key(archive.id, head.segment)
        if not witness.put(key, chain.statement(archive.id, head)):  # somebody else was faster
            _require_same(witness, archive, head.segment)
        newest = head.segment
    note_vouched(archive, WITNESSED, newest)


def _require_same(witness: Store, archive: Archive, number: int) -> None:
    """Raise FixityError when the witness keeps another head than the catalog has: one of them was rewritten."""
    kept = witness.read(head_key(archive.id, number)).decode(errors="replace").strip()
    head = next(_heads(archive, number - 1, most=1), None)
    due = chain.statement(archive.id, head).decode().strip() if head else "no such segment"
    if kept != due:
        what = f"{head_key(archive.id, number)} in the witness {witness}: the ledger or the catalog was rewritten"
        raise FixityError(what, expected=_digest(due), found=_digest(kept))


def _digest(statement: str) -> str:
    return re.split(r"[ :]", statement)[-1]


def _heads(archive: Archive, after: int, most: int | None = None) -> Iterator[Head]:
    query = select(segments.c.number, segments.c.sha256).where(segments.c.number > after)
    with archive.catalog.read() as connection:
        rows = connection.execute(query.order_by(segments.c.number).limit(most)).all()
    return (Head(row.number, row.sha256) for row in rows)


def _require_folder(witness: Store) -> None:
    """Refuse a folder that is not there: a share that is not mounted would be written beside its place."""
    root = getattr(witness, "root", None)
    if root is not None and not root.is_dir():
        raise StoreError(f"the witness {witness} is not there: is it mounted? Else make the folder once, by hand")
