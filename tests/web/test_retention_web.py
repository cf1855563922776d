"""Retention and fixity over REST and in the pages, with recordings that really went: forecast, plans, certificates."""

from __future__ import annotations

import html
import json
import re
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.disposition import erasure, erasure_request
from recording_archive.disposition.erasure_doubts import MAYBE_HEARD
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.plan import make_plan
from recording_archive.fixity.request import Scope
from recording_archive.retention import policy_in_force
from recording_archive.store import sidecar
from recording_archive.web.deps import get_archive
from recording_archive.web.pages import expiry_chart
from support.contents import amend, change, ids, row_of
from support.fixity_run import Verifying
from support.parties import party
from support.retention_run import EXPIRED, QUARANTINE, at, enforce, quarantined
from support.web_pages import BAD, HTML, make_hold, parse

POLICY = """name: {name}
defaultDays: {days}
rules:
  - name: {rule}
    days: 2555
    mediaTypes: [call]
"""


def show(client: TestClient, archive: Archive) -> None:
    """Let the app see the archive at another moment."""
    client.app.dependency_overrides[get_archive] = lambda: archive  # type: ignore[attr-defined]  # it is FastAPI


def page_of(client: TestClient, path: str) -> str:
    """A page's HTML."""
    reply = client.get(f"/{path}", headers=HTML)
    assert reply.status_code == 200, reply.text
    return reply.text


def test_a_forecast_counts_by_month_and_rule(app_client: TestClient) -> None:
    """What is due at once, what in each month, and what keeps the rest; as the domain tells it."""
    told = app_client.get("api/retention/forecast?months=6&asOf=2026-12-01T00:00:00Z").json()
    months = {month["month"]: month["recordings"] for month in told["inForce"]["months"]}
    assert months == {"2026-12": 0, "2027-01": 0, "2027-02": 6, "2027-03": 0, "2027-04": 0, "2027-05": 0}
    later = app_client.get("api/retention/forecast?asOf=2027-03-01T00:00:00%2B00:00").json()
    assert later["inForce"]["due"]["recordings"] == 6
    assert later["inForce"]["due"]["rules"]["default"]["recordings"] == 6
    for wrong in ("months=0", "months=999", "asOf=tomorrow", "asOf=2027-03-01T00:00:00"):
        assert app_client.get(f"api/retention/forecast?{wrong}").status_code == 400


def test_the_policy_in_force_is_told_with_its_version(app_client: TestClient, archived: Archive) -> None:
    """Without a document the days of the settings; then the adopted one, on the page as well."""
    assert app_client.get("api/retention/policy").json()["version"] == "default:90"
    adopted = policy_in_force.adopt(
        archived, POLICY.format(name="law", days=60, rule="calls").encode(), "p", actor="carol"
    )
    told = app_client.get("api/retention/policy").json()
    assert (told["version"], told["rules"][0]["days"]) == (adopted.version, 2555)
    page = page_of(app_client, "retention/policy")
    assert adopted.version in page
    assert ", by carol" in page
    assert "policies/000001.yaml" in page
    row = row_of(archived, ids(archived)[0])
    details = app_client.get(f"api/recordings/{row.interaction_id}/{row.recording_id}").json()["retention"]
    assert (details["policy"], details["days"], details["kept"]) == (adopted.version, 2555, "too_young")
    assert details["rule"] == "calls"
    assert "rule <strong>calls</strong>" in page_of(app_client, f"recordings/{row.interaction_id}/{row.recording_id}")


