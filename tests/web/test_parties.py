"""Everybody who took part: found by REST and page, told by REST, CSV and pages, possible ones as such."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.settings import read_settings
from support.contents import change, ids
from support.parties import CALLED, SPELLED, TRANSFERRED, in_region, party
from support.web_pages import HTML

OTHERS = [
    party(**TRANSFERRED),
    party(ani="tel:+12025550199", contactId="contact-9"),
    party(agentName="Bo <b>", certain=False),
]


@pytest.fixture
def transferred(archived: Archive) -> str:
    """A recording with three parties beside the main one, one of them possibly."""
    name = ids(archived)[2]
    change(archived, name, parties=OTHERS)
    return name


def found(client: TestClient, **asked: str) -> list[str]:
    items: list[dict[str, Any]] = client.get("api/recordings", params=asked).json()["items"]
    return [item["interactionId"] for item in items]


@pytest.mark.parametrize(
    "asked",
    [
        *({"agent": "AGENT-T"}, {"agent": "tömas r"}, {"queue": "escal"}, {"queue": "queue-e"}, {"agent": "bo <"}),
        *({"number": "+1 (202) 555-0199"}, {"number": "2025550199"}, {"contact": "contact-9"}),
        *({"q": "ryan"}, {"q": "Escalation"}, {"q": "+1 202 555 0199"}),
    ],
)
def test_a_search_finds_whoever_took_part(app_client: TestClient, transferred: str, asked: dict[str, str]) -> None:
    """By each filter and by the text box, certain or possible, and nothing else."""
    assert found(app_client, **asked) == [transferred]
    address = "&".join(f"{name}={value}" for name, value in asked.items())
    page = app_client.get(f"/?{address}".replace("+", "%2B"), headers=HTML).text
    assert page.count("data-open>") == 1
    assert f"recordings/{transferred}/" in page


@pytest.mark.parametrize("region", ["GB", ""])
def test_a_number_is_found_in_any_spelling(
    app_client: TestClient, archived: Archive, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    """Whichever the source wrote and a person types; without a region by the last digits."""
    monkeypatch.setenv("RECORDING_ARCHIVE_PHONE_REGION", region)
    read_settings.cache_clear()
    ours, name = in_region(archived, region), ids(archived)[3]
    try:
        for written in SPELLED:
            change(ours, name, dnis=written)
            assert found(app_client, number=CALLED) == found(app_client, q=SPELLED[4]) == [name], written
        change(ours, name, dnis=CALLED)
        assert {spelled for spelled in SPELLED if found(app_client, number=spelled) != [name]} == set()
        assert found(app_client, number="+442079460959") == []
    finally:
        read_settings.cache_clear()


def test_rest_tells_all_parties(app_client: TestClient, transferred: str) -> None:
    """What is not known of one is left out; those without others have an empty list."""
    items = {item["interactionId"]: item for item in app_client.get("api/recordings").json()["items"]}
    assert items.pop(transferred)["parties"] == OTHERS
    assert {len(item["parties"]) for item in items.values()} == {0}
    assert app_client.get(f"api/recordings/{transferred}/{transferred}").json()["parties"] == OTHERS
    schema = app_client.get("api/openapi.json").json()["components"]["schemas"]["TookPart"]
    assert {"agentName", "ani", "certain"} < set(schema["properties"])
    assert schema["required"] == ["certain"]


def test_a_table_has_them_in_words(app_client: TestClient, transferred: str) -> None:
    """One column, readable, possible ones as such."""
    lines = csv.DictReader(io.StringIO(app_client.get("api/recordings?format=csv").content.decode(), newline=""))
    told = {line["interactionId"]: line["parties"] for line in lines}
    assert told.pop(transferred) == (
        "agent Tömas Ryan (queue Escalation); from +12025550199, contact contact-9; possibly agent Bo <b>"
    )
    assert set(told.values()) == {""}


def test_pages_show_them(app_client: TestClient, archived: Archive, transferred: str) -> None:
    """The list of a search and the recording's own page; of one that is not read yet it is said."""
    page = app_client.get("/", headers=HTML).text
    assert "Tömas Ryan · Escalation" in page
    assert '<span class="maybe">possibly</span> Bo &lt;b&gt;' in page
    assert "+12025550199" in page
    page = app_client.get(f"/recordings/{transferred}/{transferred}", headers=HTML).text
    assert '<td data-label="Agent">Tömas Ryan</td><td data-label="Queue">Escalation</td>' in page
    assert '<td data-label="Agent">Bo &lt;b&gt;</td>' in page
    assert page.count(">possibly</span>") == 1
    assert "Who else took part is not read yet" not in page
    change(archived, transferred, parties=None)
    page = app_client.get(f"/recordings/{transferred}/{transferred}", headers=HTML).text
    assert "Who else took part is not read yet" in page
    assert app_client.get(f"api/recordings/{transferred}/{transferred}").json()["parties"] is None
