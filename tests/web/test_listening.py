"""The listening log: who heard what, each access and counted, in pages, as lists, within what may be seen."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.model import PartId
from support.contents import ids, row_of
from support.web_pages import BAD, HTML, parse

DAY = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # the next day in Berlin


@pytest.fixture
def heard(archived: Archive) -> list[str]:
    """Ann plays two calls and fetches one, Bob plays one a day later, and a list is exported."""
    one, two, *_ = found = ids(archived)
    accesses = [
        ("played", one, "ann", DAY),
        ("downloaded", one, "ann", DAY + timedelta(minutes=5)),
        ("played", two, "ann", DAY + timedelta(minutes=9)),
        ("played", one, "Bob", DAY + timedelta(days=1)),
    ]
    with archived.catalog.write() as connection:
        for kind, call, actor, moment in accesses:
            part = PartId(call, row_of(archived, call).recording_id, 0)
            record(connection, kind, part, at=moment, actor=actor, detail={"sha256": "0"})
        record(connection, "exported", None, at=DAY + timedelta(days=2), actor="ann", detail={"list": "recordings"})
        record(connection, "refused", None, at=DAY, actor="eve", detail={"why": "no permission"})
    return found


def listens(client: TestClient, **asked: str) -> list[tuple[str, str, str | None]]:
    """Who did what with which call, as REST tells it."""
    items = client.get("api/listens", params={"from": "2026-01-01", **asked}).json()["items"]
    return [(item["person"], item["kind"], item["interactionId"]) for item in items]


def test_each_access_is_told_with_its_person_the_latest_first(app_client: TestClient, heard: list[str]) -> None:
    """Filters by person in any case, call, kind and day narrow it; a refusal is no access."""
    one, two, *_ = heard
    everything = [
        ("ann", "exported", None),
        ("Bob", "played", one),
        ("ann", "played", two),
        ("ann", "downloaded", one),
        ("ann", "played", one),
    ]
    assert listens(app_client) == everything
    assert listens(app_client, person="bob") == [("Bob", "played", one)]
    assert listens(app_client, id=two) == [("ann", "played", two)]
    assert listens(app_client, kind="downloaded") == [("ann", "downloaded", one)]
    assert listens(app_client, **{"from": "2026-11-21", "to": "2026-11-21"}, zone="UTC") == [("Bob", "played", one)]
    assert len(listens(app_client, **{"from": "2026-11-21", "to": "2026-11-21"}, zone="Europe/Berlin")) == 3
    assert app_client.get("api/listens?kind=heard").status_code == 400


@pytest.mark.usefixtures("heard")
def test_pages_have_each_access_once(app_client: TestClient) -> None:
    """The next page begins where the last ended, also among accesses of one moment."""
    found, after = [], ""
    while True:
        page = app_client.get("api/listens", params={"from": "2026-01-01", "limit": 2, "after": after}).json()
        found += [(item["at"], item["kind"], item["person"]) for item in page["items"]]
        if not (after := page["next"] or ""):
            break
    assert len(found) == len(set(found)) == 5
    assert found == sorted(found, reverse=True)


def test_accesses_are_counted_by_person_day_and_call(app_client: TestClient, heard: list[str]) -> None:
    """Each way adds up to the same; a day is one of the zone that is asked for."""
    counts = {
        by: app_client.get("api/listens/counts", params={"from": "2026-01-01", "by": by, "zone": "UTC"}).json()["items"]
        for by in ("person", "day", "call")
    }
    for groups in counts.values():
        assert sum(each["played"] + each["downloaded"] + each["exported"] for each in groups) == 5
    assert {each["person"]: (each["played"], each["calls"]) for each in counts["person"]} == {
        "ann": (2, 2),
        "Bob": (1, 1),
    }
    assert [each["day"] for each in counts["day"]] == ["2026-11-22", "2026-11-21", "2026-11-20"]
    assert {each["interactionId"]: each["people"] for each in counts["call"]} == {heard[0]: 2, heard[1]: 1, None: 1}
    berlin = app_client.get("api/listens/counts?from=2026-01-01&by=day&zone=Europe/Berlin").json()["items"]
    assert [(each["day"], each["played"]) for each in berlin] == [
        ("2026-11-23", 0),
        ("2026-11-22", 1),
        ("2026-11-21", 2),
    ]


def test_without_a_day_it_is_of_the_last_month(app_client: TestClient, archived: Archive, heard: list[str]) -> None:
    """What is older shows when it is asked for, by day or by call."""
    long_ago = archived.clock() - timedelta(days=40)
    with archived.catalog.write() as connection:
        record(connection, "played", PartId(heard[2], heard[2], 0), at=long_ago, actor="kim")
    persons = {item["person"] for item in app_client.get("api/listens").json()["items"]}
    assert "kim" not in persons
    assert listens(app_client, **{"from": ""}, id=heard[2]) == [("kim", "played", heard[2])]
    assert "kim" in {person for person, *_ in listens(app_client)}


@pytest.mark.usefixtures("heard")
def test_lists_are_whole_and_their_export_is_an_access(app_client: TestClient) -> None:
    """A CSV of all accesses and one of counts; taking either is noted."""
    reply = app_client.get("api/listens?from=2026-01-01&format=csv")
    assert 'filename="listens.csv"' in reply.headers["content-disposition"]
    assert len(list(csv.DictReader(io.StringIO(reply.text)))) == 5
    counted = app_client.get("api/listens/counts?from=2026-01-01&by=person&format=csv")
    assert [row["person"] for row in csv.DictReader(io.StringIO(counted.text))] == ["tester", "ann", "Bob"]
    assert listens(app_client)[:2] == [("tester", "exported", None)] * 2


def test_the_page_leads_from_counts_to_accesses(app_client: TestClient, archived: Archive, heard: list[str]) -> None:
    """Each row of each way to count leads to as many accesses as it says; names stay text."""
    with archived.catalog.write() as connection:
        record(connection, "played", PartId(heard[0], heard[0], 0), at=DAY, actor=BAD)
    for by in ("person", "day", "call"):
        page = app_client.get(f"/listening?by={by}&from=2026-01-01&zone=UTC", headers=HTML).text
        assert "6 accesses by 3 people" in page
        assert "<img" not in page
        leads = [link for link in parse(page).links if "listening?" in link and "by=" not in link]
        assert len(leads) == 3
        counts = [app_client.get(f"/{link.removeprefix('./')}", headers=HTML).text for link in leads]
        told = sum(int(text.split("<h2>")[1].split(" ")[0]) for text in counts)
        assert told == (6 if by != "call" else 5 + 6)  # what is of no call leads to all