@pytest.mark.parametrize(
    "moment", ["2026-12-20T00:00:00+00:00", "2027-02-03T12:00:00+00:00", "2029-01-01T09:00:00+00:00"]
)
def test_every_number_of_a_forecast_leads_to_what_it_counts(
    app_client: TestClient, archived: Archive, moment: str
) -> None:
    """Months, rules, bars, cards: a search by that address finds as many as the number says."""
    first, *_, last = ids(archived)
    for number, interaction in enumerate(ids(archived)):
        change(archived, interaction, queue_name="Sales" if number % 2 else "Billing", parties=[])
    change(archived, last, state="quarantined", verified_ok=True)
    change(archived, first, verified_ok=False)
    rules = [
        {"name": "sales", "days": 30, "queues": ["Sales"]},
        {"name": "bills & more", "days": 700, "queues": ["Billing"]},
    ]
    document = json.dumps({"name": "p", "defaultDays": 75, "rules": rules})
    policy_in_force.adopt(archived, document.encode(), "p", actor="carol")
    show(app_client, at(archived, datetime.fromisoformat(moment)))
    page = page_of(app_client, "retention")
    told = re.findall(r'href="\./(\?[^"]*)"[^>]*>\s*(?:<strong>)?([\d,]+)<', page)
    bars = re.findall(r'<a href="\./(\?[^"]*)" tabindex="-1"><rect [^>]*><title>[^:]*: ([\d,]+) recordings', page)
    assert len(told) >= 3
    assert bars or moment > "2029"
    for link, number in told + bars:
        found = app_client.get(f"api/recordings{html.unescape(link)}").json()["items"]
        assert len(found) == int(number), link


def test_a_proposed_policy_is_compared_and_not_put_to_use(app_client: TestClient, archived: Archive) -> None:
    """By REST, by address and by the page's script alike: what would go sooner, what would be spared."""
    show(app_client, at(archived, EXPIRED - timedelta(days=60)))
    shorter = POLICY.format(name="shorter", days=7, rule="x").replace("call", "chat")
    told = app_client.post("api/retention/forecast", json={"policy": shorter}).json()
    assert (told["sooner"]["recordings"], told["spared"]["recordings"]) == (6, 0)
    by_address = app_client.get("/retention/compare", params={"policy": shorter}, headers=HTML).text
    as_it_was = app_client.get("/retention", params={"policy": shorter}, headers=HTML).text
    by_script = app_client.post("/retention/compare", json={"policy": shorter}).text
    for page in (by_address, as_it_was, by_script):
        assert "<strong>6</strong><span>more would be due at once" in page
        assert "Proposed: shorter" in page
    assert app_client.get("api/retention/policy").json()["version"] == "default:90"


def test_what_is_no_policy_is_told_with_its_line(app_client: TestClient) -> None:
    """The problem names the line and the remedy; the page shows it, and changes nothing."""
    wrong = "name: x\ndefaultDays: soon\n"
    reply = app_client.post("api/retention/forecast", json={"policy": wrong})
    assert reply.status_code == 400
    assert "line 2" in reply.json()["detail"]
    page = app_client.post("/retention/compare", json={"policy": wrong}).text
    assert "This is no policy." in page
    assert "line 2" in page
    assert app_client.post("api/retention/forecast", json={"policy": ""}).status_code == 400
    assert app_client.post("api/retention/forecast", json={"policy": "a\0b"}).status_code == 400


def test_a_policy_that_cannot_be_read_leaves_the_pages_standing(app_client: TestClient, archived: Archive) -> None:
    """The retention page and a recording's page say so, and show the rest."""
    archived.store.put("policies/000001.yaml", b"nonsense")
    row = row_of(archived, ids(archived)[0])
    for path in ("retention", "retention/policy", f"recordings/{row.interaction_id}/{row.recording_id}"):
        assert "No policy can be read, so nothing is deleted." in page_of(app_client, path)


