"""The REST API: what it answers, what it refuses, and that its description tells the truth."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, update

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import recordings, work
from recording_archive.model import PartId, State
from recording_archive.store import sidecar
from support.site import Site
from support.web_pages import first_row, kinds

NOW = datetime.now(UTC)


def test_pages_follow_each_other(app_client: TestClient) -> None:
    """`next` leads through all recordings, newest first; the last page has none."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = app_client.get("api/recordings", params={"limit": 4, **({"after": after} if after else {})}).json()
        found += page["items"]
        if (after := page["next"]) is None:
            break
    assert len({item["recordingId"] for item in found}) == len(found) == 6
    dates = [item["interactionDate"] for item in found]
    assert dates == sorted(dates, reverse=True)
    oldest = app_client.get("api/recordings?sort=oldest").json()["items"]
    assert [item["interactionDate"] for item in oldest] == sorted(dates)


def test_a_row_tells_what_the_catalog_has(app_client: TestClient, archived: Archive) -> None:
    """The names of the contract, the values of the catalog."""
    row = first_row(archived)
    page = app_client.get("api/recordings", params={"id": row.interaction_id}).json()
    (item,) = page["items"]
    told = {
        "interactionId": row.interaction_id,
        "agentName": row.agent_name,
        "durationMs": row.duration_ms,
        "filePath": row.key,
        "bytes": row.size_bytes,
        "storedBytes": row.stored_bytes,
        "sha256": row.sha256,
        "runId": "scheduled__first",
        "verifiedOk": True,
        "needsDecision": False,
    }
    assert {name: item[name] for name in told} == told
    assert datetime.fromisoformat(item["interactionDate"]) == row.interaction_date


def test_pasted_ids_are_found_and_unknown_ones_named(app_client: TestClient, archived: Archive) -> None:
    """Many ids in one parameter and in several, by comma, line and space."""
    row = first_row(archived)
    pasted = [f"nope-1,\n{row.interaction_id}", "nope-2 nope-1"]
    page = app_client.get("api/recordings", params={"id": pasted}).json()
    assert [item["interactionId"] for item in page["items"]] == [row.interaction_id]
    assert page["unknown"] == ["nope-1", "nope-2"]


def test_empty_fields_of_a_form_do_not_count(app_client: TestClient) -> None:
    """What a form sends for fields nobody filled in finds everything."""
    names = "q id from to agent queue number direction mediaType minSeconds maxSeconds status verified after"
    assert len(app_client.get("api/recordings", params=dict.fromkeys(names.split(), "")).json()["items"]) == 6


@pytest.mark.parametrize(
    "query",
    [
        *("from=someday", "to=2026-13-01", "minSeconds=-1", "minSeconds=nan", "maxSeconds=x", "status=lost"),
        *("verified=perhaps", "sort=random", "limit=0", "limit=501", "after=abc", "after=WyIiXQ", "q=%00", "id=%00"),
        *("format=xml", "id=" + ",".join(map(str, range(2001))), f"agent={'a' * 201}"),
    ],
)
def test_what_cannot_be_understood_is_400(app_client: TestClient, query: str) -> None:
    """With a problem document that names the parameter; never a wrong list, never a 500."""
    reply = app_client.get(f"api/recordings?{query}")
    assert reply.status_code == 400
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert query.partition("=")[0] in reply.json()["detail"]


def test_a_day_is_a_day_of_the_archives_zone(app_client: TestClient) -> None:
    """A date is the whole day, the last one included; a date-time is exact, its end left out."""

    def count(**query: str) -> int:
        return len(app_client.get("api/recordings", params=query).json()["items"])

    moments = [item["interactionDate"] for item in app_client.get("api/recordings").json()["items"]]
    assert count(**{"from": "2026-11-20", "to": "2026-11-20"}) == 6
    assert count(to="2026-11-19") == 0
    assert count(**{"from": moments[2]}) == 3
    assert count(to=moments[2]) == 3
    assert count(to="2026-11-20T23:59:59+02:00") == sum(moment < "2026-11-20T21:59:59" for moment in moments)


