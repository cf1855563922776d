"""Totals of a run, and the problems that make it failed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import runs, work
from recording_archive.model import Outcome
from recording_archive.reports.reading import read_rows
from support.night_runs import fail, rows_of, with_settings
from support.whole_run import (
    NIGHT,
    Tasks,
    reported,
)


@pytest.mark.parametrize(("ratio", "failed"), [(0.0, True), (0.16, True), (0.17, False), (1.0, False)])
def test_failures_up_to_the_allowed_ratio_leave_the_run_green(
    tasks: Tasks, archive: Archive, ratio: float, failed: bool
) -> None:
    """One of six is more than 0.16 and less than 0.17; the entry is failed either way."""
    fail(tasks.cloud, tasks.cloud.library[0])
    ended = tasks(with_settings(archive, allowed_failure_ratio=ratio), "scheduled__1")
    assert ended.summary.failed == failed
    assert ended.statuses == {"success": 5, "failed": 1}


@example([("failed", False, "a\rb"), ("failed", True, '=a\n,"')])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([None, *Outcome]), st.booleans(), st.text(max_size=5)), max_size=12))
def test_totals_are_what_a_recount_of_the_rows_gives(archive: Archive, ends: list[tuple[Any, bool, str]]) -> None:
    """Whatever the outcomes, JSON and CSV tell the same, the books close, and failures of its own fail the run."""
    with archive.catalog.write() as connection:
        run_id = f"manual__{connection.execute(select(func.count()).select_from(runs)).scalar_one()}"
        facts = {"source": "s", "kind": "range", "started_at": NIGHT, "asked": len(ends)}
        connection.execute(insert(runs).values(run_id=run_id, **facts))
        for number, (outcome, carried_over, text) in enumerate(ends):
            who = {"run_id": run_id, "interaction_id": f"{text}{number}", "recording_id": "r", "part": 0}
            known = {"carried_over": carried_over, "outcome": outcome, "error": text or None, "key": "a.wav.gz"}
            connection.execute(insert(work).values(**who, **known, expected_bytes=0, staged=False))
    ended = reported(archive, run_id)
    counted = Counter(row["status"] for row in rows_of(archive, ended))
    expected = Counter(str(outcome or "failed") for outcome, _, _ in ends)
    assert counted == expected
    names = [row["interactionId"] for row in read_rows(archive.store, ended.summary.report_key)]
    assert names == [f"{text}{number}" for number, (_, _, text) in enumerate(ends)]
    told = ended.report
    shares = {"success": told["successful"], "failed": told["failed"], "checksum_mismatch": told["checksumErrors"]}
    rest = {"already_archived": told["alreadyArchived"], "excluded": told["excluded"], "missing": len(told["missing"])}
    assert +Counter(shares | rest | {"deferred": told["deferred"]}) == expected
    assert told["totalProcessed"] == len(told["entries"]) == sum(shares.values())
    bad = [end for end in ends if end[0] in {None, "failed", "checksum_mismatch"} and not end[1]]
    assert ended.summary.failed == bool(bad or expected["missing"])
