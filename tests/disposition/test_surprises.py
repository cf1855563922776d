"""Surprises: 90 days ask once, and what was not foretold asks."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from recording_archive import holds, hooks
from recording_archive.archive import Archive
from recording_archive.catalog.tables import fixity_runs, recordings
from recording_archive.disposition.approval_question import question
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.plan_table import Plan
from recording_archive.disposition.quarantine import quarantine
from recording_archive.disposition.report import close
from recording_archive.holds import Criteria
from recording_archive.retention.policy_in_force import adopt
from support.catalog_rows import archived_row
from support.contents import amend, ids
from support.night_of_retention import drill
from support.rebuilding import rebuilt
from support.retention_run import EXPIRED, at, enforce, plan_approved

DAY = timedelta(days=1)
NIGHT = EXPIRED  # the first of the nights
CALL = {"stored_bytes": 1000, "stored_sha256": "0" * 64, "agent_id": "bob", "agent_name": "Bob"}
"""``at`` sets a limit of bytes that nothing here reaches: a person is asked because of surprises alone."""


class Nights:
    """An archive of calls that expire day by day, and the nights on which it lets them go."""

    def __init__(self, archive: Archive, per_day: int, *, days: int = 25, first: int = 1) -> None:
        self.archive, self.made = archive, 0
        for day in range(-first, days):
            self.call(per_day, day)

    def call(self, count: int, day: float, **columns: Any) -> None:
        """Archive calls that have been there for 90 days on the night numbered ``day``."""
        rows = []
        for each in range(count):
            when = NIGHT + (day - 90) * DAY - timedelta(seconds=1 + each * 80_000 // count)
            rows.append(archived_row(self.made + each, when, **(CALL | columns)))
        with self.archive.catalog.write() as connection:
            connection.execute(insert(recordings), rows)
        self.made += count

    def plan(self, night: float, **settings: Any) -> Plan:
        """The plan of a night."""
        return make_plan(at(self.archive, NIGHT + night * DAY, **settings), f"night_{night}")

    def sleep(self, night: float, *, approve: bool = False, **settings: Any) -> Plan:
        """A whole night; without approval what surprises stays."""
        soon = at(self.archive, NIGHT + night * DAY, **settings)
        plan = (plan_approved if approve else make_plan)(soon, f"night_{night}")
        if approve or not plan.needs_approval:
            quarantine(soon, plan.run_id, threading.Event())
        close(soon, plan.run_id)
        return plan

    def used_to(self, nights: int = 3) -> Nights:
        """The same when a person approved the first night, and others went by."""
        for night in range(nights):
            assert self.sleep(night, approve=not night).caps == () or not night
        return self


def test_two_weeks_of_200_calls_a_day_ask_once(archive: Archive) -> None:
    """The first night, and never again, on a weekend without calls neither."""
    nights = Nights(archive, 200, days=5)
    for day in (5, 6, 7, 8, 9, 12, 13):
        nights.call(200, day)
    asked = {night: plan.caps for night in range(14) if (plan := nights.sleep(night, approve=not night)).caps}
    assert list(asked) == [0]
    assert asked[0] == ("nothing was foretold for this day: no plan has gone through before",)


def test_a_first_purge_asks_and_the_next_does_not(archived: Archive) -> None:
    """Quarantine, two weeks, purge: each asks at its first time, whatever was foretold."""
    for number, name in enumerate(ids(archived)):
        amend(archived, name, interaction_date=NIGHT + (number - 90) * DAY)
    asked = {}
    for night in range(18):
        ended = enforce(at(archived, NIGHT + night * DAY), f"night_{night}")
        if ended.plan.caps:
            asked[night] = ended.plan.caps
        assert ended.purged == (1 if night >= 14 else 0)
    assert asked == {
        0: ("nothing was foretold for this day: no plan has gone through before",),
        14: ("the first purge: no plan with one has gone through before",),
    }


@pytest.mark.usefixtures("configured")
def test_the_tasks_of_the_dag_ask_twice_and_then_no_more(archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first quarantine, the first purge; the next day goes as foretold, and what is young again comes back."""
    drill(monkeypatch)
    for number, name in enumerate(ids(archived)):
        amend(archived, name, interaction_date=NIGHT - (90 - number // 3) * DAY)
    asked = []
    for run_id, conf, counts in (
        ("quarantine", {"as_of": "2027-03-01T12:00:00Z"}, (3, 0, 0)),
        ("purge", {"as_of": "2027-03-01T12:00:00Z"}, (0, 3, 0)),
        ("foretold", {"as_of": "2027-03-02T12:00:00Z"}, (3, 0, 0)),
        ("back", {}, (0, 0, 3)),
    ):
        plan = hooks.plan_retention(run_id=run_id, conf=conf)
        if plan["needsApproval"]:
            asked.append(run_id)
            assert f"- {plan['caps'][0]}" in hooks.ask_for_approval(run_id).body
            hooks.record_approval(run_id, plan_sha256=plan["sha256"], approved_by="carol")
        hooks.quarantine_planned(run_id)
        hooks.purge_planned(run_id)
        done = hooks.write_retention_report(run_id)
        assert (done.counts["quarantined"], done.counts["purged"], done.counts["restored"]) == counts
    assert asked == ["quarantine", "purge"]


class TestAsks:
    """What asks, and in which words; the question and the plan show them."""

    def test_a_burst(self, archive: Archive) -> None:
        """More than a fifth above what was foretold, in recordings or in bytes."""
        nights = Nights(archive, 10).used_to()
        nights.call(3, 3)
        (cap,) = nights.plan(3).caps
        assert cap == "quarantine of 13 recordings; 10 were foretold for this day, and 12 need no approval"
        assert f"- {cap}" in question(archive, "night_3").body

    def test_a_burst_of_bytes(self, archive: Archive) -> None:
        """As many recordings, but larger ones."""
        nights = Nights(archive, 10).used_to()
        with archive.catalog.write() as connection:
            connection.execute(recordings.update().where(recordings.c.state == "archived").values(stored_bytes=1600))
        (cap,) = nights.plan(3).caps
        assert (
            cap == "quarantine of 16,000 stored bytes; 10,000 were foretold for this day, and 15,200 need no approval"
        )

    def test_two_more_are_no_surprise_where_there_are_few(self, archive: Archive) -> None:
        """Three instead of two ask nobody; less never does."""
        nights = Nights(archive, 2).used_to()
        nights.call(1, 3)
        assert nights.sleep(3).caps == ()
        with archive.catalog.write() as connection:
            connection.execute(recordings.delete().where(recordings.c.state == "archived"))
        nights.call(1, 4)
        assert nights.plan(4).caps == ()

    def test_something_younger_than_foretold(self, archive: Archive) -> None:
        """One recording that a short rule takes asks, although the number is as foretold."""
        adopt(
            archive,
            b"name: p\ndefaultDays: 90\nrules:\n- {name: cards, days: 10, maximum: true, queues: [Cards]}\n",
            "p",
            actor="a",
        )
        nights = Nights(archive, 10).used_to()
        nights.call(1, 50, queue_name="Cards")
        (cap,) = nights.plan(3).caps
        assert cap.startswith(
            "quarantine of recordings as young as 2027-01-20 11:59 UTC; the youngest foretold is of 2026-12-04"
        )

    def test_a_changed_policy_until_somebody_approves(self, archive: Archive) -> None:
        """A night without an answer, or without anything due, does not make it known."""
        nights = Nights(archive, 10).used_to()
        for night in (3, 4):
            (cap, *_) = nights.sleep(night, retention_days=89).caps
            assert cap.startswith("the policy changed: default:89 is in force, and run night_2")
        nights.sleep(5, approve=True, retention_days=89)
        assert nights.sleep(6, retention_days=89).caps == ()
        nothing_due = nights.sleep(7, retention_days=91)
        assert (nothing_due.counts["quarantine"], nothing_due.caps) == (0, ())
        assert "the policy changed: default:91" in nights.sleep(8, retention_days=91).caps[0]

    def test_a_changed_quarantine(self, archive: Archive) -> None:
        """It is a rule as well."""
        assert Nights(archive, 10).used_to().plan(3, quarantine_days=13).caps == (
            "the quarantine changed from 14 to 13 days",
        )

    def test_a_clock_that_jumped_ahead(self, archive: Archive) -> None:
        """Nothing ran for longer than a weekend; with other runs in between it was a pause."""
        nights = Nights(archive, 10).used_to()
        (cap,) = nights.plan(12).caps
        assert cap == (
            "the clock jumped, or everything stood still: nothing ran between 2027-03-03 12:00 UTC and "
            "2027-03-13 12:00 UTC, 10 days later"
        )
        with archive.catalog.write() as connection:
            for day in (5, 8, 10):
                row = {"run_id": f"verify_{day}", "kind": "due", "started_at": NIGHT + day * DAY, "facts": {}}
                connection.execute(insert(fixity_runs).values(row))
        assert nights.plan(12.5).caps == ()

    def test_a_clock_that_jumped_far(self, archive: Archive) -> None:
        """Beyond all that was foretold, and with everything due."""
        caps = Nights(archive, 10, days=90).used_to().plan(80).caps
        assert "78 days after run night_2, which foretold 35" in " ".join(caps)
        assert "quarantine of 780 recordings; 350 were foretold" in " ".join(caps)

    def test_a_clock_that_went_back(self, archive: Archive) -> None:
        """Until somebody approves what is due then."""
        nights = Nights(archive, 10).used_to()
        nights.call(2, -1)
        assert "the clock went back: it is 2027-03-02 22:48 UTC" in nights.plan(1.45).caps[0]
        nights.sleep(1.4, approve=True)
        assert nights.sleep(2.4).caps == ()


class TestDoesNotAsk:
    """What a person or another plan explained."""

    def test_days_that_were_skipped(self, archive: Archive) -> None:
        """They are added together."""
        plan = Nights(archive, 10).used_to().sleep(5)
        assert (plan.counts["quarantine"], plan.caps) == (30, ())

    def test_what_the_last_plan_left(self, archive: Archive) -> None:
        """A plan that went through and was not carried out is due again with the next."""
        nights = Nights(archive, 10).used_to()
        assert nights.plan(3).caps == ()
        assert (nights.plan(4).counts["quarantine"], nights.plan(4).caps) == (20, ())

    def test_what_nobody_approved_is_not_foretold(self, archive: Archive) -> None:
        """A burst without an answer asks again; approved, it is over."""
        nights = Nights(archive, 10).used_to()
        nights.call(30, 3)
        assert [len(nights.sleep(night).caps) > 0 for night in (3, 4)] == [True, True]
        nights.sleep(5, approve=True)
        assert nights.sleep(6).caps == ()

    def test_a_released_hold(self, archive: Archive) -> None:
        """A person let go what had expired; what goes with it and was never held asks."""
        nights = Nights(archive, 10)
        nights.call(40, 0, agent_id="ann")
        made, _ = holds.create(archive, matter="M", reason="R", criteria=Criteria(agents=("ann",)), actor="kim")
        nights.used_to()
        holds.release(at(archive, NIGHT + 2.5 * DAY), made.id, reason="R", actor="kim")
        plan = nights.plan(3)
        assert (plan.counts["quarantine"] > 45, plan.caps) == (True, ())
        nights.call(40, 3)
        assert "quarantine of 9" in nights.plan(3.1).caps[0]

    def test_a_rebuilt_catalog(self, archived: Archive) -> None:
        """What was foretold lies in the reports."""
        for number, name in enumerate(ids(archived)):
            amend(archived, name, interaction_date=NIGHT + (number - 90) * DAY)
        for night in range(2):
            enforce(at(archived, NIGHT + night * DAY), f"night_{night}")
        archive, _ = rebuilt(archived)
        plan = make_plan(at(archive, NIGHT + 2 * DAY), "night_2")
        assert (plan.counts["quarantine"], plan.caps) == (1, ())
        archive.catalog.close()

    def test_a_dry_run_foretells_nothing_for_others(self, archive: Archive) -> None:
        """It says what would surprise, and changes nothing."""
        nights = Nights(archive, 10)
        plan = make_plan(at(archive, NIGHT), "dry", dry_run=True)
        assert (plan.caps[0][:20], plan.needs_approval) == ("nothing was foretold", False)
        assert nights.plan(1).caps[0][:20] == "nothing was foretold"