def test_a_quarantined_recording_names_its_day_and_can_be_restored(app_client: TestClient, archived: Archive) -> None:
    """409 with the day it goes; a banner with the way back; restored it is heard again, and left alone for a while."""
    before = enforce(at(archived, EXPIRED), "retention__1")
    assert before.quarantined == 6
    show(app_client, at(archived, EXPIRED + timedelta(days=1)))
    row = row_of(archived, ids(archived)[0])
    address = f"recordings/{row.interaction_id}/{row.recording_id}"
    refused = app_client.get(f"retrieve?interactionId={row.interaction_id}")
    goes = (EXPIRED + QUARANTINE).isoformat()
    assert (refused.status_code, refused.json()["purgeFrom"]) == (409, goes)
    assert app_client.get(f"api/{address}/media").json()["purgeFrom"] == goes
    page = page_of(app_client, address)
    assert "In quarantine" in page
    assert 'data-decide="restore"' in page
    assert "quarantined" in page_of(app_client, "?status=quarantined")
    assert app_client.post(f"api/{address}/restore", json={"reason": " "}).status_code == 400
    reply = app_client.post(f"api/{address}/restore", json={"reason": "complaint 4711", "part": 0})
    assert reply.json() == {
        "parts": [{"interactionId": row.interaction_id, "recordingId": row.recording_id, "part": 0, "refused": None}]
    }
    details = app_client.get(f"api/{address}").json()
    assert (details["state"], details["purgeFrom"], details["quarantinedAt"]) == ("archived", None, None)
    assert details["restoredUntil"] == (EXPIRED + timedelta(days=15)).isoformat().replace("+00:00", "Z")
    assert app_client.get(f"api/{address}/media").status_code == 200
    restored = page_of(app_client, address)
    assert "Restored</span> by tester" in restored
    assert "complaint 4711" in restored
    assert "left alone until" in restored
    again = app_client.post(f"api/{address}/restore", json={"reason": "x"})
    assert (again.status_code, "not quarantined" in again.json()["detail"]) == (409, True)
    assert app_client.post("api/recordings/nobody/nobody/restore", json={"reason": "x"}).status_code == 404


def test_a_hold_on_what_is_in_quarantine_is_told_in_its_banner(app_client: TestClient, archived: Archive) -> None:
    """It is not promised to be deleted then: the next run takes it out."""
    show(app_client, quarantined(archived))
    row = row_of(archived, ids(archived)[0])
    make_hold(app_client, interactionIds=[row.interaction_id])
    page = page_of(app_client, f"recordings/{row.interaction_id}/{row.recording_id}")
    assert "would be deleted for good" in page
    assert "the next run takes it out of quarantine" in page


def test_a_purged_recording_has_its_certificate(app_client: TestClient, archived: Archive) -> None:
    """410 with the number, which leads to the document of the archive; the page has what it says, and no player."""
    later = quarantined(archived)
    ended = enforce(later, "retention__2")
    assert ended.purged == 6
    show(app_client, later)
    row = row_of(archived, ids(archived)[0])
    gone = app_client.get(f"retrieve?interactionId={row.interaction_id}")
    number = gone.json()["certificate"]
    assert (gone.status_code, number) == (410, row.certificate)
    document = app_client.get(f"api/certificates/{number}")
    assert document.json() == json.loads(archived.store.read(f"certificates/{number}.json"))
    assert len(document.json()["parts"]) == 6
    told = app_client.get(f"api/recordings/{row.interaction_id}/{row.recording_id}").json()
    assert [part["interactionId"] for part in told["certificateDocument"]["parts"]] == [row.interaction_id]
    assert (told["sidecar"], told["sidecarProblem"], told["retention"]) == (None, None, None)
    page = page_of(app_client, f"recordings/{row.interaction_id}/{row.recording_id}")
    assert f"certificates/{number}" in page
    assert "retention/runs/retention__2" in page
    for base, text in ((f"recordings/{row.interaction_id}/x", page), ("retention", page_of(app_client, "retention"))):
        for link in parse(text).links:
            if not link.startswith(("data:", "#")):
                assert app_client.get(urljoin(f"http://testserver/{base}", link)).status_code == 200, link
    assert 'id="player"' not in page
    listed = page_of(app_client, f"certificates/{number}")
    assert listed.count("<tr>") == 7
    assert row.sha256 in listed
    for unknown in ("C-20260101-000000", "..%2f..%2farchive", "%00", "x" * 101):
        assert app_client.get(f"api/certificates/{unknown}").status_code in {400, 404}


