"""Approval: who may agree to which plan, and which plans are carried out."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog import tables
from recording_archive.catalog.tables import events, segments
from recording_archive.disposition.approval import approve
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.plan_table import Plan, read_plan
from recording_archive.disposition.quarantine import purge, quarantine
from recording_archive.disposition.report import close
from recording_archive.errors import PermanentError, StoreError, TransientError
from recording_archive.holds import Criteria
from recording_archive.ledger import sealing
from recording_archive.model import State
from support.contents import events_of, rows
from support.retention_run import EXPIRED, at, enforce, plan_approved, planned

STOP = threading.Event()


class TestRefused:
    """Plans that may not be carried out."""

    def test_a_plan_that_needs_approval_and_has_none_does_nothing(self, archived: Archive) -> None:
        """Both deeds refuse, and the report calls the run failed."""
        soon = at(archived, EXPIRED, max_delete_count=0)
        make_plan(soon, "retention__1")
        for deed in (quarantine, purge):
            with pytest.raises(PermanentError, match="needs approval and has none"):
                deed(soon, "retention__1", STOP)
        closed = close(soon, "retention__1")
        assert closed.failed
        assert "not approved" in closed.problems[0]
        assert {row.state for row in rows(archived).values()} == {State.ARCHIVED}
        assert {row.why for row in planned(archived, "retention__1").values()} == {"the plan was not approved"}

    def test_a_dry_run_changes_nothing(self, archived: Archive) -> None:
        """It may look into the future, and its report lists what would go."""
        ended = enforce(at(archived, EXPIRED - timedelta(days=300)), "retention__1", as_of=EXPIRED, dry_run=True)
        assert (ended.quarantined, ended.purged, ended.closed.problems) == (0, 0, ())
        assert ended.report["dryRun"]
        assert {entry["why"] for entry in ended.report["entries"]} == {"dry run"}
        assert len(ended.report["entries"]) == 6
        assert {row.state for row in rows(archived).values()} == {State.ARCHIVED}
        assert events_of(archived, "quarantined") == []

    def test_a_closed_plan_is_not_carried_out(self, archived: Archive) -> None:
        """A task that comes after the report does nothing."""
        soon = at(archived, EXPIRED)
        make_plan(soon, "retention__1")
        close(soon, "retention__1")
        with pytest.raises(PermanentError, match="its report is written"):
            quarantine(soon, "retention__1", STOP)

    def test_a_run_without_a_plan_has_a_report_that_says_so(self, archived: Archive) -> None:
        """It is failed, and it names the cause."""
        closed = close(archived, "retention__1")
        assert closed.problems == ("the run made no plan",)
        with pytest.raises(PermanentError, match="no finished plan"):
            purge(archived, "retention__1", STOP)


class TestOutdated:
    """A catalog that is older than its archive plans nothing."""

    def test_an_unknown_segment_of_the_ledger_is_refused(self, archived: Archive) -> None:
        """A hold may be among what a restored catalog does not know: `reindex` comes first."""
        soon = at(archived, EXPIRED)
        plan_approved(soon, "retention__1")
        sealing.seal(archived)
        with archived.catalog.write() as connection:
            connection.execute(delete(segments))
            connection.execute(delete(events))
        with pytest.raises(StoreError, match="recording-archive reindex"):
            make_plan(soon, "retention__2")
        with pytest.raises(StoreError, match="recording-archive reindex"):
            quarantine(soon, "retention__1", STOP)

    def test_a_hold_that_only_the_archive_knows_is_refused(self, archived: Archive) -> None:
        """Its document lies there, and nobody can say what it holds before the catalog knows it."""
        made, _ = holds.create(archived, matter="M", reason="R", criteria=Criteria(interaction_ids=("x",)), actor="ann")
        with archived.catalog.write() as connection:
            connection.execute(delete(tables.holds))
            connection.execute(delete(tables.hold_terms))
        with pytest.raises(TransientError, match=f"{made.id} that the catalog lacks.*reindex"):
            make_plan(at(archived, EXPIRED), "retention__1")


class TestApproval:
    """Somebody else says yes, to this plan."""

    def made(self, archived: Archive, **asked: Any) -> tuple[Archive, Plan]:
        soon = at(archived, EXPIRED, max_delete_count=2)
        return soon, make_plan(soon, "retention__1", **asked)

    def test_an_approved_plan_is_carried_out_and_names_the_approver(self, archived: Archive) -> None:
        """In catalog, event and report; the same answer twice is one."""
        soon, plan = self.made(archived, triggered_by="bob")
        for _ in range(2):
            approve(soon, "retention__1", plan_sha256=str(plan.sha256), actor="carol")
        assert quarantine(soon, "retention__1", STOP) == 6
        (event,) = events_of(archived, "approved")
        assert (event.actor, event.detail) == ("carol", {"plan": plan.sha256})
        known = read_plan(archived, "retention__1")
        assert known is not None
        assert (known.approved_by, known.approved_at) == ("carol", EXPIRED)
        assert close(soon, "retention__1").problems == ()

    @pytest.mark.parametrize("actor", ["bob", "BOB"])
    def test_who_triggered_it_cannot_approve_it(self, archived: Archive, actor: str) -> None:
        """Two people, whatever the case of their names."""
        soon, plan = self.made(archived, triggered_by="bob")
        with pytest.raises(PermanentError, match="somebody else must approve"):
            approve(soon, "retention__1", plan_sha256=str(plan.sha256), actor=actor)

    def test_only_the_named_may_approve(self, archived: Archive) -> None:
        """Where approvers are named, whom else Airflow lets answer is refused by name."""
        soon = at(archived, EXPIRED, max_delete_count=2, approvers="Carol, dave")
        plan = make_plan(soon, "retention__1", triggered_by="dave")
        for actor, why in (("eve", "eve is not among RECORDING_ARCHIVE_APPROVERS"), ("dave", "somebody else")):
            with pytest.raises(PermanentError, match=why):
                approve(soon, "retention__1", plan_sha256=str(plan.sha256), actor=actor)
        approve(soon, "retention__1", plan_sha256=str(plan.sha256), actor="carol")
        assert quarantine(soon, "retention__1", STOP) == 6

    def test_an_approval_of_another_plan_does_not_count(self, archived: Archive) -> None:
        """It names the hash of what the person saw."""
        soon, _ = self.made(archived)
        with pytest.raises(PermanentError, match="look at the plan again"):
            approve(soon, "retention__1", plan_sha256="0" * 64, actor="carol")

    def test_what_cannot_be_approved(self, archived: Archive) -> None:
        """No plan, a dry run, one that lets nothing go, one approved by another, one whose report is written."""
        soon, plan = self.made(archived)
        digest = str(plan.sha256)
        make_plan(at(soon, EXPIRED, max_delete_count=0), "retention__dry", dry_run=True)
        for run_id, why in (("nobody", "not made yet"), ("retention__dry", "a dry run")):
            with pytest.raises(PermanentError, match=why):
                approve(soon, run_id, plan_sha256=digest, actor="carol")
        approve(soon, "retention__1", plan_sha256=digest, actor="carol")
        with pytest.raises(PermanentError, match="carol approved it before"):
            approve(soon, "retention__1", plan_sha256=digest, actor="dave")
        close(soon, "retention__1")
        with pytest.raises(PermanentError, match="its report is written"):
            approve(soon, "retention__1", plan_sha256=digest, actor="carol")
        within = make_plan(at(archived, EXPIRED - timedelta(days=30)), "retention__2")
        with pytest.raises(PermanentError, match="needs no approval"):
            approve(soon, "retention__2", plan_sha256=str(within.sha256), actor="carol")
