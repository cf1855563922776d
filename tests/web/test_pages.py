"""The pages without a browser: every link leads somewhere, nothing is inline, and search pages do not overlap."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, update
from starlette.applications import Starlette
from starlette.routing import Mount

from recording_archive.archive import Archive
from recording_archive.catalog.tables import coverage, recordings
from recording_archive.settings import Settings
from recording_archive.store import sidecar
from support.site import ROOT
from support.web_pages import HTML, parse

PAGES = (
    *(
        "",
        "runs",
        "failures",
        "holds",
        "holds/new",
        "retention",
        "retention/policy",
        "fixity",
        "overview",
        "coverage",
        "evidence",
        "openings",
    ),
    *("why?id=unknown-1", "?q=unknown-1", "?agent=nobody", "?sort=oldest"),
)


@pytest.mark.parametrize("mount", ["", "/below/another/app"])
def test_every_link_of_every_page_leads_somewhere(app_client: TestClient, mount: str) -> None:
    """Links are relative, so they hold wherever the app is mounted; following all of them meets no error."""
    client = TestClient(Starlette(routes=[Mount(mount, app_client.app)]))
    base = f"http://testserver{mount}/"
    seen: set[str] = set()
    waiting = [urljoin(base, path) for path in PAGES]
    while waiting:
        address = waiting.pop()
        if address in seen or len(seen) > 150:
            continue
        seen.add(address)
        assert address.startswith(base)
        reply = client.get(address, headers=HTML)
        assert reply.status_code == 200, address
        if reply.headers["content-type"].startswith("text/html"):
            reader = parse(reply.text)
            assert reader.refused == [], address
            assert not any(urlsplit(link).netloc or link.startswith("/") for link in reader.links), address
            waiting += [urljoin(address, link) for link in reader.links if not link.startswith(("#", "data:"))]
    assert len(seen) > 30


def test_pages_of_a_search_have_each_recording_once(app_client: TestClient, archived: Archive) -> None:
    """Following "Older recordings" shows all of them, in order, none twice."""
    with archived.catalog.write() as connection:
        model = connection.execute(select(recordings).limit(1)).mappings().one()
        for number in range(120):
            facts = {"interaction_id": f"more-{number:03}", "recording_id": f"more-{number:03}", "key": f"x/{number}"}
            connection.execute(insert(recordings).values({**model, **facts}))
    found: list[str] = []
    path = "/"
    for _ in range(3):
        links = parse(app_client.get(path, headers=HTML).text).links
        found += dict.fromkeys(link for link in links if link.startswith("./recordings/"))
        path = next((link for link in links if link.startswith("./?after=")), "")
    assert path == ""
    assert len(found) == len(set(found)) == 126


def test_a_recording_that_needs_a_decision_is_told_on_every_page(app_client: TestClient, archived: Archive) -> None:
    """The tab "Failures" counts them, and the recording says what stands open."""
    with archived.catalog.write() as connection:
        one = connection.execute(select(recordings.c.interaction_id).limit(1)).scalar_one()
        facts = {"state": "discovered", "failed_since": archived.clock().replace(year=2020), "failures": 3}
        same = recordings.c.interaction_id == one
        connection.execute(update(recordings).where(same).values(**facts, last_error="host says <no>"))
    assert '1<span class="hidden-text"> need a decision</span>' in app_client.get("/runs", headers=HTML).text
    page = app_client.get(f"/recordings/{one}/{one}", headers=HTML).text
    assert "host says &lt;no&gt;" in page
    assert "No run tries again by itself" in page


def test_the_calendar_names_a_gap_and_the_command_that_closes_it(app_client: TestClient, archived: Archive) -> None:
    """Days between covered ranges are a gap; the page has the backfill for them."""
    with archived.catalog.write() as connection:
        row = connection.execute(select(coverage).limit(1)).mappings().one()
        earlier = {"start": row["start"].replace(day=10), "end": row["start"].replace(day=12)}
        connection.execute(insert(coverage).values({**row, **earlier, "id": 999}))
    page = app_client.get("/overview?until=2026-11-30", headers=HTML).text
    last = row["start"].replace(day=row["start"].day - 1)
    assert f"--from-date 2026-11-12 --to-date {last:%Y-%m-%d}" in page


def test_the_tab_on_other_dags_says_so_kindly(app_client: TestClient) -> None:
    """Airflow shows the tab on runs of every DAG: there it explains itself instead of failing."""
    page = app_client.get("/runs/by-airflow?dag_id=other&run_id=x", headers=HTML)
    assert page.status_code == 200
    assert "this is a run of <code>other</code>" in page.text


def test_an_interaction_of_one_recording_needs_no_detour(app_client: TestClient, archived: Archive) -> None:
    """Asking why an id is not there leads to its recording when it is."""
    with archived.catalog.read() as connection:
        one = connection.execute(select(recordings.c.interaction_id).limit(1)).scalar_one()
    page = app_client.get(f"/why?id={one}", headers=HTML)
    assert page.url.path == f"/recordings/{one}/{one}"


def test_a_report_that_was_touched_is_not_shown_as_sound(app_client: TestClient, archived: Archive) -> None:
    """The page compares the stored report with its stored hashes, and says when they differ."""
    assert "report unchanged" in app_client.get("/runs/scheduled__first", headers=HTML).text
    (table,) = (archived.settings.root / "reports").rglob("*.csv")
    table.chmod(0o640)
    table.write_text(table.read_text().replace("success", "missing", 1))
    page = app_client.get("/runs/scheduled__first", headers=HTML).text
    assert "report unchanged" not in page
    assert "This report is not what was written." in page


def test_a_lost_sidecar_is_told_and_the_rest_still_shown(app_client: TestClient, archived: Archive) -> None:
    """The page of a recording survives a sidecar that cannot be read, and says so."""
    with archived.catalog.read() as connection:
        one = connection.execute(select(recordings).limit(1)).one()
    path = archived.settings.root / sidecar.beside(one.key)
    path.unlink()
    page = app_client.get(f"/recordings/{one.interaction_id}/{one.recording_id}", headers=HTML)
    assert page.status_code == 200
    assert "Its metadata file cannot be read." in page.text
    assert one.stored_sha256 in page.text


def test_pages_and_settings_that_the_document_on_compliance_names_exist(app_client: TestClient) -> None:
    """Each `/archive/…` in it is a route, and each RECORDING_ARCHIVE_… a setting."""
    text = (ROOT / "docs" / "compliance.md").read_text()
    app = app_client.app
    assert isinstance(app, Starlette)
    routes = {f"/archive{getattr(route, 'path', '')}" for route in app.routes}
    named = set(re.findall(r"`(?:GET |POST )?(/archive/[^`]*)`", text))
    assert len(named) > 8
    assert named <= routes
    known = {f"RECORDING_ARCHIVE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"`(RECORDING_ARCHIVE_\w+)`", text)) <= known
