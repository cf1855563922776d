"""Legal holds over REST and in the pages: made, told of, found on recordings, released."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Row, select, update

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, recordings
from recording_archive.model import State
from support.catalog_rows import change
from support.site import add_states
from support.web_pages import BAD, HTML, MATTER, first_row, make_hold


def all_rows(archive: Archive) -> list[Row[Any]]:
    """The recordings, by their key."""
    with archive.catalog.read() as connection:
        return list(connection.execute(select(recordings).order_by(recordings.c.key)))


def test_a_hold_is_answered_when_its_document_lies_in_the_archive(app_client: TestClient, archived: Archive) -> None:
    """The answer has the hold and what it does; the document has the same; the event has who, and no reason."""
    row = first_row(archived)
    told = make_hold(app_client, interactionIds=[row.interaction_id, "to-come-1"], **{"from": "2026-11-20"})
    assert told["effect"]["held"] == 1
    assert (told["effect"]["possiblyHeld"], told["effect"]["purged"]) == (0, 0)
    assert told["effect"]["examples"] == [
        {"interactionId": row.interaction_id, "recordingId": row.recording_id, "part": 0}
    ]
    assert (told["owner"], told["matter"], told["releasedAt"]) == ("tester", "M-1", None)
    document = json.loads(archived.store.read(f"holds/{told['id']}.json"))
    assert document["criteria"]["interactionIds"] == [row.interaction_id, "to-come-1"]
    assert document["reason"] == "letter of counsel"
    with archived.catalog.read() as connection:
        event = connection.execute(select(events).where(events.c.kind == "held")).one()
    assert event.actor == "tester"
    assert "counsel" not in json.dumps(event.detail)


def test_a_day_is_held_whole_and_a_moment_exactly(app_client: TestClient, archived: Archive) -> None:
    """``to`` as a date includes that day; as a date-time its end is left out."""
    rows = sorted(row.interaction_date for row in all_rows(archived))
    day = make_hold(app_client, **{"from": "2026-11-20", "to": "2026-11-20"})
    assert (day["effect"]["held"], day["to"]) == (6, "2026-11-21T00:00:00Z")
    exact = make_hold(app_client, to=rows[2].isoformat())
    assert exact["effect"]["held"] == 2


def test_it_says_what_is_possibly_held_and_what_is_gone(app_client: TestClient, archived: Archive) -> None:
    """A recording without a number may be the one that was asked for; a deleted one cannot be held any more."""
    lacking, gone, sure, *_ = all_rows(archived)
    for row, facts in ((lacking, {"ani": None}), (gone, {"state": State.PURGED, "ani": sure.ani})):
        change(archived.catalog, recordings.c.key == row.key, **facts)
    effect = make_hold(app_client, numbers=[sure.ani])["effect"]
    with archived.catalog.read() as connection:
        same = (recordings.c.ani == sure.ani) | (recordings.c.dnis == sure.ani)
        matching = len(connection.execute(select(recordings.c.key).where(same)).all()) - 1
    assert (effect["held"], effect["possiblyHeld"], effect["purged"]) == (matching, 1, 1)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "asks for nothing"),
        ({"agents": []}, "asks for nothing"),
        ({"agents": ["  "]}, "agents"),
        ({"agents": ["a\0b"]}, "NUL"),
        ({"agents": "Jones"}, "agents"),
        ({"agents": ["\ud800"]}, "agents"),
        ({"interactionIds": ["../../etc/passwd"]}, "passwd"),
        ({"interactionIds": ["x"] * 10_001}, "interactionIds"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-21", "to": "2026-11-20"}, "not after"),
        ({"agents": ["x"], "matter": " "}, "matter"),
        ({"agents": ["x"], "reason": ""}, "reason"),
        ({"agents": ["x"], "agent": "y"}, "agent"),
    ],
)
def test_what_no_hold_can_be_of_is_400(
    app_client: TestClient, archived: Archive, body: dict[str, Any], named: str
) -> None:
    """The problem names the field, and nothing is written."""
    reply = app_client.post(
        "api/holds", content=json.dumps({**MATTER, **body}), headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 400, reply.text
    assert named in reply.json()["detail"]
    assert holds.find(archived) == []
    assert list(archived.store.list("holds/")) == []


def test_no_document_no_answer(app_client: TestClient, archived: Archive) -> None:
    """Where the archive cannot be written the answer is an error, and the catalog has no hold."""
    folder = archived.settings.root / "holds"
    folder.write_text("in the way")
    reply = app_client.post("api/holds", json={**MATTER, "agents": ["x"]})
    assert reply.status_code in {500, 503}
    assert holds.find(archived) == []


def test_a_hold_is_released_once_with_a_reason(app_client: TestClient, archived: Archive) -> None:
    """Released it holds nothing; a second release and an unknown hold are refused."""
    row = first_row(archived)
    made = make_hold(app_client, interactionIds=[row.interaction_id])
    address = f"api/recordings/{row.interaction_id}/{row.recording_id}"
    assert app_client.get(address).json()["heldBy"] == [made["id"]]
    assert app_client.post(f"api/holds/{made['id']}/release", json={"reason": " "}).status_code == 400
    reply = app_client.post(f"api/holds/{made['id']}/release", json={"reason": "settled"})
    assert (reply.status_code, reply.json()["releasedBy"]) == (200, "tester")
    assert archived.store.size(f"holds/{made['id']}.released.json")
    assert app_client.get(address).json()["heldBy"] == []
    again = app_client.post(f"api/holds/{made['id']}/release", json={"reason": "settled"})
    assert (again.status_code, "tester" in again.json()["detail"]) == (409, True)
    assert app_client.get(f"api/holds/{made['id']}").json()["releaseReason"] == "settled"
    for unknown in ("H-20260101-000000", "..%2f..%2farchive", "nobody"):
        assert app_client.post(f"api/holds/{unknown}/release", json={"reason": "x"}).status_code == 404
        assert app_client.get(f"api/holds/{unknown}").status_code == 404


def test_holds_come_in_pages_and_as_files(app_client: TestClient, archived: Archive) -> None:
    """Newest first, none twice; active ones alone on demand; the whole list as CSV and JSON, which is an event."""
    made = [make_hold(app_client, agents=[f"Agent {number}", "=1+1"])["id"] for number in range(5)]
    app_client.post(f"api/holds/{made[2]}/release", json={"reason": "settled"})
    found, after = [], None
    while True:
        page = app_client.get("api/holds", params={"limit": 2, **({"after": after} if after else {})}).json()
        found += [item["id"] for item in page["items"]]
        if (after := page["next"]) is None:
            break
    assert sorted(found) == sorted(made)
    active = app_client.get("api/holds?state=active").json()["items"]
    assert {item["id"] for item in active} == set(made) - {made[2]}
    table = list(csv.DictReader(io.StringIO(app_client.get("api/holds?format=csv").text, newline="")))
    assert [line["id"] for line in table] == found
    assert {line["agents"].splitlines()[1] for line in table} == {"=1+1"}
    assert not any(cell.startswith(("=", "+", "@")) for line in table for cell in line.values())
    lines = app_client.get("api/holds?format=json&state=active").text.splitlines()
    assert [json.loads(line) for line in lines] == active
    with archived.catalog.read() as connection:
        last = connection.execute(select(events.c.kind, events.c.detail).order_by(events.c.id.desc()).limit(1)).one()
    assert last == ("exported", {"list": "holds", "format": "json"})


def test_a_cursor_of_another_list_is_400(app_client: TestClient) -> None:
    """A cursor that leads to no hold is malformed."""
    after = app_client.get("api/recordings?limit=1").json()["next"]
    reply = app_client.get("api/holds", params={"after": after})
    assert (reply.status_code, "after" in reply.json()["detail"]) == (400, True)


def test_recordings_in_lists_say_who_holds_them(app_client: TestClient, archived: Archive) -> None:
    """In the page of a search, in its export, and on the recording's own page."""
    add_states(archived)
    (hold,) = holds.find(archived)
    items = {item["interactionId"]: item for item in app_client.get("api/recordings?limit=100").json()["items"]}
    assert items["held-1"]["heldBy"] == [hold.id]
    assert [name for name, item in items.items() if item["heldBy"]] == ["held-1"]
    table = csv.DictReader(io.StringIO(app_client.get("api/recordings?format=csv").text, newline=""))
    assert {line["interactionId"]: line["heldBy"] for line in table}["held-1"] == hold.id
    assert app_client.get("/", headers=HTML).text.count(f'title="{hold.id}"') == 1
    page = app_client.get("/recordings/held-1/held-1", headers=HTML).text
    assert f'href="../../holds/{hold.id}"' in page
    assert "It is kept, whatever its age" in page


