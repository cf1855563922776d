"""One recording, named in every spelling in pages and over REST; and many ids pasted into the search."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.model import State
from support.contents import all_rows, change, events_of, first_id, row_of
from support.spellings import list_as, pasted
from support.web_pages import HTML, make_hold

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=["lower", "upper"])
def listed(request: pytest.FixtureRequest, archived: Archive) -> str:
    """A recording's id as the source lists it, in either case."""
    name = first_id(archived)
    return list_as(archived, name, name.upper() if request.param == "upper" else name)


def test_retrieve(app_client: TestClient, listed: str) -> None:
    """The file is sent under the id that the source gave."""
    for spelled in pasted(listed.lower()):
        reply = app_client.head("retrieve", params={"interactionId": spelled, "recordingId": spelled})
        assert (reply.status_code, listed in reply.headers["Content-Disposition"]) == (200, True)
    reply = app_client.head("retrieve", params={"interactionId": "a/b"})
    assert reply.status_code == 400


def test_one_recording_over_rest(app_client: TestClient, archived: Archive, listed: str) -> None:
    """Details, audio and waveform; events name the id that the source gave."""
    for spelled in pasted(listed.lower()):
        there = f"api/recordings/{quote(spelled, safe='')}/{quote(spelled, safe='')}"
        assert app_client.get(there).json()["interactionId"] == listed
        assert app_client.get(f"{there}/media", headers={"Range": "bytes=0-3"}).content == b"RIFF"
        assert app_client.get(f"{there}/peaks").status_code == 200
    assert {event.interaction_id for event in events_of(archived, "played")} == {listed}


def test_search_over_rest(app_client: TestClient, listed: str) -> None:
    """By ``id`` and by the search box, and by the start of it."""
    for spelled in pasted(listed.lower()):
        for asked, unknown in (({"id": spelled}, []), ({"q": spelled}, []), ({"q": f"x\n{spelled}"}, ["x"])):
            told = app_client.get("api/recordings", params=asked).json()
            assert ([each["interactionId"] for each in told["items"]], told["unknown"]) == ([listed], unknown)
    told = app_client.get("api/recordings", params={"q": listed[:9].swapcase()}).json()
    assert [each["interactionId"] for each in told["items"]] == [listed]


def test_decisions_over_rest(app_client: TestClient, archived: Archive, listed: str) -> None:
    """Holds, restoring and acknowledging."""
    for spelled in pasted(listed.lower()):
        made = make_hold(app_client, interactionIds=[spelled])
        assert (made["effect"]["held"], made["unmatchedIds"], made["warning"]) == (1, [], None)
        change(archived, listed, state=State.QUARANTINED, quarantined_at=NOON)
        there = f"api/recordings/{quote(spelled, safe='')}/{quote(spelled, safe='')}/restore"
        assert app_client.post(there, json={"reason": "r"}).status_code == 200
        assert row_of(archived, listed).state == State.ARCHIVED
        change(archived, listed, state=State.DISCOVERED, failed_since=NOON, acknowledged_at=None)
        decision = {"interactionId": spelled, "reason": "r"}
        assert app_client.post("api/failures/acknowledge", json=decision).status_code == 200
        change(archived, listed, state=State.ARCHIVED)


def test_pages(app_client: TestClient, listed: str) -> None:
    """The page of a recording, the one that says why it is not there, and the preview of a hold."""
    for spelled in pasted(listed.lower()):
        there = quote(spelled, safe="")
        assert app_client.get(f"recordings/{there}/{there}", headers=HTML).status_code == 200
        reply = app_client.get("why", params={"id": spelled}, headers=HTML, follow_redirects=False)
        assert reply.headers["location"] == f"recordings/{listed}/{listed}"
        preview = app_client.post("holds/preview", json={"ids": f"{spelled}\n"}).text
        assert ("<strong>1</strong>" in preview, "Careful" in preview, "mistyped" in preview) == (True, False, False)
        assert "not in the archive" not in app_client.get("", params={"q": spelled}, headers=HTML).text


def test_a_pasted_column_is_accounted_for(app_client: TestClient, archived: Archive) -> None:
    """A quoted id, one without a digit, one that cannot be one: each is told, and the button stays."""
    first, second = (row.interaction_id for row in all_rows(archived)[:2])
    column = f'"{first.upper()}"\nnobody\nCase/4711\n{second},\ntypo-1\n'
    told = app_client.get("api/recordings", params={"q": column}).json()
    assert {each["interactionId"] for each in told["items"]} == {first, second}
    assert (told["unknown"], told["notIds"]) == (["nobody", "Case/4711", "typo-1"], ["Case/4711"])
    words = app_client.get("api/recordings", params={"q": "nobody\r\nelse\r\n"}).json()
    assert (words["unknown"], words["notIds"]) == (["nobody", "else"], [])
    page = app_client.get("", params={"q": column}, headers=HTML).text
    assert "2 of the 5 ids are not in the archive" in page
    assert "1 of the 5 cannot be an id" in page
    assert "<code>Case/4711</code>" in page
    assert "5 ids" in page
    wanted = quote(" ".join((first, "nobody", second, "typo-1")), safe="").replace("%20", "+")
    assert f"holds/new?ids={wanted}" in page


def test_a_name_or_a_number_is_no_id(app_client: TestClient, archived: Archive) -> None:
    """No id is missed for it, and no hold of ids is offered."""
    row = all_rows(archived)[0]
    for text in (row.agent_name, row.ani.removeprefix("tel:")):
        page = app_client.get("", params={"q": text}, headers=HTML).text
        assert "not in the archive" not in page
        assert not re.search(r"holds/new\?ids=[^\"]", page)


def test_too_many_pasted_ids_are_refused(app_client: TestClient, archived: Archive) -> None:
    """None is left out silently."""
    assert archived
    asked = app_client.get("api/recordings", params={"q": "\n".join(map(str, range(2001)))})
    assert (asked.status_code, "2001" in asked.json()["detail"]) == (400, True)


@pytest.mark.parametrize("asked", [{"interactionIds": ["typo-1"]}, {"agents": ["nobody"]}])
def test_a_hold_that_matches_nothing_warns(app_client: TestClient, archived: Archive, asked: dict[str, Any]) -> None:
    """In the answer, in the preview, and on its page, until it is released."""
    assert archived
    made = make_hold(app_client, **asked)
    assert made["unmatchedIds"] == asked.get("interactionIds", [])
    assert made["warning"].startswith("this hold matches no recording that is in the archive now")
    typed = {"ids": "typo-1"} if "interactionIds" in asked else {"agents": "nobody"}
    assert "Careful:" in app_client.post("holds/preview", json=typed).text
    assert "Careful:" in app_client.get(f"holds/{made['id']}", headers=HTML).text
    app_client.post(f"api/holds/{made['id']}/release", json={"reason": "r"})
    assert app_client.get(f"api/holds/{made['id']}").json()["warning"] is None
