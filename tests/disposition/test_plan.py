"""Plans: what is due, in which order, above which caps, and who may approve them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog import tables
from recording_archive.catalog.tables import events, segments
from recording_archive.disposition.approval import approve
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.plan_table import Plan, noted, read_plan
from recording_archive.disposition.quarantine import quarantine
from recording_archive.disposition.report import close
from recording_archive.disposition.request import read_retention_request
from recording_archive.errors import ConfigurationError, PermanentError, StoreError, TransientError
from recording_archive.holds import Criteria
from recording_archive.ledger import sealing
from recording_archive.model import State
from recording_archive.retention import policy_in_force
from support.contents import change, events_of, ids, rows
from support.retention_run import EXPIRED, QUARANTINE, at, enforce, hold, planned, quarantined

STOP = threading.Event()
DAY = timedelta(days=1)


class TestDue:
    """What a plan holds."""

    def test_nothing_is_due_before_its_time(self, archived: Archive) -> None:
        """The moment a recording expires it is due, and not a second before."""
        youngest = max(row.interaction_date for row in rows(archived).values())
        expiry = youngest + 90 * DAY
        assert make_plan(at(archived, expiry - timedelta(seconds=1)), "retention__1").counts["quarantine"] == 5
        assert make_plan(at(archived, expiry), "retention__2").counts["quarantine"] == 6

    def test_the_reasons_add_up_to_the_archive(self, archived: Archive) -> None:
        """What is planned and what is kept, by reason, is all that lies in the archive."""
        young, undated, bad, held, *_ = ids(archived)
        change(archived, young, interaction_date=EXPIRED)
        change(archived, undated, interaction_date=None)
        change(archived, bad, verified_ok=None)
        hold(archived, held)
        plan = make_plan(at(archived, EXPIRED), "retention__1")
        assert plan.kept == {"too_young": 1, "undated": 1, "unverified": 1, "held": 1}
        assert plan.counts == {"quarantine": 2, "purge": 0, "erase": 0, "restore": 0}

    def test_the_policy_in_force_decides_and_lies_in_the_archive(self, archived: Archive) -> None:
        """The plan names the version and the rule, and a policy from outside is kept for good before it is used."""
        path = archived.settings.root.parent / "policy.yaml"
        path.write_text("name: ours\ndefaultDays: 3650\nrules:\n- name: short\n  days: 30\n  directions: [inbound]\n")
        change(archived, ids(archived)[0], direction="inbound")
        for name in ids(archived)[1:]:
            change(archived, name, direction="outbound")
        soon = at(archived, EXPIRED, policy_url=str(path))
        plan = make_plan(soon, "retention__1")
        assert plan.counts["quarantine"] == 1
        ((name, row),) = planned(archived, "retention__1").items()
        assert (name, row.rule) == (ids(archived)[0], "short")
        assert plan.policy == policy_in_force.in_force(soon).version
        assert archived.store.read("policies/000001.yaml") == path.read_bytes()

    def test_the_same_plan_has_the_same_hash_and_any_other_another(self, archived: Archive) -> None:
        """It is a hash of the policy, the day, and each part with its action and stored bytes, in order."""
        soon = at(archived, EXPIRED)
        first = make_plan(soon, "retention__1").sha256
        assert make_plan(soon, "retention__2").sha256 == first
        assert make_plan(at(archived, EXPIRED + DAY), "retention__3").sha256 != first
        assert make_plan(at(archived, EXPIRED, retention_days=89), "retention__4").sha256 != first
        change(archived, ids(archived)[3], stored_sha256="0" * 64)
        assert make_plan(soon, "retention__5").sha256 != first

    def test_pages_miss_nothing(self, archived: Archive) -> None:
        """Recordings of one moment that fall on two pages are all planned, each once."""
        for name in ids(archived)[:5]:
            change(archived, name, interaction_date=datetime(2026, 11, 20, tzinfo=UTC))
        assert make_plan(at(archived, EXPIRED), "retention__1", page_size=2).counts["quarantine"] == 6
        assert enforce(at(archived, EXPIRED), "retention__2", page_size=2).quarantined == 6
        assert enforce(at(archived, EXPIRED + QUARANTINE), "retention__3", page_size=2).purged == 6

    def test_the_event_tells_of_the_plan(self, archived: Archive) -> None:
        """Hash, policy, time, counts and caps, and who it is."""
        plan = make_plan(at(archived, EXPIRED, max_delete_count=2), "retention__1")
        (event,) = events_of(archived, "planned")
        assert (event.run_id, event.detail["plan"], event.detail["policy"]) == (
            "retention__1",
            plan.sha256,
            "default:90",
        )
        assert event.detail["counts"] == {"quarantine": 6}
        assert event.detail["caps"] == list(plan.caps)


class TestAgain:
    """Plans that are made more than once."""

    def test_a_plan_made_again_replaces_what_was_not_done(self, archived: Archive) -> None:
        """What was done stays done, and an approval of the first does not hold for the second."""
        soon = at(archived, EXPIRED, max_delete_count=2)
        first = make_plan(soon, "retention__1")
        approve(soon, "retention__1", plan_sha256=str(first.sha256), actor="carol")
        change(archived, ids(archived)[0], verified_ok=False)
        again = make_plan(soon, "retention__1")
        assert (again.counts["quarantine"], again.approved_by) == (5, None)
        with pytest.raises(PermanentError, match="needs approval"):
            quarantine(soon, "retention__1", STOP)

    def test_a_cleared_run_goes_on_with_what_is_left(self, archived: Archive) -> None:
        """Its report tells of both attempts together."""
        soon = at(archived, EXPIRED)
        change(archived, ids(archived)[0], verified_ok=False)
        assert enforce(soon, "retention__1").quarantined == 5
        change(archived, ids(archived)[0], verified_ok=True)
        again = enforce(soon, "retention__1")
        assert (again.quarantined, again.report["quarantined"]) == (1, 6)
        assert again.closed.report_key.split("/")[-2] == "2"

    def test_a_newer_plan_lets_the_older_lapse(self, archived: Archive) -> None:
        """It cannot be approved nor carried out, its rows say why; a dry run lapses nothing."""
        soon = at(archived, EXPIRED, max_delete_count=2)
        first = make_plan(soon, "retention__1")
        make_plan(soon, "retention__2", dry_run=True)
        approve(soon, "retention__1", plan_sha256=str(first.sha256), actor="carol")
        make_plan(soon, "retention__3")
        with pytest.raises(PermanentError, match="a newer plan took its place"):
            quarantine(soon, "retention__1", STOP)
        with pytest.raises(PermanentError, match="lapsed"):
            approve(soon, "retention__1", plan_sha256=str(first.sha256), actor="dave")
        assert {row.why for row in planned(archived, "retention__1").values()} == {
            "the plan lapsed: run retention__3 made a newer one"
        }
        assert "lapsed" in close(soon, "retention__1").problems[0]


class TestCaps:
    """Above them a person is asked."""

    @pytest.mark.parametrize(
        ("limits", "caps"),
        [
            ({}, 0),
            ({"max_delete_count": 6}, 0),
            ({"max_delete_count": 5}, 1),
            ({"max_delete_bytes": 0}, 1),
            ({"max_delete_count": 0, "max_delete_bytes": 0}, 2),
            ({"max_delete_bytes": None}, 1),
        ],
    )
    def test_what_exceeds_a_cap_is_said(self, archived: Archive, limits: dict[str, Any], caps: int) -> None:
        """Count and bytes, each on its own; without a limit of bytes it is one hundredth of the archive."""
        plan = make_plan(at(archived, EXPIRED, **limits), "retention__1")
        assert (len(plan.caps), plan.needs_approval) == (caps, bool(caps))

    def test_purges_are_counted_on_their_own(self, archived: Archive) -> None:
        """Three to quarantine and three to purge do not exceed a limit of three."""
        for name in ids(archived)[:3]:
            change(archived, name, state=State.QUARANTINED, quarantined_at=EXPIRED - QUARANTINE)
        assert not make_plan(at(archived, EXPIRED, max_delete_count=3), "retention__1").needs_approval
        (cap,) = make_plan(at(archived, EXPIRED, max_delete_count=2), "retention__2").caps[:1]
        assert cap == "quarantine of 3 recordings; up to 2 need no approval"

    def test_restores_need_nobody(self, archived: Archive) -> None:
        """Bringing back is never too much."""
        soon = quarantined(archived)
        for name in ids(archived):
            hold(soon, name)
        plan = make_plan(at(soon, soon.clock(), max_delete_count=0, max_delete_bytes=0), "retention__2")
        assert (plan.counts["restore"], plan.caps) == (6, ())

    @pytest.mark.parametrize("asked", [{"max_count": 1001}, {"max_bytes": 2**41}, {"max_count": -1}])
    def test_params_only_lower_the_limits(self, archived: Archive, asked: dict[str, int]) -> None:
        """A larger one is refused by the name of its setting, and makes no plan."""
        with pytest.raises(ConfigurationError, match=r"RECORDING_ARCHIVE_MAX_DELETE_(COUNT|BYTES)"):
            make_plan(at(archived, EXPIRED), "retention__1", **asked)
        assert read_plan(archived, "retention__1") is None
        assert make_plan(at(archived, EXPIRED), "retention__2", max_count=5).needs_approval

    def test_a_bytes_param_cannot_exceed_the_hundredth(self, archived: Archive) -> None:
        """Where no limit is configured the default is the limit."""
        with pytest.raises(ConfigurationError, match="may only be lowered"):
            make_plan(at(archived, EXPIRED, max_delete_bytes=None), "retention__1", max_bytes=2**30)


class TestTime:
    """As of when a plan decides."""

    def test_the_future_needs_a_dry_run_or_a_drill(self, archived: Archive) -> None:
        """Otherwise nobody decides today what is due tomorrow."""
        now = at(archived, EXPIRED - 60 * DAY)
        with pytest.raises(ConfigurationError, match="RECORDING_ARCHIVE_DRILL"):
            make_plan(now, "retention__1", as_of=EXPIRED)
        with pytest.raises(ConfigurationError, match="no time zone"):
            make_plan(now, "retention__1", as_of=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
        assert make_plan(now, "retention__2", as_of=EXPIRED, dry_run=True).counts["quarantine"] == 6
        drill = at(archived, EXPIRED - 60 * DAY, drill=True)
        assert enforce(drill, "retention__3", as_of=EXPIRED).quarantined == 6

    def test_the_past_lets_go_of_less(self, archived: Archive) -> None:
        """As of a day before they expired nothing is due."""
        assert make_plan(at(archived, EXPIRED), "retention__1", as_of=EXPIRED - 60 * DAY).counts["quarantine"] == 0


class TestOutdated:
    """A catalog that is older than its archive plans nothing."""

    def test_an_unknown_segment_of_the_ledger_is_refused(self, archived: Archive) -> None:
        """A hold may be among what a restored catalog does not know: `reindex` comes first."""
        soon = at(archived, EXPIRED)
        make_plan(soon, "retention__1")
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
        """No plan, a dry run, one within its caps, one approved by another, one whose report is written."""
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
        within = make_plan(at(archived, EXPIRED), "retention__2")
        with pytest.raises(PermanentError, match="needs no approval"):
            approve(soon, "retention__2", plan_sha256=str(within.sha256), actor="carol")


class TestNoted:
    """What ends a task is in the report."""

    def test_an_error_before_the_plan_is_told_by_the_report(self, archived: Archive) -> None:
        """The run has an empty plan with the cause, and a later attempt begins anew, whatever its kind."""
        with pytest.raises(ConfigurationError), noted(archived, "retention__1"):
            make_plan(at(archived, EXPIRED), "retention__1", max_count=10**6)
        assert "max_delete_count" in close(archived, "retention__1").problems[0]
        assert make_plan(at(archived, EXPIRED), "retention__1").problem is None


class TestRequest:
    """What a run is asked for."""

    def read(self, **conf: Any) -> Any:
        return read_retention_request(conf, zone=ZoneInfo("Europe/Berlin"))

    def test_everything_has_a_default(self) -> None:
        """Nothing given is a run as the schedule makes it; a date-time without zone is local."""
        asked = self.read(dry_run=None, as_of=None, eraseIds="", eraseReason=None)
        assert (asked.dry_run, asked.as_of, asked.max_count, asked.subject) == (False, None, None, None)
        asked = self.read(dry_run=True, as_of="2026-01-31T08:00:00", max_delete_count=3, max_delete_bytes=0)
        assert (asked.as_of, asked.max_count, asked.max_bytes) == (datetime(2026, 1, 31, 7, tzinfo=UTC), 3, 0)

    def test_an_erasure_names_whom_and_why(self) -> None:
        """Texts, comma lists and arrays alike."""
        asked = self.read(eraseNumbers="+49 30 1, +49 30 2", eraseIds=["a", "b"], eraseReason="case 7")
        assert (asked.subject.numbers, asked.subject.ids) == (("+49 30 1", "+49 30 2"), ("a", "b"))
        assert asked.reason == "case 7"

    @pytest.mark.parametrize(
        ("conf", "told_of"),
        [
            ({"surprise": 1}, "Unknown parameter surprise"),
            ({"dry_run": "yes"}, "dry_run"),
            ({"as_of": "tomorrow"}, "as_of"),
            ({"max_delete_count": -1}, "max_delete_count"),
            ({"max_delete_bytes": "12"}, "max_delete_bytes"),
            ({"max_delete_count": True}, "max_delete_count"),
            ({"eraseIds": ["a"]}, "eraseReason"),
            ({"eraseReason": "r"}, "eraseReason"),
            ({"eraseNumbers": {"a": 1}, "eraseReason": "r"}, "eraseNumbers"),
        ],
    )
    def test_what_is_wrong_is_named(self, conf: dict[str, Any], told_of: str) -> None:
        """Unknown names, wrong types, and an erasure without a reason are refused before anything is planned."""
        with pytest.raises(ConfigurationError, match=told_of):
            self.read(**conf)