def test_possibly_held_is_told_apart(app_client: TestClient, archived: Archive) -> None:
    """A recording of which the source did not say enough is kept as well, and its page says why."""
    row = first_row(archived)
    with archived.catalog.write() as connection:
        same = recordings.c.key == row.key
        connection.execute(update(recordings).where(same).values(agent_id=None, agent_name=None))
    made = make_hold(app_client, agents=["Somebody Else"])
    told = app_client.get(f"api/recordings/{row.interaction_id}/{row.recording_id}").json()
    assert (told["heldBy"], told["possiblyHeldBy"]) == ([], [made["id"]])
    page = app_client.get(f"/recordings/{row.interaction_id}/{row.recording_id}", headers=HTML).text
    assert "Possibly held by a legal hold" in page


def test_a_preview_says_what_a_hold_would_do_and_makes_none(app_client: TestClient, archived: Archive) -> None:
    """Figures, examples and the very request that makes it; by address, without JavaScript, and by script."""
    row = first_row(archived)
    fields = {"ids": f"{row.interaction_id}\nnever-seen-1", "from": "2026-11-20", "to": "2026-11-20"}
    by_address = app_client.get("/holds/new", params=fields, headers=HTML).text
    by_script = app_client.post("/holds/preview", json=fields).text
    for page in (by_address, by_script):
        assert "<strong>1</strong><span>recording held now" in page
        assert f'title="{row.interaction_id}"' in page
        assert "<code>never-seen-1</code>" in page
    wanted = json.loads(by_script.partition("data-wanted='")[2].partition("'")[0])
    assert make_hold(app_client, **wanted)["effect"]["held"] == 1
    assert len(holds.find(archived)) == 1


