"""The question that a person who must approve a plan is asked."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.approval import approve
from recording_archive.disposition.approval_question import question
from recording_archive.disposition.erasure import plan_erasure
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.plan_table import Plan, note_problem
from recording_archive.errors import PermanentError
from support.hold_scenes import rows_of
from support.retention_run import EXPIRED, at


def planned(archive: Archive, run_id: str = "retention__1", triggered_by: str | None = "ann") -> Plan:
    """A plan for all six recordings of the archive, above its cap."""
    return make_plan(at(archive, EXPIRED), run_id, max_count=5, triggered_by=triggered_by)


def test_it_tells_what_goes_why_and_by_which_hash(archived: Archive) -> None:
    """Counts, size, dates, queues, cap, rule, policy, who triggered, the way to the list, and the plan's hash."""
    plan = planned(archived)
    asked = question(archived, plan.run_id, link="https://airflow/archive/retention/runs/retention__1")
    assert asked.subject == "Approve: 6 recordings to quarantine?"
    assert asked.plan_sha256 == plan.sha256
    told = (
        plan.sha256,
        plan.caps[0],
        plan.policy,
        f"{plan.sizes['quarantine'] / 1e6:,.1f} MB",
        "`ann`",
        "- `default`: 6 to ",
    )
    assert [text for text in told if str(text) not in asked.body] == []
    days = sorted(f"{row.interaction_date:%Y-%m-%d}" for row in rows_of(archived.catalog))
    assert f"The oldest call that goes is of {days[0]}, the newest of {days[-1]} (UTC)." in asked.body
    queues = Counter(row.queue_name for row in rows_of(archived.catalog))
    assert all(f"`{name}` {count}" in asked.body for name, count in queues.items() if name), queues
    assert "(https://airflow/archive/retention/runs/retention__1)" in asked.body
    assert not asked.approved


def test_every_list_and_table_stands_alone(archived: Archive) -> None:
    """Markdown shows a list or table only when a blank line parts it from the text around it."""
    lines = question(archived, planned(archived).run_id).body.split("\n")
    for before, after in pairwise(lines):
        kinds = {"" if not line else line[0] if line[0] in "|-" else "text" for line in (before, after)}
        assert len(kinds - {""}) < 2, (before, after)


def test_schedule_is_nobody(archived: Archive) -> None:
    """A scheduled run was started by nobody who would have to keep out of its approval."""
    body = question(archived, planned(archived, triggered_by=None).run_id).body
    assert "started by the schedule" in body


def test_it_says_who_may_approve(archived: Archive) -> None:
    """Where approvers are named; else Airflow decides who may answer."""
    plan, named = planned(archived), at(archived, EXPIRED, approvers="carol, dave")
    assert "It may be approved by `carol, dave`." in question(named, plan.run_id).body
    assert "may be approved by" not in question(archived, plan.run_id).body


def test_erasure_tells_its_reason_as_plain_text(archived: Archive) -> None:
    """What a user wrote means nothing in Markdown, whatever it is."""
    reason = "`![x](https://evil.example/)`\n# Approve"
    plan = plan_erasure(archived, "erasure__1", Subject(ids=("call-1",)), reason=reason, triggered_by="ann")
    body = question(archived, plan.run_id).body
    assert re.search(r"Reason: `!\[x]\(https://evil\.example/\) # Approve`", body)


def test_it_is_not_asked_without_a_plan(archived: Archive) -> None:
    """A run that made no plan has nothing to approve."""
    with pytest.raises(PermanentError, match="retention__0 has no finished plan"):
        question(archived, "retention__0")


def test_a_no_is_not_asked_again(archived: Archive) -> None:
    """A plan that somebody rejected is not put to the next one, who might say yes."""
    plan = planned(archived)
    note_problem(archived, plan.run_id, "bob rejected the plan")
    with pytest.raises(PermanentError, match="bob rejected the plan"):
        question(archived, plan.run_id)


def test_a_yes_is_not_asked_again_until_the_next_plan(archived: Archive) -> None:
    """An approval that is recorded need not be given twice, and is forgotten when the run plans anew."""
    plan = planned(archived)
    approve(archived, plan.run_id, plan_sha256=str(plan.sha256), actor="bob")
    assert question(archived, plan.run_id).approved
    assert not question(archived, planned(archived).run_id).approved
