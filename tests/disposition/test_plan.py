"""Plans: the rows, hash and event of a plan; plans made again, and their time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.approval import approve
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.quarantine import quarantine
from recording_archive.disposition.report import close
from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.retention import policy_in_force
from support.contents import amend, change, events_of, ids
from support.retention_run import EXPIRED, QUARANTINE, at, enforce, planned

STOP = threading.Event()
DAY = timedelta(days=1)


class TestContents:
    """The contents of a plan."""

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
            amend(archived, name, interaction_date=datetime(2026, 11, 20, tzinfo=UTC))
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
