"""The page of a search: words in one box, days in one zone, totals and facets, and what is bounded in time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from recording_archive.archive import Archive
from recording_archive.catalog import ordered, survey
from recording_archive.catalog.search_terms import words_of
from recording_archive.catalog.tables import recordings
from recording_archive.retention import policy_in_force
from support.contents import change, ids, rows
from support.web_pages import HTML, parse


def found(client: TestClient, **asked: str) -> list[str]:
    """The interactions that a search finds, over REST."""
    return [
        item["interactionId"] for item in client.get("api/recordings", params={**asked, "limit": 500}).json()["items"]
    ]


@pytest.fixture
def two(archived: Archive) -> tuple[str, str]:
    """Two calls of one agent with different numbers and queues."""
    one, other = ids(archived)[:2]
    change(archived, one, agent_name="Ann Lee", queue_name="Billing", ani="tel:+442079460958")
    change(archived, other, agent_name="Ann Lee", queue_name="Complaints", ani="tel:+442079460000")
    return one, other


def test_words_must_all_find_the_call(app_client: TestClient, two: tuple[str, str]) -> None:
    """Agent, queue, number and the start of an id in any order; a name of two words is found as it is."""
    one, other = two
    assert sorted(found(app_client, q="ann lee")) == sorted(two)
    assert found(app_client, q="lee billing") == [one]
    assert found(app_client, q="+44 20 7946 0000 ann") == [other]
    assert found(app_client, q=f"ann {one[:8]}") == [one]
    assert found(app_client, q="ann nobody") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ann 020 7946 0958", ["Ann", "020 7946 0958"]),
        ("+44 20 7946 0958 Ann", ["+44 20 7946 0958", "Ann"]),
        ("442079460958 442079460000", ["442079460958", "442079460000"]),
        ("one", ["one"]),
    ],
)
def test_a_number_with_blanks_is_one_word(text: str, words: list[str]) -> None:
    """Short pieces of digits belong together."""
    assert words_of(text) == words


def test_words_for_days_are_days_of_the_zone(app_client: TestClient, archived: Archive) -> None:
    """Midnight is that of the zone that the address names; the page names it, and a hold gets the day itself."""
    zone = ZoneInfo("Pacific/Kiritimati")
    today = datetime.now(UTC).astimezone(zone).date()
    begin = datetime.combine(today, datetime.min.time(), zone)
    early, late = ids(archived)[:2]
    change(archived, early, interaction_date=begin - timedelta(seconds=1))
    change(archived, late, interaction_date=begin)
    assert found(app_client, **{"from": "today", "zone": zone.key}) == [late]
    page = app_client.get("/", params={"from": "today", "zone": zone.key}, headers=HTML).text
    assert f'data-zone-of-page="{zone.key}"' in page
    assert f"holds/new?from={today}" in page
    assert early in found(app_client, **{"from": "2d", "zone": zone.key})
    wrong = app_client.get("api/recordings", params={"zone": "Mars/Base"})
    assert (wrong.status_code, "Mars/Base" in wrong.json()["detail"]) == (400, True)


@pytest.mark.usefixtures("two")
def test_facets_count_what_their_links_find(app_client: TestClient, archived: Archive) -> None:
    """Each value of a queue stands with its number; the link finds as many."""
    page = app_client.get("/", headers=HTML).text
    facets = page[page.index('class="facets"') : page.index("data-picked")]
    told = re.findall(r'href="(\./\?queue=[^"]+)"><span class="cut">([^<]+)</span> <span class="muted">(\d+)<', facets)
    counted = {name: int(count) for _, name, count in told}
    have = [row.queue_name for row in rows(archived).values()]
    assert counted == {name: have.count(name) for name in have}
    for link, name, count in told:
        reply = app_client.get(link.removeprefix(".").replace("&amp;", "&"), headers=HTML).text
        assert len({each for each in parse(reply).links if "/recordings/" in each and "api" not in each}) == int(
            count
        ), name


def test_a_facet_is_of_one_name_and_of_everybody_who_took_part(app_client: TestClient, archived: Archive) -> None:
    """Agent 1 is not Agent 12; who was a second agent counts, and is found; the same in another spelling is one."""
    one, two, three, *others = ids(archived)
    for each, name in ((one, "Zed 1"), (two, "ZED  1"), (three, "Zed 12"), *((each, "Zed 12") for each in others)):
        change(archived, each, agent_name=name, parties=[])
    change(archived, others[0], parties=[{"agentName": "Zed 1", "certain": False}])
    page = app_client.get("/", headers=HTML).text
    found_there = re.findall(
        r'href="\./(\?agent=[^"]+)"><span class="cut">(Zed\s+1)</span> <span class="muted">(\d+)<', page, re.I
    )
    assert [count for _, _, count in found_there] == ["3"]
    link = found_there[0][0]
    listed = app_client.get(f"api/recordings{link}&limit=500").json()["items"]
    assert sorted(row["interactionId"] for row in listed) == sorted((one, two, others[0]))
    assert len(found(app_client, agent="Zed 1")) == len(ids(archived))
    narrowed = app_client.get(f"/{link}", headers=HTML).text
    assert "holds/new?agents=" in narrowed
    assert "%22" not in narrowed.split("holds/new?agents=")[1].split('"')[0]


def fill(archive: Archive, count: int) -> None:
    """Enter more recordings."""
    with archive.catalog.write() as connection:
        model = connection.execute(select(recordings).limit(1)).mappings().one()
        sides = ("inbound", "outbound")
        facts = [
            {
                "interaction_id": f"more-{n:03}",
                "recording_id": f"more-{n:03}",
                "key": f"x/{n}",
                "direction": sides[n % 2],
            }
            for n in range(count)
        ]
        connection.execute(insert(recordings), [{**model, **each} for each in facts])


def test_totals_are_said_as_far_as_they_are_known(
    app_client: TestClient, archived: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them; "more than" where counting stops; none where it takes too long, and the page comes all the same."""
    fill(archived, 60)
    total = len(rows(archived))
    assert f"the first 50 of {total}, newest first" in app_client.get("/", headers=HTML).text
    with monkeypatch.context() as patch:
        patch.setattr(survey, "MOST", 55)
        page = app_client.get("/", headers=HTML).text
        assert "the first 50 of more than 55, newest first" in page
        assert "Numbers are of the newest 55" in page
    monkeypatch.setattr(survey, "WITHIN_S", -1)
    monkeypatch.setattr(survey, "_STEPS", 1)
    page = app_client.get("/", headers=HTML)
    assert page.status_code == 200
    assert "the first 50, newest first" in page.text
    assert 'class="facets"' not in page.text