def test_a_mistyped_name_is_noticed_before_the_hold_is_made(app_client: TestClient, archived: Archive) -> None:
    """A name, queue or number that no recording has is told, with names like it; one that is there is not."""
    row = first_row(archived)
    wrong = row.agent_name[:-1] + "x"
    page = app_client.post(
        "/holds/preview", json={"agents": f"{wrong}\n{row.agent_name.upper()}", "numbers": "+99 1 2"}
    )
    assert f"agent <code>{wrong}</code>: the archive has" in page.text
    assert row.agent_name.upper() not in page.text.partition("data-wanted")[2].partition(">")[2]
    assert "number <code>+99 1 2</code>" in page.text


@pytest.mark.parametrize("fields", [{"from": "yesterday"}, {"ids": "a/b"}, {"from": "2026-11-21", "to": "2026-11-20"}])
def test_a_preview_says_what_is_wrong(app_client: TestClient, fields: dict[str, str]) -> None:
    """A field that cannot be understood is named on the page; there is nothing to make then."""
    reply = app_client.post("/holds/preview", json=fields)
    assert reply.status_code == 200
    assert "notice bad" in reply.text
    assert "data-wanted" not in reply.text


def test_pages_tell_what_a_hold_covers_does_and_why(app_client: TestClient) -> None:
    """The list has those in force, the other list all; the page of one has criteria in words and its reason."""
    assert "No legal hold yet" in app_client.get("/holds", headers=HTML).text
    one = make_hold(app_client, agents=["A", "B", "C"], queues=["Q"], **{"from": "2026-11-01", "to": "2026-11-30"})
    two = make_hold(app_client, numbers=["+1 202 555 0100"])
    app_client.post(f"api/holds/{two['id']}/release", json={"reason": "settled out of court"})
    active, every = (app_client.get(f"/holds?state={state}", headers=HTML).text for state in ("active", "all"))
    assert (one["id"] in active, two["id"] in active, two["id"] in every) == (True, False, True)
    assert "2026-11-01 to 2026-11-30" in active
    assert "or 1 more" in active
    page = app_client.get(f"/holds/{one['id']}?made=true", headers=HTML).text
    assert "The hold is in force" in page
    assert "letter of counsel" in page
    assert 'data-decide="release"' in page
    released = app_client.get(f"/holds/{two['id']}", headers=HTML).text
    assert "settled out of court" in released
    assert 'data-decide="release"' not in released


def test_markup_in_a_hold_stays_text(app_client: TestClient) -> None:
    """Matter, reason, values and the reason of a release are shown as they are, on every page that shows them."""
    made = make_hold(app_client, agents=[BAD], queues=[BAD], matter=BAD, reason=BAD)
    app_client.post(f"api/holds/{made['id']}/release", json={"reason": BAD})
    texts = [app_client.get(path, headers=HTML).text for path in ("/holds?state=all", f"/holds/{made['id']}")]
    texts.append(app_client.get("/holds/new", params={"agents": BAD, "numbers": BAD}, headers=HTML).text)
    texts.append(app_client.post("/holds/preview", json={"agents": BAD, "numbers": BAD}).text)
    texts.append(app_client.post("/holds/preview", json={"ids": "onerror" + BAD.split(maxsplit=1)[0]}).text)
    for text in texts:
        assert "<img" not in text
        assert "<script>" not in text
        assert "49" not in text.partition("onerror")[2][:80]
        assert "onerror" in text


def test_without_permission_to_decide_there_is_nothing_to_press(app_client: TestClient, archived: Archive) -> None:
    """Who may only see finds the holds, but no button that would be refused."""
    from recording_archive.web import access  # noqa: PLC0415 - after AIRFLOW_HOME was set

    made = make_hold(app_client, agents=["A"])
    row = first_row(archived)
    app_client.app.dependency_overrides[access.may_decide] = lambda: False  # type: ignore[attr-defined]  # it is FastAPI
    for path in ("holds", f"holds/{made['id']}", f"recordings/{row.interaction_id}/{row.recording_id}"):
        page = app_client.get(f"/{path}", headers=HTML).text
        assert "holds/new" not in page
        assert "data-decide" not in page
    assert "data-make" not in app_client.get("/holds/new", headers=HTML).text
