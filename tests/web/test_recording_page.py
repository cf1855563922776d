"""The page of a recording: who and when, one verdict, tabs, neighbours of the search; and a reading on request."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.store import sidecar
from support.contents import change, events_of, ids, row_of, rows
from support.web_pages import HTML, first_row, parse

WRITE = {"X-Recording-Archive": "1"}


def page_of(client: TestClient, interaction: str, query: str = "") -> str:
    """The page of an interaction's one recording."""
    reply = client.get(f"/recordings/{interaction}/{interaction}{query}", headers=HTML)
    assert reply.status_code == 200
    return reply.text


def verdict_of(page: str) -> str:
    """The one bar that says how the recording is."""
    (found,) = re.findall(r'<section class="verdict.*?</section>', page, re.DOTALL)
    return str(found)


def test_the_heading_says_who_and_when(app_client: TestClient, archived: Archive) -> None:
    """Agent, queue and the other side's number, by the direction of the call."""
    one = first_row(archived).interaction_id
    change(
        archived, one, agent_name="Ann <b>", queue_name="Billing", ani="tel:+441", dnis="tel:+442", duration_ms=61_000
    )
    for direction, arrow, number in (("inbound", "←", "+441"), ("outbound", "→", "+442")):
        change(archived, one, direction=direction)
        page = page_of(app_client, one)
        heading = re.sub(r"<[^>]+>", " ", page[page.index("<h1>") : page.index("</h1>")])
        assert heading.split() == ["Ann", "&lt;b&gt;", "·", "Billing", arrow, "from" if arrow == "←" else "to", number]
        assert f"1:01 · {direction}" in page


@pytest.mark.parametrize("tab", ["call", "proof", "history"])
def test_tabs_are_addresses(app_client: TestClient, archived: Archive, tab: str) -> None:
    """Each is shown by its link alone, without a script, and keeps the search one came from."""
    page = page_of(app_client, first_row(archived).interaction_id, f"?tab={tab}&search=sort%3Doldest")
    shown = re.findall(r'data-panel="(\w+)"[^>]*?( hidden)?>', page)
    assert [name for name, hidden in shown if not hidden] == [tab]
    assert len(shown) == 3
    assert "?tab=proof&amp;search=sort%3Doldest" in page


def test_a_sound_one_is_unaltered_and_expires(app_client: TestClient, archived: Archive) -> None:
    """Read when, and gone when."""
    verdict = verdict_of(page_of(app_client, first_row(archived).interaction_id))
    assert 'class="verdict good"' in verdict
    assert "Unaltered" in verdict
    assert "Expires" in verdict


@pytest.mark.parametrize("harm", ["bytes", "sidecar"])
def test_a_damaged_one_has_one_red_sentence_and_nothing_green(
    app_client: TestClient, archived: Archive, harm: str
) -> None:
    """It offers to repair, and no mark beside it says that all is well."""
    row = first_row(archived)
    if harm == "bytes":
        change(archived, row.interaction_id, verified_ok=False)
    else:
        (archived.settings.root / sidecar.beside(row.key)).unlink()
    page = page_of(app_client, row.interaction_id)
    verdict = verdict_of(page)
    assert 'class="verdict bad"' in verdict
    assert 'data-trigger="verify_archive"' in verdict
    assert "Unaltered" not in page
    assert "badge good" not in page or harm == "sidecar"


def test_previous_and_next_walk_the_search(app_client: TestClient, archived: Archive) -> None:
    """From any recording that a search found, in its order, to its ends."""
    found = sorted(rows(archived).values(), key=lambda row: (row.interaction_date, row.interaction_id))
    wanted = [row.interaction_id for row in found if row.queue_name == found[0].queue_name]
    address, walked = f"/recordings/{wanted[0]}/{wanted[0]}", []
    search = f"queue={quote(found[0].queue_name)}&sort=oldest"
    while address:
        page = app_client.get(address if walked else f"{address}?search={quote(search)}", headers=HTML).text
        walked.append(address.split("?", maxsplit=1)[0].rpartition("/")[2])
        before = re.findall(r'rel="prev" href="[./]*recordings/([^/]+)/', page)
        assert before == walked[-2:-1]
        following = re.findall(r'rel="next" href="([^"]+)"', page)
        address = following[0].replace("../../", "/").replace("&amp;", "&") if following else ""
    assert walked == wanted
    assert len(walked) > 1
    assert 'rel="next"' not in page_of(app_client, wanted[0], "?search=minSeconds%3Dmany")


def test_a_search_leads_to_pages_that_know_it(app_client: TestClient) -> None:
    """The links of a result carry the search; a pasted column of ids is too long for that."""
    links = parse(app_client.get("/?sort=oldest", headers=HTML).text).links
    assert any(link.endswith("?search=sort%3Doldest") for link in links)
    many = "+".join(f"id-{number}" for number in range(600))
    assert "search=q" not in app_client.get(f"/?status=archived&id={many}", headers=HTML).text


def test_verify_now_reads_it_and_names_who_asked(app_client: TestClient, archived: Archive) -> None:
    """Sound first, then found damaged; both verdicts are events of the person, and the page says so."""
    row = first_row(archived)
    address = f"api/recordings/{row.interaction_id}/{row.recording_id}/verify"
    change(archived, row.interaction_id, verified_at=row.verified_at - timedelta(days=9))
    assert app_client.post(address, json={}, headers={**WRITE, "X-User": "kim"}).json()["problem"] is None
    assert row_of(archived, row.interaction_id).verified_at > row.verified_at - timedelta(days=1)
    path = archived.settings.root / row.key
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-100])
    assert row.key in app_client.post(address, json={}, headers=WRITE).json()["problem"]
    told = [(each.actor, each.detail["ok"]) for each in events_of(archived, "verified", row.interaction_id)]
    assert told[-2:] == [("kim", True), ("tester", False)]
    assert "not what was archived" in verdict_of(page_of(app_client, row.interaction_id))


def test_what_is_not_there_cannot_be_verified(app_client: TestClient, archived: Archive) -> None:
    """Unknown is 404; what never came, left, or is too large to wait for is 409, and says what to do."""
    one, two = ids(archived)[:2]
    change(archived, one, state="purged", certificate="C-1")
    change(archived, two, stored_bytes=10**12)
    replies = {
        name: app_client.post(f"api/recordings/{name}/{name}/verify", json={}, headers=WRITE)
        for name in ("unknown-1", one, two)
    }
    assert [reply.status_code for reply in replies.values()] == [404, 409, 409]
    assert "certificate C-1" in replies[one].json()["detail"]
    assert "verify_archive" in replies[two].json()["detail"]
