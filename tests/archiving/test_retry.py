"""Failures come back after 1, 2, 4 … days, until a person must decide."""

from __future__ import annotations

from sqlalchemy import select

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import recordings
from support.night_runs import A_DAY, fail, nightly, with_settings
from support.whole_run import (
    DAY,
    NIGHT,
    Tasks,
    at,
    check_archive,
)


def test_a_failure_is_carried_over_and_colours_no_later_run(tasks: Tasks, archive: Archive) -> None:
    """The next night takes it up, lists it as carried over, and is green whether it fails again or not."""
    victim = tasks.cloud.library[0]
    fail(tasks.cloud, victim)
    first = nightly(tasks, archive, 0)
    assert (first.summary.problems, first.report["carriedOver"]) == (("1 of 6 recordings failed",), [])
    second = nightly(tasks, archive, 1)
    listed = [{"interactionId": victim.id, "recordingId": victim.id, "part": 0}]
    assert (second.summary.problems, second.report["carriedOver"], second.report["failed"]) == ((), listed, 1)
    tasks.cloud.faults.clear()
    third = nightly(tasks, archive, 3)
    assert (third.summary.problems, third.report["carriedOver"], third.report["successful"]) == ((), listed, 1)
    assert nightly(tasks, archive, 4).report["carriedOver"] == []
    check_archive(archive, tasks.cloud.library)


def test_a_failure_is_tried_after_1_2_and_4_days_and_given_up_after_retry_days(tasks: Tasks, archive: Archive) -> None:
    """Out of the look-back's reach, the nights of the tries are those of the schedule, up to the last allowed day."""
    archive = with_settings(archive, look_back_days=1, retry_days=14)
    fail(tasks.cloud, tasks.cloud.library[0])
    tried = [night for night in range(20) if nightly(tasks, archive, night).report["failed"]]
    assert tried == [0, 1, 3, 7]
    longer = with_settings(archive, retry_days=60)
    assert nightly(tasks, longer, 20).report["failed"] == 1


def test_a_failure_booked_in_the_future_is_due_now(tasks: Tasks, archive: Archive) -> None:
    """A clock that was ten years ahead puts no recording off for ten years, nor counts its days from there."""
    archive = with_settings(archive, look_back_days=1)
    victim = tasks.cloud.library[0]
    fail(tasks.cloud, victim)
    tasks(at(archive, NIGHT.replace(year=2036)), "scheduled__0", Request(window=DAY, scheduled=True))
    assert nightly(tasks, archive, 1).report["failed"] == 1
    with archive.catalog.read() as connection:
        found = select(recordings.c.failed_since).where(recordings.c.interaction_id == victim.id)
        assert connection.execute(found).scalar_one() == NIGHT + A_DAY
    tasks.cloud.faults.clear()
    assert nightly(tasks, archive, 3).entries[victim.id]["status"] == "success"


def test_a_failure_that_nobody_lists_any_more_stays_a_failure_by_name(tasks: Tasks, archive: Archive) -> None:
    """A carried-over recording that the source deleted meanwhile is told so; the run goes on."""
    archive = with_settings(archive, look_back_days=1)
    victim = tasks.cloud.library[0]
    tasks.cloud.faults.add(Fault("set_fields", "query", recording=victim.id, values={"id": "deleted-later"}))
    assert nightly(tasks, archive, 0).entries["deleted-later"]["status"] == "failed"
    tasks.cloud.faults.clear()
    again = nightly(tasks, archive, 1)
    assert "no longer lists it" in again.entries["deleted-later"]["error"]
    assert again.summary.problems == ()