def test_failures_and_the_long_unread_are_found(app_client: TestClient, archived: Archive) -> None:
    """Not verified since a day: read before it, or never, and in the archive. Failed: it never came."""
    one, two, three = ids(archived)[:3]
    change(archived, one, verified_at=datetime(2026, 1, 1, tzinfo=UTC))
    change(archived, two, verified_at=None, verified_ok=None)
    change(archived, three, state="discovered", failed_since=archived.clock(), failures=1, verified_at=None)
    assert sorted(found(app_client, notVerifiedSince="2026-06-01")) == [one, two]
    assert found(app_client, failure="yes") == [three]
    page = app_client.get("/?failure=yes", headers=HTML).text
    assert "Found" in page
    assert "failed<a" in page


def test_rules_and_the_end_of_days_are_found(app_client: TestClient, archived: Archive, two: tuple[str, str]) -> None:
    """Over REST, in the page and in CSV, to the day of the zone; the page names both, and links a pack of them."""
    policy = b"name: P\ndefaultDays: 100\nrules:\n- {name: Money, days: 400, queues: [escrow]}\n"
    policy_in_force.adopt(archived, policy, "p.yaml", actor="rosa")
    one, other = two
    change(archived, one, interaction_date=datetime(2026, 11, 1, 23, 30, tzinfo=UTC), queue_name="Escrow")
    change(archived, other, interaction_date=datetime(2026, 11, 1, 12, tzinfo=UTC))
    assert found(app_client, rule="money") == [one]
    assert other in found(app_client, rule="default")
    assert found(app_client, expires_from="2027-12-06", expires_to="2027-12-06") == [one]
    assert found(app_client, expires_from="2027-12-07", expires_to="2027-12-07", zone="Europe/Berlin") == [one]
    assert other in found(app_client, expires_to="2027-02-09", zone="UTC")
    query = {"rule": "Money", "expires_from": "2027-12-06"}
    page = app_client.get("/", params=query, headers=HTML).text
    assert one in page
    assert other not in page
    assert "rule Money<a" in page
    assert "expires from 2027-12-06<a" in page
    listed = app_client.get("api/recordings", params={**query, "format": "csv"}).text
    assert (one in listed, other in listed) == (True, False)
    assert app_client.get("api/names").json()["rules"] == ["Money", "default"]
    made = app_client.post(
        "api/evidence", json={"reason": "counsel", "query": query}, headers={"X-Recording-Archive": "1"}
    )
    assert made.status_code == 200
    unknown = app_client.get("api/recordings", params={"rule": "Mony"})
    assert (unknown.status_code, "it has Money, default" in unknown.json()["detail"]) == (400, True)


