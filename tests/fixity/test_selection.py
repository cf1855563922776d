"""Selection: all of the archive is re-read in its days, the oldest readings first, and damage in every run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from recording_archive.archive import Archive
from support.contents import all_rows, change
from support.fixity_run import ALL, NOW, Verifying, at, planned


def test_within_its_days_everything_is_read_once(archived: Archive, verifying: Verifying) -> None:
    """A third each day: after three days each recording was read once, and on the fourth it begins anew."""
    days = [at(archived, NOW + timedelta(days=day), verify_days=3) for day in range(4)]
    seen = []
    for day in days:
        before = {row.interaction_id: row.verified_at for row in all_rows(day)}
        verifying(day)
        seen.append({row.interaction_id for row in all_rows(day) if row.verified_at != before[row.interaction_id]})
    assert [len(each) for each in seen] == [2, 2, 2, 2]
    assert set.union(*seen[:3]) == {row.interaction_id for row in all_rows(archived)}
    assert seen[3] == seen[0]


def test_what_was_verified_longest_ago_comes_first(archived: Archive) -> None:
    """The order is that of the last reading, whatever the state of the recording in the archive."""
    ids = [row.interaction_id for row in all_rows(archived)]
    for number, each in enumerate(ids):
        change(archived, each, verified_at=NOW - timedelta(days=number))
    change(archived, ids[4], state="quarantined")
    assert planned(at(archived, NOW, verify_days=2)) == [ids[5], ids[4], ids[3]]


def test_the_byte_budget_is_kept(archived: Archive) -> None:
    """No more than the budget is read, but always one: what is too large would block the rest for ever."""
    sizes = {row.interaction_id: row.stored_bytes for row in all_rows(archived)}
    order = planned(archived, ALL)
    two = sizes[order[0]] + sizes[order[1]]
    assert planned(at(archived, NOW, verify_days=1, verify_bytes=two)) == order[:2]
    assert planned(at(archived, NOW, verify_days=1, verify_bytes=two + 1)) == order[:2]
    assert planned(at(archived, NOW, verify_days=1, verify_bytes=1)) == order[:1]
    assert planned(at(archived, NOW, verify_days=1, verify_bytes=1), ALL) == order


@pytest.mark.parametrize(
    "verdict",
    [{"verified_ok": False}, {"verified_ok": None}, {"verified_at": None}, {"verified_at": NOW + timedelta(days=900)}],
)
def test_what_cannot_wait_is_read_in_every_run(archived: Archive, verdict: dict[str, Any]) -> None:
    """A failed reading, none at all, and one in the future (a wrong clock) come beside the share of the day."""
    ids = [row.interaction_id for row in all_rows(archived)]
    for number, each in enumerate(ids):
        change(archived, each, verified_at=NOW - timedelta(days=number))
    change(archived, ids[0], **verdict)
    assert planned(at(archived, NOW, verify_days=6)) == [ids[0], ids[5]]


def test_only_what_is_to_stay_is_read(archived: Archive) -> None:
    """What is purged, erased, only discovered, or on its way out, is left alone."""
    first, second, third, fourth, *rest = (row.interaction_id for row in all_rows(archived))
    change(archived, first, state="purged")
    change(archived, second, state="erased", verified_ok=False)
    change(archived, third, state="discovered", verified_ok=None, verified_at=None)
    change(archived, fourth, state="quarantined", deleting_at=NOW)
    assert sorted(planned(at(archived, NOW, verify_days=1))) == sorted(rest)
    assert sorted(planned(at(archived, NOW), ALL)) == sorted(rest)