def test_a_lost_certificate_is_told(app_client: TestClient, archived: Archive) -> None:
    """The page of the recording survives it, and says which file is to be restored."""
    later = quarantined(archived)
    enforce(later, "retention__2")
    show(app_client, later)
    row = row_of(archived, ids(archived)[0])
    path = archived.settings.root / f"certificates/{row.certificate}.json"
    path.chmod(0o640)
    path.write_text("{")
    page = page_of(app_client, f"recordings/{row.interaction_id}/{row.recording_id}")
    assert "The certificate cannot be read." in page
    assert app_client.get(f"api/certificates/{row.certificate}").status_code == 500
    path.unlink()
    assert app_client.get(f"api/certificates/{row.certificate}").status_code == 404
    assert "The certificate cannot be read." in page_of(
        app_client, f"recordings/{row.interaction_id}/{row.recording_id}"
    )


def test_an_erased_recording_tells_nothing_of_a_person(app_client: TestClient, archived: Archive) -> None:
    """410 without metadata; neither page nor API nor list has a name or a number any more."""
    row = row_of(archived, ids(archived)[0])
    subject = Subject(ids=(row.interaction_id,))
    assert erasure.erase(archived, subject, reason="request 17", actor="carol").erased == 1
    personal = [row.ani, row.dnis, row.agent_name, row.agent_id]
    assert all(personal)
    gone = app_client.get(f"retrieve?interactionId={row.interaction_id}")
    assert (gone.status_code, set(gone.json())) == (410, {"type", "title", "status", "detail", "certificate"})
    address = f"recordings/{row.interaction_id}/{row.recording_id}"
    texts = [page_of(app_client, address), app_client.get(f"api/{address}").text, gone.text]
    texts.append(app_client.get(f"api/recordings?id={row.interaction_id}&format=csv").text)
    for text in texts:
        assert not [each for each in personal if each in text]
        assert row.interaction_date.strftime("%H:%M:%S") not in text
    assert "was erased" in texts[0]
    assert app_client.get(f"api/{address}").json()["interactionDate"] == "2026-11-20"
    assert ",erased,2026-11-20," in texts[-1]
    for page in (texts[0], page_of(app_client, f"?id={row.interaction_id}")):
        assert '<time datetime="2026-11-20">2026-11-20</time>' in page


def test_what_a_hold_kept_from_an_erasure_is_told_apart(app_client: TestClient, archived: Archive) -> None:
    """In list, page and REST the erased are counted, and the held beside them; the run did not fail."""
    first, second, third, *_ = ids(archived)
    make_hold(app_client, interactionIds=[third])
    erasure.erase(archived, Subject(ids=(first, second, third)), reason="r", actor="carol", run_id="erasure__1")
    (item,) = app_client.get("api/retention/runs").json()["items"]
    assert (item["status"], item["actions"]["erase"]["done"], item["actions"]["erase"]["kept"]) == ("success", 2, 1)
    assert item["actions"]["erase"]["bytesDone"] < item["actions"]["erase"]["bytes"]
    assert '<td class="number">2<span class="second">1 kept (held)</span></td>' in page_of(app_client, "retention/runs")
    page = page_of(app_client, "retention/runs/erasure__1")
    assert "<strong>2</strong><span>erased" in page
    assert "<strong>1</strong><span>kept (held): planned, not erased</span>" in page
    kept = page_of(app_client, "retention/runs/erasure__1?action=erase&outcome=kept")
    assert (kept.count("<td>erase</td>"), third in kept, first in kept) == (1, True, False)
    assert "kept, not erased" in kept


def test_a_certificate_says_what_was_never_stored(app_client: TestClient, archived: Archive) -> None:
    """A part that could not be archived has no SHA-256; its certificate says so in words."""
    victim = ids(archived)[0]
    row = row_of(archived, victim)
    for key in (row.key, sidecar.beside(row.key)):
        (archived.settings.root / key).unlink()
    blank = ("key", "sha256", "size_bytes", "stored_sha256", "stored_bytes", "sidecar_sha256", "archived_at")
    change(archived, victim, state="discovered", **dict.fromkeys(blank))
    erasure.erase(archived, Subject(ids=(victim,)), reason="r", actor="carol")
    page = page_of(app_client, f"certificates/{row_of(archived, victim).certificate}")
    assert '<td><span class="muted">not stored</span></td>' in page
    assert "None" not in page


