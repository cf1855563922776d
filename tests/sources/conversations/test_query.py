"""The details query: windows of any size, and its true end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from genesys_sandbox import Fault
from recording_archive.model import Window
from recording_archive.sources.conversations.query import DetailsQuery
from support.platform_run import PER_DAY, Start, platform_client
from support.whole_run import DAY

DAY_LONG = DAY.end - DAY.start


@pytest.mark.parametrize("traps", ["", "silent_limit"])
def test_windows_shrink_until_the_service_takes_them(start: Start, traps: str) -> None:
    """Interval and result limits of any size are found by asking, announced or not; each conversation is listed."""
    tasks = start(traps, days=6, interval_days=1, max_results=100, per_day=130)
    query = DetailsQuery(platform_client(tasks.cloud))
    window = Window(datetime(2026, 11, 15, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    found = {each.id for each in query.began_in(window)}
    assert found == {each.id for each in tasks.cloud.world.conversations}
    before = tasks.cloud.requests.counts["details"]
    assert {each.id for each in query.began_in(window)} == found
    assert tasks.cloud.requests.counts["details"] - before < before


def test_conversations_of_other_days_are_clamped(start: Start) -> None:
    """The service gives whatever was active on a day that the interval touches."""
    tasks = start()
    window = Window(datetime(2026, 11, 20, 10, tzinfo=UTC), datetime(2026, 11, 20, 12, tzinfo=UTC))
    found = [each.started_at for each in DetailsQuery(platform_client(tasks.cloud)).began_in(window)]
    assert all(moment in window for moment in found if moment)
    assert len(found) == sum(each.start in window for each in tasks.cloud.world.conversations)


def test_a_query_that_ends_early_is_asked_again_then_it_is_a_gap(start: Start) -> None:
    """Its totalHits may count what other divisions hide: each conversation comes, and the shortfall is told."""
    tasks = start()
    tasks.cloud.faults.add(Fault("set_fields", "details", values={"totalHits": PER_DAY + 5}))
    query = DetailsQuery(platform_client(tasks.cloud))
    assert len({each.id for each in query.began_in(DAY)}) == PER_DAY
    assert [gap.window.start for gap in query.gaps] == [DAY.start, DAY.start + DAY_LONG / 2]
    assert all(f"of {PER_DAY + 5}" in gap.reason for gap in query.gaps)


def test_a_refused_conversation_does_not_shorten_the_windows(start: Start) -> None:
    """A 400 for one conversation is told from one for a window that is too long, so that it costs few requests."""
    tasks = start(days=3)
    bad = tasks.cloud.world.conversations[30].id
    tasks.cloud.faults.add(Fault("status", "details", recording=bad, status=400))
    query = DetailsQuery(platform_client(tasks.cloud))
    found = {each.id for each in query.began_in(Window(DAY.start - 2 * DAY_LONG, DAY.end))}
    assert found == {each.id for each in tasks.cloud.world.conversations if each.id != bad}
    assert tasks.cloud.requests.counts["details"] < 40
