"""Home: what a records manager sees first is what came of last night, and what needs a person."""

from __future__ import annotations

from datetime import timedelta

from fastapi.testclient import TestClient
from sqlalchemy import insert, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import coverage
from recording_archive.disposition.plan import make_plan
from support.contents import amend, ids
from support.retention_run import EXPIRED, at
from support.web_pages import HTML, parse


def home(client: TestClient) -> str:
    """The page, as one line of text without tags around numbers."""
    page = client.get("/overview", headers=HTML).text
    return " ".join(page.replace("<strong>", "").replace("</strong>", "").split())


def covered_until_now(archive: Archive) -> None:
    """Let runs have asked for everything since the day of the recordings."""
    with archive.catalog.write() as connection:
        connection.execute(update(coverage).values(end=archive.clock()))


def test_last_night_is_told_and_nothing_needs_anybody(app_client: TestClient, archived: Archive) -> None:
    """The equation of the last scheduled run, without a click; Home is the first tab."""
    covered_until_now(archived)
    page = home(app_client)
    assert "6 asked = 6 archived." in page
    assert "Nothing needs you." in page
    assert page.index(">Home<") < page.index(">Recordings<")


def test_what_needs_a_person_is_listed_with_its_number_and_its_place(app_client: TestClient, archived: Archive) -> None:
    """Damage, failures, a plan, a gap: each leads to where it is decided."""
    covered_until_now(archived)
    first, second, third, *_ = ids(archived)
    amend(archived, first, verified_ok=False)
    long_ago = archived.clock() - timedelta(days=90)
    for name in (second, third):
        amend(archived, name, state="discovered", failed_since=long_ago, failures=9)
    with archived.catalog.write() as connection:
        row = connection.execute(select(coverage)).mappings().first()
        assert row
        earlier = {"start": row["start"] - timedelta(days=6), "end": row["start"] - timedelta(days=2)}
        connection.execute(insert(coverage).values({**row, **earlier, "id": 99}))
    make_plan(at(archived, EXPIRED), "retention__1")
    page = home(app_client)
    assert "Nothing needs you." not in page
    for said, link in (
        ("1 damaged at the last reading", "./?verified=failed"),
        ("2 could not be archived, and no run tries again", "./failures"),
        ("3 in a plan (retention) that waits for approval", "./retention/runs/retention__1"),
        ("2 days with hours that were never asked for", "./overview#coverage"),
    ):
        assert f'<a href="{link}">{said}</a>' in page, said
        assert link in parse(page).links