def test_a_plan_that_waits_leads_to_airflows_own_page(app_client: TestClient, archived: Archive) -> None:
    """Above the limits the page says what is asked, whom not, and where; below them, or once agreed, nothing."""
    limited = at(archived, EXPIRED, max_delete_count=2)
    plan = make_plan(limited, "manual__2027-03-01T12:00:00+00:00", triggered_by="dave")
    assert plan.needs_approval
    show(app_client, limited)
    assert "1 plan waits for a person." in page_of(app_client, "retention")
    page = page_of(app_client, "retention/runs")
    assert "A plan waits for a person:" in page
    assert "dave started it and may not approve it" in page
    run = "manual__2027-03-01T12%3A00%3A00%2B00%3A00"
    assert f'href="../../dags/enforce_retention/runs/{run}/required_actions"' in page
    (item,) = app_client.get("api/retention/runs").json()["items"]
    assert (item["waitsForApproval"], item["triggeredBy"]) == (True, "dave")
    assert item["actions"]["quarantine"]["open"] == 6
    enforce(limited, "retention__2")
    assert "waits for a person" not in page_of(app_client, "retention") + page_of(app_client, "retention/runs")


def test_a_request_of_erasure_is_answered_by_another_person(app_client: TestClient, archived: Archive) -> None:
    """The page has two buttons, which differ; approved over REST by its hash, the next run carries it out."""
    victim = ids(archived)[0]
    asked = erasure_request.enter(archived, Subject(ids=(victim,)), reason=f"request 7 {BAD}", actor="ann")
    address = f"api/retention/runs/{asked.run_id}"
    for path in ("retention/runs", f"retention/runs/{asked.run_id}"):
        page = page_of(app_client, path)
        assert '<button type="button" class="button danger" data-decide="approve-erasure"' in page
        assert '<button type="button" class="button" data-decide="reject-erasure"' in page
        assert "<img" not in page
        assert "required_actions" not in page
    assert app_client.get(address).json()["requested"] is True
    for wrong, code in (({"plan": "0" * 64}, 409), ({"plan": ""}, 400), ({}, 400)):
        assert app_client.post(f"{address}/approve", json=wrong).status_code == code
    assert app_client.post("api/retention/runs/nobody/approve", json={"plan": asked.sha256}).status_code == 404
    told = app_client.post(f"{address}/approve", json={"plan": asked.sha256}).json()
    assert (told["approvedBy"], told["waitsForApproval"], told["status"]) == ("tester", False, None)
    page = page_of(app_client, f"retention/runs/{asked.run_id}")
    assert "The next run of <code>enforce_retention</code> erases it" in page
    assert row_of(archived, victim).state == "archived"
    (done,) = erasure_request.carry_out_approved(archived, threading.Event())
    assert done.erased == 1
    assert app_client.post(f"{address}/reject", json={"reason": "x"}).status_code == 409


def test_a_request_tells_what_may_be_meant_as_well(app_client: TestClient, archived: Archive) -> None:
    """REST and page, apart from what it erases; the report has it, too."""
    sure, maybe = ids(archived)[:2]
    amend(archived, sure, contact_id="contact-1")
    amend(archived, maybe, parties=[party(contactId="contact-1", certain=False)])
    asked = erasure_request.enter(archived, Subject(contacts=("contact-1",)), reason="request 7", actor="ann")
    listed = [{"interactionId": maybe, "recordingId": maybe, "part": 0, "why": MAYBE_HEARD}]
    told = app_client.get(f"api/retention/runs/{asked.run_id}").json()
    assert (told["lookAtThese"], list(told["actions"]), told["actions"]["erase"]["open"]) == (listed, ["erase"], 1)
    page = app_client.get(f"retention/runs/{asked.run_id}", headers=HTML).text
    assert "Look at these: 1 recording may be meant, and is not erased" in page
    assert f"recordings/{maybe}/{maybe}" in page
    assert "1 more may be meant, and stays" in app_client.get("retention/runs", headers=HTML).text
    erasure_request.reject(archived, asked.run_id, reason="wrong", actor="ann")
    assert app_client.get(f"api/retention/runs/{asked.run_id}/report").json()["lookAtThese"] == listed