def test_the_whole_list_as_csv(app_client: TestClient, archived: Archive) -> None:
    """Every match in one file, safe in a spreadsheet, and an event before it."""
    row = first_row(archived)
    with archived.catalog.write() as connection:
        same = recordings.c.key == row.key
        connection.execute(update(recordings).where(same).values(agent_name='=HYPERLINK("x")', queue_name='a,"b"\r\nc'))
    reply = app_client.get("api/recordings?format=csv&limit=2")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="recordings.csv"'
    lines = list(csv.DictReader(io.StringIO(reply.content.decode(), newline="")))
    assert len(lines) == 6
    (mine,) = [line for line in lines if line["interactionId"] == row.interaction_id]
    assert mine["agentName"] == '\'=HYPERLINK("x")'
    assert mine["queueName"] == 'a,"b"\r\nc'
    assert mine["verifiedOk"] == "true"
    assert kinds(archived)[-1] == ("exported", "tester", {"list": "recordings", "format": "csv"})


def test_the_whole_list_as_json_lines(app_client: TestClient) -> None:
    """The items of all pages, one in each line."""
    lines = app_client.get("api/recordings?format=json&sort=oldest").text.splitlines()
    assert [json.loads(line) for line in lines] == app_client.get("api/recordings?sort=oldest").json()["items"]


def test_details_hold_hashes_sidecar_and_time_line(app_client: TestClient, archived: Archive) -> None:
    """What was archived and what happened since, in order; of this part alone."""
    row = first_row(archived)
    other = PartId(row.interaction_id, "other", 0)
    with archived.catalog.write() as connection:
        connection.execute(insert(recordings).values(**other._asdict(), state=State.DISCOVERED, failures=0))
        record(connection, "failed", other, at=NOW)
    address = f"api/recordings/{row.interaction_id}/{row.recording_id}"
    app_client.get(f"{address}/media", headers={"Range": "bytes=0-9"})
    told = app_client.get(address).json()
    content = Path(archived.settings.root, sidecar.beside(row.key)).read_bytes()
    assert told["sidecar"] == json.loads(content)
    assert told["sidecarSha256"] == hashlib.sha256(content).hexdigest()
    assert told["storedSha256"] == row.stored_sha256
    assert [event["kind"] for event in told["timeline"]] == ["seen", "archived", "played"]
    assert told["timeline"][-1]["actor"] == "tester"
    assert told["timeline"][1]["runId"] == "scheduled__first"
    assert [each["recordingId"] for each in told["parts"]] == sorted([row.recording_id, "other"])


def test_details_survive_a_lost_sidecar(app_client: TestClient, archived: Archive) -> None:
    """The rest is shown, and what is wrong with the sidecar is said."""
    row = first_row(archived)
    path = Path(archived.settings.root, sidecar.beside(row.key))
    address = f"api/recordings/{row.interaction_id}/{row.recording_id}"
    path.chmod(0o640)
    path.write_text("{")
    assert "damaged" in app_client.get(address).json()["sidecarProblem"]
    path.unlink()
    told = app_client.get(address).json()
    assert told["sidecar"] is None
    assert "restore it" in told["sidecarProblem"]


def test_why_a_recording_is_not_there(app_client: TestClient, archived: Archive) -> None:
    """Never listed, asked for in vain, or another recording of its interaction; and what is in the books."""
    never = app_client.get("api/recordings/lost/lost")
    assert never.status_code == 404
    assert never.json()["detail"] == "The source never listed it."
    assert never.json()["coverage"][0]["end"] == "2026-11-21T00:00:00+00:00"
    assert "archive_recordings" in never.json()["whatToDo"]
    with archived.catalog.write() as connection:
        part = {"interaction_id": "lost", "recording_id": "", "part": 0, "outcome": "missing"}
        facts = {"carried_over": False, "staged": False, "expected_bytes": 0}
        connection.execute(insert(work).values(run_id="manual__1", **part, **facts))
    assert app_client.get("api/recordings/lost/lost/media").json()["missingInRuns"] == ["manual__1"]
    row = first_row(archived)
    wrong = app_client.get(f"api/recordings/{row.interaction_id}/{row.recording_id}?part=7").json()
    assert wrong["known"] == [
        {"interactionId": row.interaction_id, "recordingId": row.recording_id, "part": 0},
    ]


