"""Totals of recordings by day: they are what a count of the rows gives, whatever is done to the rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, delete, event, func, insert, select, update

from recording_archive.archiving.completeness import day_window
from recording_archive.catalog import day_totals as totals
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import insert_missing
from recording_archive.catalog.tables import day_totals, recordings
from recording_archive.model import STORED, State
from support.total_rows import any_row, shuffle

_c = recordings.c
NOW = datetime(2026, 11, 28, 9, 30, 0, 500_000, tzinfo=UTC)


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    """Recordings of every state, some without dates, all around `NOW`."""
    dice = random.Random(16)  # noqa: S311 - the same rows each time
    with catalog.write() as connection:
        connection.execute(insert(recordings), [any_row(dice, number, NOW) for number in range(600)])
    return catalog


def test_totals_are_what_a_count_gives_after_every_change(filled: Catalog) -> None:
    """Rows that come twice, change, change in nothing, or go: after each statement nothing differs."""
    dice = random.Random(5)  # noqa: S311 - the same rows each time
    with filled.write() as connection:
        for _ in range(60):
            shuffle(connection, dice, NOW)
            assert list(totals.differing(connection)) == []
        insert_missing(connection, recordings, [any_row(dice, number, NOW) for number in range(590, 610)])
        assert list(totals.differing(connection)) == []
        connection.execute(delete(recordings))
        assert list(totals.differing(connection)) == []
        assert totals.sums_by_state(connection) == {state: totals.Sums() for state in State}


def test_what_is_rolled_back_is_not_counted(filled: Catalog) -> None:
    """A transaction that fails leaves the totals as they were."""
    with filled.write() as connection:
        connection.execute(update(recordings).values(state=State.PURGED))
        connection.rollback()
    with filled.read() as connection:
        assert list(totals.differing(connection)) == []


def test_a_total_that_is_wrong_is_named_and_counted_anew(filled: Catalog) -> None:
    """Whoever changes the table by hand is found out."""
    with filled.write() as connection:
        connection.execute(update(day_totals).where(day_totals.c.day == "2026-11-27").values(recordings=99))
        assert any("2026-11-27" in each and "99" in each for each in totals.differing(connection))
        totals.recount(connection)
        assert list(totals.differing(connection)) == []


def test_states_are_summed_up(filled: Catalog) -> None:
    """Recordings and bytes of each state, what has no date, and what was damaged."""
    with filled.read() as connection:
        found = totals.sums_by_state(connection)
        for state in State:
            assert found[state] == count(connection, _c.state == state)
        stored = _c.state.in_(STORED)
        assert totals.count_undated(connection) == count(connection, stored, _c.interaction_date.is_(None)).recordings
        assert totals.count_damaged(connection) == count(connection, stored, _c.verified_ok.is_(False)).recordings


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
def test_days_of_any_zone_are_exact(filled: Catalog, zone: str) -> None:
    """Days that begin within a day of UTC, some of 23 or 25 hours, have what a count between their ends gives."""
    days = [day_window(NOW.date() - timedelta(days=back), ZoneInfo(zone)) for back in range(-2, 60)]
    with filled.read() as connection:
        for window, sums in zip(days, totals.sums_within(connection, days), strict=True):
            within = (_c.interaction_date >= window.start, _c.interaction_date < window.end)
            assert sums == count(connection, _c.state.in_(STORED), *within)
        assert totals.sums_within(connection, []) == []


def test_ages_are_exact_to_the_microsecond(filled: Catalog) -> None:
    """Sound recordings read since a moment, which may be the very one of a reading."""
    with filled.read() as connection:
        read = connection.execute(select(_c.verified_at).where(_c.verified_at.is_not(None)).limit(20)).scalars().all()
        since = [*read, NOW, NOW - timedelta(days=1), NOW.replace(hour=0, minute=0, second=0, microsecond=0)]
        sound = (_c.state.in_(STORED), _c.verified_ok.is_(True), _c.verified_at.is_not(None))
        everything, *found = totals.count_sound(connection, since)
        assert everything == count(connection, *sound).recordings
        assert found == [count(connection, *sound, _c.verified_at >= moment).recordings for moment in since]


def count(connection: Connection, *where: Any) -> totals.Sums:
    """Count rows one by one."""
    sums = (func.coalesce(func.sum(column), 0) for column in (_c.size_bytes, _c.stored_bytes))
    return totals.Sums(*connection.execute(select(func.count(), *sums).where(*where)).one())


def test_days_without_totals_are_not_read_from_rows(filled: Catalog, statements: Callable[[], list[str]]) -> None:
    """Figures of whole days read no row of `recordings`: they cost the same for a million."""
    days = [day_window(NOW.date() - timedelta(days=back), ZoneInfo("UTC")) for back in range(30)]
    with filled.read() as connection:
        totals.sums_within(connection, days)
        totals.sums_by_state(connection)
    assert statements()
    assert not any("FROM recordings" in each for each in statements())


@pytest.fixture
def statements(filled: Catalog) -> Callable[[], list[str]]:
    """The statements from now on."""
    said: list[str] = []

    @event.listens_for(filled.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    return lambda: said
