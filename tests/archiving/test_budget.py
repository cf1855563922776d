"""What a night costs in requests to the platform API, by the sandbox's own count and a clock of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.archiving import download, work_rows
from recording_archive.archiving.discover import discover
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import recordings, runs, work
from recording_archive.model import Outcome, State, Window
from recording_archive.sources.conversations import ConversationsSource
from support.platform_run import SleepClock, platform_client
from support.whole_run import at

BUDGET_MINUTES, PER_MINUTE = 27, 300
A_DAY = timedelta(days=1)
END = datetime(2026, 11, 21, tzinfo=UTC)


def night(
    cloud: Sandbox, archive: Archive, names: Path, window: Window, run_id: str, *, clock: SleepClock
) -> Counter[str]:
    """The API requests of one scheduled run, each batch with a source of its own, as tasks have; no media."""
    before = Counter(cloud.requests.counts)
    now = window.end + timedelta(minutes=5)

    def source() -> ConversationsSource:
        client = platform_client(cloud)
        return ConversationsSource(
            client, organization="default", names_file=names, sleep=clock.sleep, clock=clock, now=lambda: now
        )

    request = Request(window=window, scheduled=True)
    batches = discover(at(archive, now), source(), request, run_id)
    with archive.catalog.write() as connection:  # as large a run as the one that is projected
        connection.execute(update(runs).where(runs.c.run_id == run_id).values(asked=100_000))
    for batch in batches:
        with archive.catalog.read() as connection:
            todo = work_rows.open_work(connection, run_id, batch.number, staged=False)
        list(download._resolved(at(archive, now), source(), todo, threading.Event()))
    with archive.catalog.write() as connection:
        connection.execute(update(recordings).values(state=State.ARCHIVED))
        connection.execute(update(work).where(work.c.outcome.is_(None)).values(outcome=Outcome.SUCCESS))
    found = cloud.requests.counts - before
    return Counter({kind: count for kind, count in found.items() if kind not in {"token", "media"}})


LONG = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("per_day", "batch_s"),
    [(2500, 20.0), pytest.param(10_000, 12.0, marks=LONG), pytest.param(10_000, 60.0, marks=LONG)],
)
def test_a_hundred_thousand_conversations_a_day_fit_the_budget(
    archive: Archive, tmp_path: Path, per_day: int, batch_s: float, record_property: Callable[[str, object], None]
) -> None:
    """Below half an hour of one token, the day before included, which is asked again for what came later.

    No time passes while media are fetched, so a task polls its first batch in vain when that takes over 15 seconds.
    """
    small = {"days": 2, "per_day": per_day, "min_bytes": 100, "max_bytes": 200, "end": END.date()}
    options = SandboxOptions(**small, rate_per_minute=0, traps="transfers", batch_polls=0, batch_s=batch_s)
    names, clock = tmp_path / "names.json", SleepClock()
    with Sandbox(options) as cloud:
        cloud.world.clock = clock
        night(cloud, archive, names, Window(END - 2 * A_DAY, END - A_DAY), "scheduled__0", clock=clock)
        spent = night(cloud, archive, names, Window(END - A_DAY, END), "scheduled__1", clock=clock)
        conversations = sum(each.start >= END - A_DAY for each in cloud.world.conversations)
    fixed = spent.pop("directory")  # names are looked up once, however many conversations there are
    minutes = (spent.total() / conversations * 100_000 + fixed) / PER_MINUTE
    record_property("requests", f"{dict(spent)} for {conversations} conversations: {minutes:.1f} minutes for 100,000")
    assert minutes < BUDGET_MINUTES, spent
