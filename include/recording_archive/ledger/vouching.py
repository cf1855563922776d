"""The end of a run: seal what happened, and let those outside know the head and vouch for it."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.ledger import sealing
from recording_archive.ledger.stamping import stamp_newest
from recording_archive.ledger.witness import tell_witness


def seal_and_vouch(archive: Archive) -> str | None:
    """Seal the ledger, tell the witness, and have the head stamped; return it, None when it could not be sealed.

    None of this stops a run: the log says what went wrong, and the next run makes it good.
    """
    head = sealing.seal_for_report(archive)
    if head:
        tell_witness(archive)
        stamp_newest(archive)
    return head
