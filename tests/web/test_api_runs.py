"""REST API of runs, reports, failures, figures and days."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings, runs
from recording_archive.model import PartId, State
from recording_archive.web.read.failures import kind_of
from support.web_pages import first_row, kinds

DOCS = Path(__file__).parents[2] / "docs"


NOW = datetime.now(UTC)


def add_failure(archive: Archive, interaction_id: str, *, days: float, error: str = "HTTP 404") -> PartId:
    """Enter a recording that has failed for so many days."""
    part = PartId(interaction_id, interaction_id, 0)
    since = archive.clock() - timedelta(days=days)
    facts = {"state": State.DISCOVERED, "failed_since": since, "failures": 1, "last_error": error}
    with archive.catalog.write() as connection:
        connection.execute(insert(recordings).values(**part._asdict(), **facts))
    return part


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