def test_the_description_names_every_route(app_client: TestClient) -> None:
    """Each path of the API with its methods; it is served behind the same guard, below the same mount."""
    document = app_client.get("api/openapi.json").json()
    assert document["servers"] == [{"url": ".."}]
    assert {path: sorted(operations) for path, operations in document["paths"].items()} == {
        "/api/recordings": ["get"],
        "/api/names": ["get"],
        "/api/recordings/{interaction_id}/{recording_id}": ["get"],
        "/api/recordings/{interaction_id}/{recording_id}/media": ["get", "head"],
        "/api/recordings/{interaction_id}/{recording_id}/peaks": ["get"],
        "/api/runs": ["get"],
        "/api/runs/{run_id}": ["get"],
        "/api/runs/{run_id}/report": ["get"],
        "/api/failures": ["get"],
        "/api/failures/acknowledge": ["post"],
        "/api/listens": ["get"],
        "/api/listens/counts": ["get"],
        "/api/statistics": ["get"],
        "/api/coverage": ["get"],
        "/api/metrics": ["get"],
        "/api/holds": ["get", "post"],
        "/api/holds/{hold_id}": ["get"],
        "/api/evidence": ["get", "post"],
        "/api/openings": ["get", "post"],
        "/api/openings/end": ["post"],
        "/api/evidence/{pack}/parts/{number}": ["get"],
        "/api/holds/{hold_id}/release": ["post"],
        "/api/recordings/{interaction_id}/{recording_id}/restore": ["post"],
        "/api/recordings/{interaction_id}/{recording_id}/verify": ["post"],
        "/api/retention/forecast": ["get", "post"],
        "/api/retention/policy": ["get"],
        "/api/retention/runs": ["get"],
        "/api/retention/runs/{run_id}": ["get"],
        "/api/retention/runs/{run_id}/report": ["get"],
        "/api/retention/runs/{run_id}/approve": ["post"],
        "/api/retention/runs/{run_id}/reject": ["post"],
        "/api/certificates/{number}": ["get"],
        "/api/fixity/runs": ["get"],
        "/api/fixity/runs/{run_id}": ["get"],
        "/api/fixity/runs/{run_id}/report": ["get"],
    }


@pytest.mark.parametrize("manager", ["simple"])
def test_it_answers_inside_airflow(sites: Any, manager: str) -> None:
    """Mounted in Airflow's own application, with a token of Airflow's; and not without."""
    site: Site = sites(manager)
    viewer = site.client_for("viewer")
    page = viewer.get("api/recordings?limit=2")
    assert page.status_code == 200
    assert len(page.json()["items"]) == 2
    assert viewer.get("api/openapi.json").status_code == 200
    assert site.client_for(None).get("api/openapi.json").status_code == 401


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u001c", "\u2003\u001f"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("api/failures/acknowledge", {"interactionId": "a"}),
        ("api/recordings/a/b/restore", {}),
        ("api/holds", {"matter": "M-1", "interactionIds": ["a"]}),
        ("api/holds/H-1/release", {}),
    ],
)
def test_a_blank_reason_is_refused(app_client: TestClient, path: str, body: dict[str, Any], blank: str) -> None:
    """Whatever is blank to the archive is a malformed request, and no failure of the archive."""
    reply = app_client.post(path, json={**body, "reason": blank})
    assert reply.status_code == 400, reply.text
    assert [each["name"] for each in reply.json()["invalid"]] == ["reason"]
