"""Plans and erasures over REST and in the pages: who asked, who agreed, and what became of them."""

from __future__ import annotations

import threading
from typing import Any

from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.disposition import erasure, erasure_request
from recording_archive.disposition.erasure_doubts import MAYBE_HEARD
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.plan import make_plan
from support.contents import amend, ids, row_of
from support.parties import party
from support.retention_run import EXPIRED, QUARANTINE, at, enforce
from support.web_pages import BAD, HTML, make_hold, page_of, show


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
