"""Deletion: bytes, what lies beside them, locks of a store, and stops."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

from recording_archive.archive import Archive
from recording_archive.disposition.quarantine import purge
from recording_archive.disposition.report import close
from recording_archive.model import State
from recording_archive.store import sidecar
from recording_archive.store.local import LocalStore
from support.contents import files_of, ids, row_of, rows
from support.retention_run import at, check_gone, enforce, hold, plan_approved, planned, quarantined

STOP = threading.Event()


def test_a_waveform_and_rejected_copies_go_too(archived: Archive) -> None:
    """Whatever was made of a recording beside it, or kept of it by a repair, does not outlive it."""
    row = row_of(archived, ids(archived)[0])
    kept = f"rejected/2026-12-01/{row.key}"
    archived.store.put(sidecar.peaks_beside(row.key), b"{}")
    archived.store.put(kept, b"bad bytes")
    enforce(quarantined(archived), "retention__2")
    assert files_of(archived, row.interaction_id) == []
    assert archived.store.size(kept) is None


class TestLocked:
    """Objects that a store holds back until a date."""

    def test_a_locked_object_is_pending_and_goes_when_its_lock_ends(self, archived: Archive) -> None:
        """No certificate before it is gone; a later run finishes it and reports it."""
        soon, victim = quarantined(archived), ids(archived)[0]
        key, until = row_of(archived, victim).key, datetime(2027, 6, 1, tzinfo=UTC)

        class Locked(LocalStore):
            def remove(self, key_: str) -> datetime | None:  # type: ignore[override]
                return until if key_ == key else super().remove(key_)

        locked = replace(soon, store=Locked(archived.settings.root))
        first = enforce(locked, "retention__2")
        assert (first.purged, first.closed.counts["pending"], first.closed.problems) == (5, 1, ())
        assert first.entries[victim]["why"] == "locked until 2027-06-01"
        assert row_of(archived, victim).state == State.QUARANTINED
        assert len(files_of(archived, victim)) == 2
        again = enforce(locked, "retention__3")
        assert (again.purged, again.closed.counts["pending"]) == (0, 1)
        last = enforce(at(soon, until), "retention__4")
        assert (last.purged, last.closed.counts["purged"]) == (1, 1)
        assert last.entries[victim]["why"] == "begun by run retention__2, finished by run retention__4"
        assert planned(archived, "retention__2")[victim].outcome == "done"
        check_gone(archived)

    def test_a_hold_that_comes_while_an_object_is_locked_keeps_it(self, archived: Archive) -> None:
        """The intent may be weeks old by then: it is taken back."""
        soon, victim = quarantined(archived), ids(archived)[0]

        class Locked(LocalStore):
            def remove(self, key: str) -> datetime | None:  # type: ignore[override]
                return datetime(2027, 6, 1, tzinfo=UTC) if victim in key else super().remove(key)

        enforce(replace(soon, store=Locked(archived.settings.root)), "retention__2")
        assert row_of(archived, victim).deleting_at is not None
        hold(soon, victim)
        ended = enforce(at(soon, datetime(2027, 6, 2, tzinfo=UTC)), "retention__3")
        assert ended.purged == 0
        assert len(files_of(archived, victim)) == 2
        assert row_of(archived, victim).deleting_at is None
        assert "held by" in ended.entries[victim]["why"]
        check_gone(archived)


class TestStop:
    """A stop signal ends a task between two parts, and the rest is left."""

    def test_what_was_deleted_before_a_stop_is_certified(self, archived: Archive) -> None:
        """The rest waits for the next attempt of the same run, and nothing is half done."""
        soon, stop = quarantined(archived), threading.Event()
        plan_approved(soon, "retention__2")

        class Stopping(LocalStore):
            def remove(self, key: str) -> None:
                super().remove(key)
                if len([row for row in rows(archived).values() if row.deleting_at]) == 2:
                    stop.set()

        assert purge(replace(soon, store=Stopping(archived.settings.root)), "retention__2", stop) == 2
        check_gone(archived)
        assert purge(soon, "retention__2", STOP) == 4
        check_gone(archived)
        assert close(soon, "retention__2").counts["purged"] == 6