@pytest.mark.usefixtures("two")
def test_names_are_told_to_choose_from(app_client: TestClient) -> None:
    """Each once, in order."""
    told = app_client.get("api/names").json()
    assert "Ann Lee" in told["agents"]
    assert {"Billing", "Complaints"} <= set(told["queues"])
    assert told["agents"] == sorted(set(told["agents"]))


def test_a_column_sorts_what_was_found(app_client: TestClient, archived: Archive) -> None:
    """By its heading, which says so to screen readers; REST, the CSV and the heading's link have the same order."""
    lengths = dict(zip(ids(archived), (5000, 9000, 1000), strict=False))
    for each in ids(archived):
        change(archived, each, duration_ms=lengths.get(each))
    longest = sorted(lengths, key=lambda each: -lengths[each])
    assert found(app_client, sort="-length")[:3] == longest
    assert found(app_client, sort="length")[:3] == longest[::-1]
    page = app_client.get("/", params={"sort": "-length"}, headers=HTML).text
    assert "longest first" in page
    assert 'aria-sort="descending"><a href="./?sort=length" class="sorted ">Length</a>' in page
    assert [page.index(f'title="{each}"') for each in longest] == sorted(
        page.index(f'title="{each}"') for each in longest
    )
    lines = app_client.get("api/recordings", params={"sort": "-length", "format": "csv"}).text.splitlines()
    assert [line.split(",")[0] for line in lines[1:4]] == longest
    detail = app_client.get(
        f"/recordings/{longest[1]}/{longest[1]}", params={"search": "sort=-length"}, headers=HTML
    ).text
    assert detail.index(longest[0]) < detail.index(longest[2])
    assert app_client.get("api/recordings", params={"sort": "colour"}).status_code == 400


def test_too_many_to_sort_are_shown_by_date_and_that_is_said(
    app_client: TestClient, archived: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page still shows something; REST and lists refuse, with what to do."""
    assert archived
    monkeypatch.setattr(ordered, "MOST_SORTED", 2)
    page = app_client.get("/", params={"sort": "size"}, headers=HTML).text
    assert "More than 2 recordings are found" in page
    assert "newest first" in page
    for more in ({}, {"format": "csv"}):
        refused = app_client.get("api/recordings", params={"sort": "size", **more})
        assert (refused.status_code, refused.json()["title"]) == (400, "The recordings cannot be sorted")
        assert "Narrow the search" in refused.json()["detail"]


def test_columns_are_chosen_and_stay_chosen(app_client: TestClient, archived: Archive) -> None:
    """In the address, so that a link to a colleague, the next order and the recording's way back have them too."""
    (one, *_) = ids(archived)
    change(archived, one, division="Nord", media_type="call")
    page = app_client.get("/?columns=division&columns=media", headers=HTML).text
    heads = [re.sub(r"<[^>]+>", "", each) for each in re.findall(r"<th.*?</th>", page)]
    assert heads[2:-1] == ["Time (UTC)", "Interaction", "Media type", "Division"]
    assert ">Nord</span>" in page
    assert "columns=division&amp;columns=media&amp;sort=oldest" in page
    assert re.search(r"search=columns%3Ddivision%26columns%3Dmedia", page)
    assert re.findall(r'name="columns" value="(\w+)" checked', page) == ["media", "division"]
    usual = app_client.get("/", headers=HTML).text
    assert "From and to" in usual
    assert ">Nord</span>" not in usual
