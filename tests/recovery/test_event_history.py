"""The history in events: the newest event on a recording counts."""

from __future__ import annotations

from datetime import timedelta

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import recordings
from recording_archive.ledger.sealing import seal
from recording_archive.model import PartId
from support.rebuilding import (
    NIGHT,
    at,
    change_with_event,
    dump,
    first_part,
    lose_catalog,
    rebuild,
)


def test_the_last_word_on_a_recording_counts(archived: Archive) -> None:
    """Quarantined, restored and verified follow the order of the ledger, whatever the clock said at the time."""
    parts = [PartId(row["interaction_id"], row["recording_id"], 0) for row in dump(archived.catalog, recordings)]
    behind, ahead = at(archived, NIGHT - timedelta(days=3650)), at(archived, NIGHT + timedelta(days=3650))
    quarantine = {"state": "quarantined", "quarantined_at": ahead.clock()}
    until = {"restoredUntil": NIGHT.isoformat()}
    back = {"state": "archived", "quarantined_at": None}
    for part in parts[:3]:
        change_with_event(ahead, "quarantined", part, **quarantine)
    change_with_event(behind, "restored", parts[0], until, **back, deletion=until)
    seal(archived)
    change_with_event(behind, "restored", parts[1], **back)
    change_with_event(ahead, "verified", parts[3], {"ok": False}, verified_at=ahead.clock(), verified_ok=False)
    change_with_event(behind, "verified", parts[4], {"ok": False}, verified_at=behind.clock(), verified_ok=False)
    change_with_event(behind, "verified", parts[4], {"ok": True}, verified_at=behind.clock(), verified_ok=True)
    seal(archived)
    before = dump(archived.catalog, recordings)
    archived.catalog.close()
    lose_catalog(archived.settings)
    rebuild(archived.settings)
    assert dump(Catalog(archived.settings.catalog), recordings) == before


def test_a_catalog_from_a_backup_learns_what_became_of_its_recordings(archived: Archive) -> None:
    """A quarantine that only the ledger knows is one again; what the catalog did since is the last word."""
    part = first_part(archived)
    archived.catalog.close()
    file = archived.settings.root.parent / "catalog.db"
    backup = file.read_bytes()
    reopened = at(open_archive(archived.settings), NIGHT)
    change_with_event(reopened, "quarantined", part, state="quarantined", quarantined_at=NIGHT)
    seal(reopened)
    before = dump(reopened.catalog, recordings)
    reopened.catalog.close()
    for since in (False, True):
        lose_catalog(archived.settings)
        file.write_bytes(backup)
        old = open_archive(archived.settings)
        if since:
            change_with_event(old, "restored", part, state="archived", quarantined_at=None)
        old.catalog.close()
        assert rebuild(archived.settings)["ledger", "added"] == 1
        expected = {True: "archived", False: "quarantined"}[since]
        rows = dump(Catalog(archived.settings.catalog), recordings)
        assert [row["state"] for row in rows if row["interaction_id"] == part.interaction_id] == [expected]
        assert since or rows == before
