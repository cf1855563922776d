"""Completeness over time: a run asks from the end of gap-free coverage, whatever interval it was given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from recording_archive.archiving.coverage import Reach, describe_hole, reach
from recording_archive.model import Window

DAY = timedelta(days=1)
EPOCH = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: int, length: int = 1) -> Window:
    return Window(EPOCH + number * DAY, EPOCH + (number + length) * DAY)


def ask(interval: Window, covered: list[Window], epoch: datetime | None = EPOCH) -> Reach:
    return reach(interval, covered, epoch=epoch, look_back=2 * DAY, most=7 * DAY)


def test_first_run_looks_back() -> None:
    """The very first run asks for its interval and the day before, and sees no hole."""
    assert ask(day(0), [], epoch=None) == Reach(Window(EPOCH - DAY, EPOCH + DAY))


def test_gap_free_coverage_needs_the_look_back_only() -> None:
    """Without a gap a run asks for two days, for late arrivals."""
    assert ask(day(5), [day(n) for n in range(5)]) == Reach(day(4, 2))


def test_outage_of_days_is_caught_up() -> None:
    """After four days without a run the next one asks for all of them."""
    assert ask(day(9), [day(n) for n in range(5)]) == Reach(day(5, 5))


def test_longer_outage_is_a_named_hole() -> None:
    """A hole longer than the limit is left to a backfill, whose command the run's error holds."""
    found = ask(day(20), [day(n) for n in range(5)])
    assert found == Reach(day(19, 2), hole=Window(EPOCH + 5 * DAY, EPOCH + 19 * DAY))
    told = describe_hole(found.hole)
    assert told
    assert "airflow backfill create --dag-id archive_recordings --from-date 2026-03-06T00:00:00+00:00" in told


def test_backfill_closes_the_hole() -> None:
    """Ranges of other runs count: once a backfill covered the hole, no run names it."""
    covered = [*(day(n) for n in range(5)), day(5, 15)]
    assert ask(day(20), covered) == Reach(day(19, 2))


def test_backfill_of_last_year_makes_no_hole() -> None:
    """Coverage begins with the first scheduled run: an older backfilled month leaves no hole behind it."""
    assert ask(day(1), [day(-300, 30), day(0)]) == Reach(day(0, 2))


@given(st.sets(st.integers(0, 40)), st.integers(0, 45))
def test_nothing_between_is_ever_forgotten(covered_days: set[int], today: int) -> None:
    """Every uncovered day since the epoch is asked for, or lies in the named hole or after it in the range."""
    interval = day(today)
    covered = [day(n) for n in sorted({0, *covered_days})]
    found = ask(interval, covered)
    assert found.window.end == interval.end
    for number in range(today):
        moment = EPOCH + number * DAY
        if any(moment in window for window in covered) or moment in found.window:
            continue
        assert found.hole is not None
        assert moment in found.hole
