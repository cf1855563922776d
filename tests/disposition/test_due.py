"""Judging what is due: when, and why the rest stays."""

from __future__ import annotations

from datetime import timedelta

from recording_archive.archive import Archive
from recording_archive.disposition.plan import make_plan
from support.contents import change, ids, rows
from support.retention_run import EXPIRED, at, hold

DAY = timedelta(days=1)


def test_nothing_is_due_before_its_time(archived: Archive) -> None:
    """The moment a recording expires it is due, and not a second before."""
    youngest = max(row.interaction_date for row in rows(archived).values())
    expiry = youngest + 90 * DAY
    assert make_plan(at(archived, expiry - timedelta(seconds=1)), "retention__1").counts["quarantine"] == 5
    assert make_plan(at(archived, expiry), "retention__2").counts["quarantine"] == 6


def test_the_reasons_add_up_to_the_archive(archived: Archive) -> None:
    """What is planned and what is kept, by reason, is all that lies in the archive."""
    young, undated, bad, held, *_ = ids(archived)
    change(archived, young, interaction_date=EXPIRED)
    change(archived, undated, interaction_date=None)
    change(archived, bad, verified_ok=None)
    hold(archived, held)
    plan = make_plan(at(archived, EXPIRED), "retention__1")
    assert plan.kept == {"too_young": 1, "undated": 1, "unverified": 1, "held": 1}
    assert plan.counts == {"quarantine": 2, "purge": 0, "erase": 0, "restore": 0}
