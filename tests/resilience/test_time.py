"""Outages, daylight saving, old dates and wrong clocks: no day is missing, and nothing is archived twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request, read_request
from recording_archive.catalog.tables import coverage
from recording_archive.model import Window
from support.fault_cases import A_DAY
from support.whole_run import DAY, NIGHT, Ended, Tasks, at, check_archive, check_books, objects


@pytest.fixture(scope="module")
def month() -> Iterator[Sandbox]:
    """One small call a day for 20 days around the end of summer time, 25 October 2026."""
    options = SandboxOptions(
        days=20, per_day=1, min_bytes=1_000, max_bytes=2_000, end=date(2026, 11, 5), rate_per_minute=0
    )
    with Sandbox(options) as sandbox:
        yield sandbox


def day(number: int, zone: str = "UTC") -> Window:
    """The calendar day so many days after 16 October 2026, from midnight to midnight of the zone."""
    start, end = (datetime(2026, 10, 16, tzinfo=ZoneInfo(zone)) + n * A_DAY for n in (number, number + 1))
    return Window(start.astimezone(UTC), end.astimezone(UTC))


def run_of_day(tasks: Tasks, archive: Archive, number: int, zone: str = "UTC") -> Ended:
    """The scheduled run that Airflow starts just after a day has ended."""
    window = day(number, zone)
    moment = window.end + timedelta(minutes=5)
    return tasks(at(archive, moment), f"scheduled__{window.end:%Y-%m-%d}", Request(window=window, scheduled=True))


@pytest.mark.chaos(family="time", fault="a week's outage")
def test_after_a_week_without_runs_no_day_is_missing(month: Sandbox, archive: Archive) -> None:
    """The first run after the outage asks from where the books ended, though its own interval is one day."""
    tasks = Tasks(month)
    assert run_of_day(tasks, archive, 2).report["asked"] == 2  # two days look-back
    ended = run_of_day(tasks, archive, 10)
    check_books(archive, ended)
    check_archive(archive, month.library)
    assert (ended.report["successful"], ended.summary.problems) == (8, ())
    assert ended.report["rangeStart"] == day(3).start.isoformat()
    assert ended.statuses == {"success": 8}


@pytest.mark.chaos(family="time", fault="an outage too long to catch up")
def test_a_hole_too_large_to_catch_up_fails_each_run_until_a_backfill_closes_it(
    month: Sandbox, archive: Archive
) -> None:
    """The run archives its own days, and its problem is the command that asks for the others."""
    tasks = Tasks(month)
    run_of_day(tasks, archive, 2)
    ended = run_of_day(tasks, archive, 15)
    assert ended.report["successful"] == 2
    (problem,) = ended.summary.problems
    start, end = re.findall(r"(?:from|to)-date (\S+)`?", problem.replace("`", ""))
    hole = Window(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert hole == Window(day(3).start, day(14).start)
    tasks(at(archive, day(15).end), "backfill__1", Request(window=hole))
    ended = run_of_day(tasks, archive, 16)
    assert ended.summary.problems == ()
    assert len(objects(archive)) == 16  # of day 1 to 16
    check_archive(archive, month.library)


@pytest.mark.chaos(family="time", fault="daylight saving ends")
def test_the_day_of_25_hours_leaves_no_gap_and_nothing_twice(month: Sandbox, archive: Archive) -> None:
    """Runs of local days meet at local midnight, whatever its offset; their coverage is one gap-free range."""
    tasks = Tasks(month)
    for number in range(7, 12):
        ended = run_of_day(tasks, archive, number, "Europe/Berlin")
        assert (ended.report["successful"], ended.summary.problems) == (2 if number == 7 else 1, ())
    check_archive(archive, month.library)
    with archive.catalog.read() as connection:
        spans = connection.execute(select(coverage.c.start, coverage.c.end).order_by(coverage.c.end)).all()
    assert all(later.start <= earlier.end for earlier, later in pairwise(spans))
    assert spans[-1].end - spans[0].end == timedelta(days=4, hours=1)


@pytest.mark.chaos(family="time", fault="daylight saving ends, dates given by hand")
def test_dates_given_by_hand_mean_local_days(month: Sandbox, archive: Archive) -> None:
    """The whole local day of 25 hours is asked for, and nothing of its neighbours."""
    conf = {"startDate": "2026-10-25", "endDate": "2026-10-25"}
    zone = ZoneInfo("Europe/Berlin")
    request = read_request(conf, interval=None, scheduled=False, zone=zone, now=NIGHT)
    ended = Tasks(month)(archive, "manual__1", request)
    assert (ended.report["asked"], ended.report["successful"]) == (1, 1)
    assert ended.report["rangeStart"] == "2026-10-24T22:00:00+00:00"
    assert ended.report["rangeEnd"] == "2026-10-25T23:00:00+00:00"


@pytest.mark.chaos(family="time", fault="interaction open for months")
def test_an_interaction_of_months_ago_is_archived_under_its_own_date(month: Sandbox, archive: Archive) -> None:
    """An old interaction asked for by id goes where its own date says, whenever it is archived."""
    old = month.library[0]
    later = datetime(2027, 6, 1, tzinfo=UTC)
    ended = Tasks(month)(at(archive, later), "manual__1", Request(ids=(old.id,)))
    assert ended.entries[old.id]["filePath"].startswith("recordings/org=default/year=2026/month=10/day=16/")
    assert ended.summary.problems == ()


@pytest.mark.parametrize(
    "years",
    [
        pytest.param(years, marks=pytest.mark.chaos(family="time", fault=f"clock wrong by {years:+} years"))
        for years in (-10, 10)
    ],
)
def test_a_clock_that_is_wrong_by_years_loses_nothing(cloud: Sandbox, archive: Archive, years: int) -> None:
    """Keys follow the interaction date, and the next run takes up a failure that was booked at the wrong time."""
    tasks, victim = Tasks(cloud), cloud.library[0]
    cloud.faults.add(Fault("status", recording=victim.id, status=400))
    ended = tasks(at(archive, NIGHT.replace(year=NIGHT.year + years)), "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    assert all("/year=2026/month=11/day=20/" in key for key in objects(archive))
    check_archive(archive, cloud.library)
    cloud.faults.clear()
    next_day = Window(DAY.end, DAY.end + A_DAY)
    again = tasks(at(archive, NIGHT + A_DAY), "scheduled__2", Request(window=next_day, scheduled=True))
    assert again.entries[victim.id]["status"] == "success"
    assert again.report["alreadyArchived"] == 5
    check_archive(archive, cloud.library)
