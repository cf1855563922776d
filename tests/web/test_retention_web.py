"""Retention over REST and in the pages, with recordings that really went: forecast, policy, certificates."""

from __future__ import annotations

import html
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.disposition import erasure
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.retention import policy_in_force
from recording_archive.store import sidecar
from recording_archive.web.pages import expiry_chart
from support.contents import change, ids, row_of
from support.retention_run import EXPIRED, QUARANTINE, at, enforce, quarantined
from support.web_pages import BAD, HTML, make_hold, page_of, parse, show

POLICY = """name: {name}
defaultDays: {days}
rules:
  - name: {rule}
    days: 2555
    mediaTypes: [call]
"""


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
