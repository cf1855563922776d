"""The locks of what one hold names, at once after it was made or released; `verify_archive` does what is left."""

from __future__ import annotations

import logging
from typing import Any

from recording_archive.archive import Archive
from recording_archive.errors import ArchiveError
from recording_archive.holds import Hold
from recording_archive.ledger.sealing import seal
from recording_archive.locks.reconcile import Followed, follow

log = logging.getLogger(__name__)


def follow_hold(archive: Archive, hold: Hold, *, most: int | None = None) -> dict[str, Any] | None:
    """Set or clear the legal holds in the bucket, for ``most`` recordings at most; None where nothing is locked.

    The hold is made or released already, whatever becomes of this: an error is told among the problems.
    """
    if not archive.store.locks():
        return None
    try:
        found = follow(archive, hold=hold, most=most).to_json()
        seal(archive)
    except ArchiveError as error:
        log.warning("the locks of hold %s are behind: %s", hold.id, error)
        return Followed(named=[str(error)]).to_json()
    return found
