"""The REST API: what it answers, what it refuses, and that its description tells the truth."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Row, insert, select, update

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events, recordings, runs, work
from recording_archive.model import PartId, State
from recording_archive.store import sidecar
from recording_archive.web.read.failures import kind_of
from support.site import Site

DOCS = Path(__file__).parents[2] / "docs"

NOW = datetime.now(UTC)


def first_row(archive: Archive) -> Row[Any]:
    with archive.catalog.read() as connection:
        return connection.execute(select(recordings).order_by(recordings.c.key).limit(1)).one()


def add_failure(archive: Archive, interaction_id: str, *, days: float, error: str = "HTTP 404") -> PartId:
    """Enter a recording that has failed for so many days."""
    part = PartId(interaction_id, interaction_id, 0)
    since = archive.clock() - timedelta(days=days)
    facts = {"state": State.DISCOVERED, "failed_since": since, "failures": 1, "last_error": error}
    with archive.catalog.write() as connection:
        connection.execute(insert(recordings).values(**part._asdict(), **facts))
    return part


def kinds(archive: Archive) -> list[Any]:
    with archive.catalog.read() as connection:
        rows = connection.execute(select(events.c.kind, events.c.actor, events.c.detail).order_by(events.c.id))
        return [tuple(row) for row in rows]


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


def test_runs_and_their_totals(app_client: TestClient, archived: Archive) -> None:
    """Newest first, page by page; totals of the report, or of the books while there is none."""
    with archived.catalog.write() as connection:
        started = NOW + timedelta(days=1)
        facts = {"source": "s", "kind": "asked", "started_at": started, "problem": "the source was never asked"}
        connection.execute(insert(runs).values(run_id="manual__open", **facts))
    first = app_client.get("api/runs?limit=1").json()
    second = app_client.get("api/runs", params={"after": first["next"]}).json()
    assert [run["runId"] for run in first["items"] + second["items"]] == ["manual__open", "scheduled__first"]
    assert second["next"] is None
    closed = app_client.get("api/runs/scheduled__first").json()
    assert closed["totals"]["successful"] == closed["totals"]["asked"] == 6
    assert closed["problems"] == []
    still_open = app_client.get("api/runs/manual__open").json()
    assert still_open["problems"] == ["the source was never asked"]
    assert still_open["totals"]["success"] == 0
    assert app_client.get("api/runs/manual__open/report").status_code == 404
    assert app_client.get("api/runs/no-such-run").status_code == 404


@pytest.mark.parametrize(("form", "kind"), [("json", "application/json"), ("csv", "text/csv; charset=utf-8")])
def test_a_report_comes_byte_for_byte(app_client: TestClient, archived: Archive, form: str, kind: str) -> None:
    """As it lies in the archive, with its hash as tag; and fetching it is an event."""
    reply = app_client.get(f"api/runs/scheduled__first/report?format={form}")
    (path,) = archived.settings.root.glob(f"reports/*/*/1/*.{form}")
    assert reply.content == path.read_bytes()
    assert reply.headers["Content-Type"] == kind
    assert reply.headers["ETag"] == f'"{hashlib.sha256(reply.content).hexdigest()}"'
    assert kinds(archived)[-1][:2] == ("exported", "tester")


def test_failures_by_how_they_stand(app_client: TestClient, archived: Archive) -> None:
    """Those whose retries are over need a decision; an acknowledged one needs none any more."""
    add_failure(archived, "fresh", days=1)
    for number in range(3):
        add_failure(archived, f"old-{number}", days=20 + number)

    def listed(kind: str) -> list[str]:
        return [item["interactionId"] for item in app_client.get(f"api/failures?kind={kind}").json()["items"]]

    assert listed("retrying") == ["fresh"]
    assert listed("decision") == ["old-2", "old-1", "old-0"]
    page = app_client.get("api/failures?limit=2").json()
    rest = app_client.get("api/failures", params={"after": page["next"]}).json()
    assert [item["interactionId"] for item in page["items"] + rest["items"]] == listed("decision")
    assert all(item["needsDecision"] for item in page["items"])
    reply = app_client.post("api/failures/acknowledge", json={"interactionId": "old-1", "reason": " test call "})
    assert reply.json() == {"parts": [{"interactionId": "old-1", "recordingId": "old-1", "part": 0, "refused": None}]}
    assert listed("decision") == ["old-2", "old-0"]
    assert listed("acknowledged") == ["old-1"]
    kind, actor, detail = kinds(archived)[-1]
    assert (kind, actor, detail["reason"]) == ("acknowledged", "tester", "test call")


def test_failures_are_told_by_cause(app_client: TestClient, archived: Archive) -> None:
    """Errors of one wording are one cause, whose number its list has; as pages, and as a whole CSV, which is noted."""
    for number in range(5):
        add_failure(
            archived, f"gone-{number}", days=30 - number, error=f"HTTP 404 for https://media.example/{number}/x_%"
        )
    add_failure(archived, "refused", days=20, error="HTTP 403: 100 % refused by 'x'")
    add_failure(archived, "fresh", days=1)
    told = app_client.get("api/failures?limit=3").json()
    causes = {each["cause"]: each["recordings"] for each in told["causes"]}
    assert causes == {"HTTP 404 for …": 5, "HTTP 403: … % refused by …": 1}
    for cause, count in causes.items():
        query = {"cause": cause, "limit": 2}
        found = [item["interactionId"] for item in app_client.get("api/failures", params=query).json()["items"]]
        assert len(found) == min(count, 2)
        lines = app_client.get("api/failures", params={"cause": cause, "format": "csv"}).text.splitlines()
        assert len(lines) == count + 1
        assert kinds(archived)[-1] == ("exported", "tester", {"list": "failures", "format": "csv"})
        page = app_client.get("/failures", params={"cause": cause}, headers={"Accept": "text/html"}).text
        assert page.count("data-pick=") == count
    assert app_client.get("api/failures?cause=HTTP+4%25").json()["items"] == []
    page = app_client.get("/failures?kind=retrying", headers={"Accept": "text/html"}).text
    assert ("fresh" in page, "gone-1" in page) == (True, False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"interactionId": "old", "reason": "  "}, 400),
        ({"interactionId": "old"}, 400),
        ({"interactionId": "old", "reason": "x", "resaon": "y"}, 400),
        ({"interactionId": "old", "reason": "a\0b"}, 400),
        ({"interactionId": "unknown", "reason": "x"}, 404),
        ({"interactionId": "old", "recordingId": "unknown", "reason": "x"}, 404),
    ],
)
def test_a_decision_must_be_well_formed(
    app_client: TestClient, archived: Archive, body: dict[str, Any], status: int
) -> None:
    """Without a reason, with a field that is none, or about nothing: refused, and nothing is written."""
    add_failure(archived, "old", days=20)
    before = kinds(archived)
    assert app_client.post("api/failures/acknowledge", json=body).status_code == status
    assert kinds(archived) == before


def test_what_did_not_fail_cannot_be_acknowledged(app_client: TestClient, archived: Archive) -> None:
    """409, with the reason for each part."""
    row = first_row(archived)
    body = {"interactionId": row.interaction_id, "reason": "x"}
    reply = app_client.post("api/failures/acknowledge", json=body)
    assert reply.status_code == 409
    assert "it is archived, not failed" in reply.json()["detail"]


def test_figures_add_up(app_client: TestClient, archived: Archive) -> None:
    """Totals, days, failures by kind and ages of verification are those of the catalog."""
    for number, days in enumerate((1, 20, 30)):
        add_failure(archived, f"f{number}", days=days, error=f"HTTP 404 for recording f{number}0000000-12: gone")
    told = app_client.get("api/statistics?from=2026-11-19&to=2026-11-21").json()
    with archived.catalog.read() as connection:
        stored = connection.execute(select(recordings).where(recordings.c.state == State.ARCHIVED)).all()
    assert told["states"] == {"archived": 6, "discovered": 3, "quarantined": 0, "purged": 0, "erased": 0}
    assert told["bytes"] == sum(row.size_bytes for row in stored)
    assert told["storedBytes"] == sum(row.stored_bytes for row in stored)
    assert [(day["date"], day["recordings"]) for day in told["days"]] == [
        ("2026-11-19", 0),
        ("2026-11-20", 6),
        ("2026-11-21", 0),
    ]
    assert told["days"][1]["bytes"] == told["bytes"]
    assert [each["recordings"] for each in told["failures"]] == [3]
    assert (told["needsDecision"], told["retrying"]) == (2, 1)
    assert told["verification"][0] == {"days": 1, "recordings": 6}
    assert sum(each["recordings"] for each in told["verification"]) == 6


def test_failures_of_one_kind_have_one_wording() -> None:
    """Ids, hashes, addresses and numbers do not make a new kind; an HTTP status does."""
    one = kind_of("HTTP 404 from https://a.example/x: recording 1f0a2b3c-0000 of 12 MB, SHA-256 is " + "ab1" * 20)
    two = kind_of("HTTP 404 from https://b.example/y: recording 99887766-aaaa of 7 MB, SHA-256 is " + "cd2" * 20)
    assert one == two
    assert "404" in one
    assert kind_of("HTTP 403 from …") != kind_of("HTTP 404 from …")


def test_days_are_complete_gaps_or_not_due(app_client: TestClient, archived: Archive) -> None:
    """Before the archive began nothing is due; a day without its run is a gap once it is half a day over."""
    reply = app_client.get("api/coverage?from=2026-11-18&to=2026-11-20").json()
    assert [day["state"] for day in reply["days"]] == ["nothing", "complete", "complete"]
    assert reply["zone"] == "UTC"
    ahead = archived.clock().date() + timedelta(days=3)
    future = app_client.get(f"api/coverage?from={ahead}&to={ahead}").json()
    assert [day["state"] for day in future["days"]] == ["nothing"]
    assert len(app_client.get("api/coverage").json()["days"]) == 92
    for wrong in ("from=2026-11-20&to=2026-11-19", "from=2020-01-01&to=2026-01-01", "from=9999-12-31&to=9999-12-31"):
        assert app_client.get(f"api/coverage?{wrong}").status_code == 400


def test_metrics_are_what_the_documents_say(app_client: TestClient) -> None:
    """A scrape has every gauge of docs/monitoring.md, and none beyond; the dashboard asks for nothing else."""
    reply = app_client.get("api/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in text_string_to_metric_families(reply.text)}
    documented = re.findall(r"`(recording_archive_\w+)", (DOCS / "monitoring.md").read_text())
    assert set(documented) == names
    dashboard = json.loads((DOCS / "monitoring" / "dashboard.json").read_text())
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    assert set(re.findall(r"recording_archive_\w+", asked)) <= names


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