def test_who_asked_for_an_erasure_may_only_withdraw_it(app_client: TestClient, archived: Archive) -> None:
    """Their page has no button to approve, and says why; REST refuses; a rejection closes the request."""
    asked = erasure_request.enter(archived, Subject(ids=(ids(archived)[0],)), reason="request 7", actor="Tester")
    page = page_of(app_client, "retention/runs")
    assert 'data-decide="approve-erasure"' not in page
    assert "You cannot approve it: tester triggered it; somebody else must approve." in page
    address = f"api/retention/runs/{asked.run_id}"
    refused = app_client.post(f"{address}/approve", json={"plan": asked.sha256})
    assert (refused.status_code, "somebody else must approve" in refused.json()["detail"]) == (409, True)
    assert app_client.post(f"{address}/reject", json={"reason": " "}).status_code == 400
    told = app_client.post(f"{address}/reject", json={"reason": "wrong number"}).json()
    assert (told["status"], told["problem"]) == ("failed", "tester rejected it: wrong number")
    assert "waits for a second person" not in page_of(app_client, "retention/runs")
    plan = make_plan(at(archived, EXPIRED, max_delete_count=2), "retention__1")
    assert plan.needs_approval
    refused = app_client.post("api/retention/runs/retention__1/approve", json={"plan": plan.sha256})
    assert (refused.status_code, "waits in Airflow" in refused.json()["detail"]) == (409, True)


def test_plans_tell_what_became_of_them_and_who_agreed(app_client: TestClient, archived: Archive) -> None:
    """List, page, report byte for byte; rows with the certificate; newest first in pages."""
    held = ids(archived)[0]
    make_hold(app_client, interactionIds=[held])
    enforce(at(archived, EXPIRED, max_delete_count=2), "retention__1")
    later = at(archived, EXPIRED + QUARANTINE)
    ended = enforce(later, "retention__2")
    show(app_client, later)
    first = app_client.get("api/retention/runs?limit=1").json()
    second = app_client.get("api/retention/runs", params={"after": first["next"]}).json()
    assert [item["runId"] for item in first["items"] + second["items"]] == ["retention__2", "retention__1"]
    assert first["items"][0]["actions"]["purge"]["done"] == 5
    assert (second["items"][0]["approvedBy"], second["items"][0]["kept"]) == ("carol", {"held": 1})
    report = app_client.get("api/retention/runs/retention__2/report?format=json")
    assert report.content == archived.store.read(ended.closed.report_key)
    assert app_client.get("api/retention/runs/retention__2/report?format=csv").status_code == 200
    page = page_of(app_client, "retention/runs/retention__2")
    assert page.count('class="badge good">done') == 5
    assert row_of(archived, ids(archived)[1]).certificate in page
    assert "carol" in page_of(app_client, "retention/runs")
    assert app_client.get("api/retention/runs/nobody").status_code == 404
    assert app_client.get("api/retention/runs/nobody/report").status_code == 404
    tab = page_of(app_client, "runs/by-airflow?dag_id=enforce_retention&run_id=retention__2")
    assert "Retention report" in tab
    assert "No report yet" in page_of(app_client, "runs/by-airflow?dag_id=enforce_retention&run_id=other")


