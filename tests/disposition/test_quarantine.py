"""Quarantine, purge and restore: a recording on its way out, and back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.quarantine import purge, quarantine, restore
from recording_archive.errors import ConfigurationError
from recording_archive.model import State
from support.contents import change, documents, events_of, files_of, ids, row_of, rows
from support.harms import Harm, make_young, possibly_hold
from support.retention_run import (
    EXPIRED,
    QUARANTINE,
    at,
    check_gone,
    enforce,
    hold,
    plan_approved,
    planned,
    quarantined,
)

STOP = threading.Event()


def test_what_expired_is_quarantined_and_purged_when_the_quarantine_is_over(archived: Archive) -> None:
    """First nothing moves; after 14 days bytes and sidecars are gone, with tombstones and one certificate."""
    before = {name: files_of(archived, name) for name in ids(archived)}
    first = enforce(at(archived, EXPIRED), "retention__1")
    assert (first.quarantined, first.purged, first.closed.problems) == (6, 0, ())
    assert {name: files_of(archived, name) for name in before} == before
    early = enforce(at(archived, EXPIRED + QUARANTINE - timedelta(seconds=1)), "retention__2")
    assert (early.quarantined, early.purged, early.plan.kept) == (0, 0, {"waiting": 6})
    last = enforce(at(archived, EXPIRED + QUARANTINE), "retention__3")
    assert (last.quarantined, last.purged, last.closed.problems) == (0, 6, ())
    assert {row.state for row in rows(archived).values()} == {State.PURGED}
    check_gone(archived)
    assert len(documents(archived, "certificates")) == 1
    assert not list((archived.settings.root / "recordings").rglob("*.*"))


class TestRestore:
    """A person takes a recording back."""

    def test_a_restored_recording_is_archived_and_left_alone_for_a_while(self, archived: Archive) -> None:
        """It can be heard again; plans spare it for as long as a quarantine lasts, then it is due again."""
        soon, victim = quarantined(archived), ids(archived)[0]
        (decision,) = restore(soon, victim, reason="case 7", actor="ann")
        assert decision.refused is None
        row = row_of(archived, victim)
        assert (row.state, row.quarantined_at) == (State.ARCHIVED, None)
        (event,) = events_of(archived, "restored")
        assert (event.actor, event.detail["reason"]) == ("ann", "case 7")
        assert event.segment is not None
        spared = enforce(soon, "retention__2")
        assert (spared.purged, spared.quarantined, spared.plan.kept) == (5, 0, {"restored": 1})
        later = at(soon, soon.clock() + QUARANTINE)
        assert enforce(later, "retention__3").quarantined == 1
        assert enforce(at(soon, later.clock() + QUARANTINE), "retention__4").purged == 1

    def test_a_recording_restored_after_the_plan_is_not_purged(self, archived: Archive) -> None:
        """The plan's word does not go against a person's."""
        soon, victim = quarantined(archived), ids(archived)[0]
        plan_approved(soon, "retention__2")
        restore(soon, victim, reason="case 7", actor="ann")
        assert purge(soon, "retention__2", STOP) == 5
        assert planned(archived, "retention__2")[victim].why == "it is archived, not quarantined"
        assert len(files_of(archived, victim)) == 2

    def test_a_recording_restored_after_the_plan_is_not_quarantined_again(self, archived: Archive) -> None:
        """An attempt that comes late, with the plan of before, lets it be."""
        soon, victim = at(archived, EXPIRED), ids(archived)[0]
        plan_approved(soon, "retention__1")
        change(archived, victim, deletion={"restoredUntil": (EXPIRED + QUARANTINE).isoformat()})
        assert quarantine(soon, "retention__1", STOP) == 5
        assert row_of(archived, victim).state == State.ARCHIVED
        assert "it was restored" in planned(archived, "retention__1")[victim].why

    def test_what_is_not_in_quarantine_cannot_be_restored(self, archived: Archive) -> None:
        """The refusal says what it is instead, with the certificate of what is gone."""
        victim = ids(archived)[0]
        (decision,) = restore(archived, victim, reason="r", actor="ann")
        assert decision.refused == "it is archived, not quarantined"
        enforce(quarantined(archived), "retention__2")
        (decision,) = restore(archived, victim, reason="r", actor="ann")
        assert decision.refused == (
            f"it was purged, certificate {row_of(archived, victim).certificate}: nothing brings it back"
        )
        assert restore(archived, "nobody", reason="r", actor="ann") == []
        with pytest.raises(ConfigurationError, match="reason is empty"):
            restore(archived, victim, reason=" ", actor="ann")

    @pytest.mark.parametrize("harm", [hold, possibly_hold, make_young])
    def test_what_may_not_go_any_more_leaves_the_quarantine(self, archived: Archive, harm: Harm) -> None:
        """A hold, or a longer policy, brings it back to the archive, where it can be heard; the report says so."""
        soon, victim = quarantined(archived), ids(archived)[0]
        harm(soon, victim)
        ended = enforce(soon, "retention__2")
        assert row_of(archived, victim).state == State.ARCHIVED
        assert (ended.entries[victim]["action"], ended.report["restored"]) == ("restore", 1)
        assert ended.entries[victim]["why"] == {"hold": "held", "possibly_hold": "possibly_held"}.get(
            harm.__name__, "too_young"
        )
        assert ended.purged == 5
        (event,) = events_of(archived, "restored")
        assert event.run_id == "retention__2"
