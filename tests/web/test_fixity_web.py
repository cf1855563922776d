"""Integrity over REST and in the pages: what was read, what is damaged, and what needs a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.fixity.request import Scope
from support.contents import change, ids, row_of
from support.fixity_run import Verifying
from support.retention_run import at, enforce, quarantined
from support.web_pages import make_hold, page_of, show


@pytest.fixture
def verified(archived: Archive, cloud: Sandbox) -> tuple[Archive, str]:
    """An archive whose first recording was damaged beyond repair, and a run of verify_archive over it."""
    damaged = ids(archived)[0]
    path = archived.settings.root / row_of(archived, damaged).key
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-40] + bytes(40))
    (archived.settings.root / "recordings" / "stray <b>.txt").write_text("x")
    cloud.faults.clear()
    moved = replace(archived, clock=lambda: archived.clock() + timedelta(days=40))
    return moved, damaged


def test_fixity_tells_what_was_read_and_what_needs_a_person(
    app_client: TestClient, verified: tuple[Archive, str], cloud: Sandbox
) -> None:
    """The page has ages and runs; a run what was damaged, repaired or unknown; its report comes byte for byte."""
    archive, damaged = verified
    show(app_client, archive)
    assert "None yet." in page_of(app_client, "fixity")
    closed = Verifying(cloud)(archive, Scope(everything=True), run_id="verify__1")
    (run,) = app_client.get("api/fixity/runs").json()["items"]
    assert (run["runId"], run["planned"], run["counts"]["stray"]) == ("verify__1", 6, 1)
    assert run["counts"]["repaired"] + run["counts"]["bad"] == 1
    assert app_client.get("api/fixity/runs/verify__1").json() == run
    report = app_client.get("api/fixity/runs/verify__1/report")
    assert report.content == archive.store.read(closed.report_key)
    overview = page_of(app_client, "fixity")
    assert "fixity/runs/verify__1" in overview
    page = page_of(app_client, "fixity/runs/verify__1")
    assert damaged in page
    assert "stray &lt;b&gt;.txt" in page
    assert "Integrity report" in page_of(app_client, "runs/by-airflow?dag_id=verify_archive&run_id=verify__1")
    assert app_client.get("api/fixity/runs/other").status_code == 404


def test_a_damaged_recording_colours_the_fixity_page(app_client: TestClient, archived: Archive) -> None:
    """What failed its last reading is counted, linked, and said to need a person."""
    change(archived, ids(archived)[0], verified_ok=False)
    page = page_of(app_client, "fixity")
    assert "Damaged, and not repaired." in page
    assert "83.3 %" in page


def test_what_left_the_archive_is_no_proof_any_more(app_client: TestClient, archived: Archive) -> None:
    """Ages of readings count what is here: not the purged, though their last reading was good."""
    later = quarantined(archived)
    make_hold(app_client, interactionIds=[ids(archived)[0]])
    enforce(later, "retention__2")
    show(app_client, at(archived, archived.clock()))
    told = app_client.get("api/statistics").json()
    assert (told["recordings"], sum(age["recordings"] for age in told["verification"])) == (1, 1)
    page = page_of(app_client, "fixity")
    assert "<strong>100.0 %</strong>" in page