def test_the_rows_of_a_plan_come_in_pages(app_client: TestClient, archived: Archive, monkeypatch: Any) -> None:
    """Each recording of a plan once, page by page."""
    from recording_archive.web.read import retention_plans  # noqa: PLC0415 - after AIRFLOW_HOME was set

    enforce(at(archived, EXPIRED), "retention__1")
    monkeypatch.setattr(retention_plans, "PAGE", 4)
    first, following = retention_plans.list_dispositions(archived, "retention__1")
    second, end = retention_plans.list_dispositions(archived, "retention__1", after=following or 0)
    assert [row.interaction_id for row in first + second] == sorted(ids(archived)) or len({*first, *second}) == 6
    assert end is None
    page = page_of(app_client, "retention/runs/retention__1")
    assert f'href="../../retention/runs/retention__1?after={following}"' in page


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


def test_markup_in_policies_plans_and_reasons_stays_text(app_client: TestClient, archived: Archive) -> None:
    """Names of policies and rules, a pasted policy, reasons of restores and erasures are shown as they are."""
    document = json.dumps(
        {"name": BAD, "defaultDays": 90, "rules": [{"name": BAD, "days": 91, "mediaTypes": ["call"]}]}
    )
    policy_in_force.adopt(archived, document.encode(), "p", actor="carol")
    later = at(archived, EXPIRED)
    enforce(later, "retention__<b>")
    show(app_client, later)
    first, second, *_ = ids(archived)
    row = row_of(archived, first)
    app_client.post(f"api/recordings/{first}/{row.recording_id}/restore", json={"reason": BAD})
    erasure.erase(later, Subject(ids=(second,)), reason=BAD, actor=BAD, run_id="erasure__1")
    number = row_of(archived, second).certificate
    paths = [
        "retention",
        "retention/policy",
        "retention/compare",
        f"recordings/{first}/{row.recording_id}",
        "retention/runs/erasure__1",
        "retention/runs",
    ]
    texts = [page_of(app_client, path) for path in [*paths, f"certificates/{number}", f"recordings/{second}/{second}"]]
    texts += [app_client.post("/retention/compare", json={"policy": text}).text for text in (document, BAD)]
    texts.append(app_client.get("/retention", params={"policy": BAD}, headers=HTML).text)
    for text in texts:
        assert "<img" not in text
        assert "<script>" not in text
        assert "<b>" not in text
    assert sum("onerror" in text for text in texts) == 9


@pytest.mark.parametrize("rules", [0, 1, 6, 7, 40])
def test_a_stacked_chart_stays_inside_and_adds_up(rules: int) -> None:
    """The columns of a month end at its sum; too many rules become one; nothing lies outside."""
    from recording_archive.retention.forecast_figures import (  # noqa: PLC0415 - beside what it draws
        Amount,
        MonthForecast,
        Outlook,
    )
    from recording_archive.retention.rules import Policy  # noqa: PLC0415

    by_rule = {f"rule {number}": Amount(number + 1, 10) for number in range(rules)}
    months = (MonthForecast("2027-01", by_rule), MonthForecast("2027-02", {}))
    nothing = Amount()
    outlook = Outlook(Policy("v", "p", 90), {}, *[nothing] * 4, months, {}, *[nothing] * 3)
    chart = expiry_chart.draw(outlook)
    assert len(chart.rules) == min(rules, expiry_chart.MOST_RULES)
    assert (
        sum(block.amount.recordings for block in chart.blocks) == sum(range(rules + 1)) == chart.rows[0].all.recordings
    )
    assert all(sum(each.recordings for each in row.by_rule) == row.all.recordings for row in chart.rows)
    assert all(block.y >= 0 and block.x + block.width <= expiry_chart.WIDTH for block in chart.blocks)
    assert len({block.y for block in chart.blocks}) == len(chart.blocks)


def test_reports_lie_where_the_page_says(app_client: TestClient, archived: Archive) -> None:
    """The key that a plan's page shows is a file of the archive."""
    ended = enforce(at(archived, EXPIRED), "retention__1")
    assert f"<code>{ended.closed.report_key}</code>" in page_of(app_client, "retention/runs/retention__1")
    assert Path(archived.settings.root, ended.closed.report_key).is_file()
