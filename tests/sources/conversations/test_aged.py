"""Conversations of more than a year ago: details show them no more by query or by id, and jobs have them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import recordings
from recording_archive.model import Window
from support.night_runs import rows_of
from support.platform_run import PER_DAY, PlatformTasks, Start, archived, nights_later, run, verified_parts
from support.whole_run import NIGHT

AGED_DAY, SHOWN_DAY = datetime(2026, 11, 19, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
BOTH_DAYS = Request(window=Window(AGED_DAY, SHOWN_DAY + timedelta(days=1)))
LATER = 500  # nights


def years_later(start: Start, traps: str = "", **options: Any) -> PlatformTasks:
    """Tasks that run long after two days of conversations, of which details show those of the second alone."""
    given = {"days": 2, "per_day": PER_DAY // 2, "data_lag_hours": 0, "details_days": 1, **options}
    return replace(start(traps, **given), now=lambda: NIGHT + timedelta(days=LATER))


def test_what_only_jobs_have_is_archived_with_all_that_the_job_gave(start: Start, archive: Archive) -> None:
    """Listed and archived with agent and queue, by one job to list and one for each hundred to archive."""
    tasks = years_later(start)
    ended = run(tasks, archive, "manual__0", BOTH_DAYS)
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    with archive.catalog.read() as connection:
        people = connection.execute(select(recordings.c.agent_name, recordings.c.queue_name)).all()
    assert [row for row in people if not all(row)] == []
    asked = [request.path for request in tasks.cloud.requests if request.path.endswith("/details/jobs")]
    assert len(asked) == 2


def test_what_lies_in_cold_storage_is_taken_up_by_a_later_run(start: Start, archive: Archive) -> None:
    """The night after its restore, though no run lists it any more."""
    tasks = years_later(start, "archived")
    first = run(tasks, archive, "manual__0", BOTH_DAYS)
    assert first.report["deferred"] == 2
    tasks.cloud.world.finish_restores()
    second = nights_later(tasks, archive, LATER + 1)
    assert len(archived(second)) == 2
    assert verified_parts(tasks, archive, second) == set(tasks.cloud.world.truth())


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_job_that_fails_costs_what_only_jobs_have(start: Start, archive: Archive, status: int) -> None:
    """Each of those is a failure by name with the service's words; the others are archived."""
    tasks = years_later(start)
    tasks.cloud.faults.add(Fault("status", "jobs", route="POST *", after=1, status=status))
    ended = run(tasks, archive, "manual__0", BOTH_DAYS)
    old = {each.id for each in tasks.cloud.world.conversations if each.start < SHOWN_DAY}
    told = {row["interactionId"]: row["error"] for row in rows_of(archive, ended) if row["status"] == "failed"}
    assert told.keys() == old
    assert all("no longer show it" in error and f": {status}" in error for error in told.values()), told
    assert {part.interaction_id for part in archived(ended)} == {
        each.id for each in tasks.cloud.world.conversations if each.id not in old
    }


def test_young_ones_that_are_not_shown_cost_no_job(start: Start, archive: Archive) -> None:
    """Within a year details have all there is: what they do not show was moved, or is an orphan."""
    tasks = replace(years_later(start, "orphans"), now=lambda: NIGHT)
    ended = run(tasks, archive, "manual__0", BOTH_DAYS)
    assert not [request for request in tasks.cloud.requests if "/details/jobs" in request.path]
    assert {part.interaction_id for part in archived(ended)} == {
        *(each.id for each in tasks.cloud.world.conversations if each.start >= SHOWN_DAY),
        *(each.id for each in tasks.cloud.world.orphans),
    }
