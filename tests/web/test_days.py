"""Green means complete: a day, a run and the calendar say what is missing, damaged or a gap, with its number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import insert, select, update

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive
from recording_archive.archiving.account import acknowledge_gaps
from recording_archive.archiving.report import Summary
from recording_archive.catalog.tables import coverage, runs
from recording_archive.model import Window
from support.contents import amend, change, ids
from support.web_pages import HTML

DAY = "2026-11-20"


def day_of(client: TestClient) -> dict[str, Any]:
    """What the API says of the day of the archived recordings."""
    (day,) = client.get(f"api/coverage?from={DAY}&to={DAY}").json()["days"]
    return {name: value for name, value in day.items() if value and name != "date"}


def said(client: TestClient) -> str:
    """What the calendar says of the day, and where it leads."""
    page = client.get(f"/overview?until={DAY}", headers=HTML).text
    cell = page.split(f'aria-label="{DAY}: ')[1].split('"')[0]
    link = page.split(f'aria-label="{DAY}: ')[0].rsplit('href="', 1)[1].split('"')[0]
    return f"{cell} -> {link.removeprefix('./').replace('&amp;', '&')}"


def test_what_was_never_archived_is_missing_on_its_day(app_client: TestClient, archived: Archive) -> None:
    """Whether a person accepted that or not; the calendar leads to it."""
    assert day_of(app_client) == {"state": "complete"}
    assert said(app_client) == f"complete -> ?from={DAY}&to={DAY}"
    first, second, third, *_ = ids(archived)
    for name in (first, second):
        amend(archived, name, state="discovered", failed_since=archived.clock(), failures=1)
    amend(archived, second, acknowledged_at=archived.clock())
    assert day_of(app_client) == {"state": "missing", "missing": 2, "accepted": 1}
    linked = f"?from={DAY}&to={DAY}&status=discovered"
    assert said(app_client) == f"2 missing, 1 of them accepted by a person -> {linked}"
    assert app_client.get(f"/{linked}", headers=HTML).text.count("data-open") == 2
    amend(archived, third, verified_ok=False)
    assert day_of(app_client) == {"state": "damaged", "missing": 2, "accepted": 1, "damaged": 1}
    assert said(app_client).startswith("2 missing, 1 of them accepted by a person, 1 damaged -> ")


def test_what_the_source_counted_and_did_not_list_is_partial(app_client: TestClient, archived: Archive) -> None:
    """Until it is listed, or a person accepts it; hours that nobody asked for are a gap."""
    start, end = datetime(2026, 11, 20, 9, tzinfo=UTC), datetime(2026, 11, 20, 10, tzinfo=UTC)
    gap = {"start": start.isoformat(), "end": end.isoformat(), "missing": 3, "reason": "short"}
    with archived.catalog.write() as connection:
        (row,) = connection.execute(select(coverage)).mappings()
        connection.execute(update(coverage).values(end=start))
        connection.execute(insert(coverage).values({**row, "id": 99, "start": end}))
    assert day_of(app_client) == {"state": "gap"}
    with archived.catalog.write() as connection:
        connection.execute(update(runs).values(listing={"listed": 1, "counted": 4, "gaps": [gap]}))
    assert day_of(app_client) == {"state": "partial"}
    assert said(app_client).startswith("partial: the source counted more than it listed -> ")
    assert acknowledge_gaps(archived, Window(start, end), reason="known", actor="ann")
    assert day_of(app_client) == {"state": "complete"}


def test_a_run_says_how_it_left_its_range(
    app_client: TestClient, archived: Archive, cloud: Sandbox, run: Callable[..., Summary]
) -> None:
    """Complete only when nothing of it is missing."""
    assert "<dd>complete</dd>" in app_client.get("/runs/scheduled__first", headers=HTML).text
    first, second, *_ = ids(archived)
    for name in (first, second):
        change(archived, name, state="discovered", key=None)
        cloud.faults.add(Fault("status", "media", recording=name, status=404))
    run(archived, "scheduled__again")
    page = app_client.get("/runs/scheduled__again", headers=HTML).text
    assert "<dd>2 missing: later runs try them again</dd>" in page
