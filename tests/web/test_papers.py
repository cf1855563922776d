"""Documents that are printed: each page has its document's hash, who vouches for it, and lines to sign."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.ledger import chain
from recording_archive.ledger.vouching import seal_and_vouch
from recording_archive.web.deps import get_archive
from support.contents import amend, ids, overwrite
from support.retention_run import EXPIRED, at, enforce
from support.signing import signing
from support.time_authority import TimeAuthority
from support.web_pages import HTML, make_hold


def page_of(client: TestClient, path: str) -> str:
    """A page's HTML; what it says of nothing is never Python's word."""
    reply = client.get(f"/{path}", headers=HTML)
    assert reply.status_code == 200, reply.text
    assert not re.search(r"\bNone\b", reply.text)
    return reply.text


def test_a_hold_on_paper_has_all_its_ids_its_digest_and_who_vouches(
    app_client: TestClient, archived: Archive, tmp_path: Path
) -> None:
    """More ids than a screen shows; the hash of hold and release, the key's fingerprint, and the stamp's own time."""
    opened, key = signing(archived)
    getattr(app_client.app, "dependency_overrides")[get_archive] = lambda: opened  # noqa: B009 - of a FastAPI app
    many = [f"asked-{number:03}" for number in range(60)]
    hold = make_hold(app_client, interactionIds=[*many, ids(archived)[0]])["id"]
    assert "not sealed yet" not in page_of(app_client, f"holds/{hold}")
    app_client.post(f"api/holds/{hold}/release", json={"reason": "settled"}, headers={"X-Recording-Archive": "1"})
    with TimeAuthority(tmp_path).served() as url:
        seal_and_vouch(replace(opened, settings=opened.settings.model_copy(update={"tsa_urls": url})))
    page = page_of(app_client, f"holds/{hold}")
    for name in (f"holds/{hold}.json", f"holds/{hold}.released.json"):
        assert f"<code>{name}</code>" in page
        assert sha256(opened.store.read(name)).hexdigest() in page
    assert all(f"<strong>{each}</strong>" in page for each in many)
    assert f"signed by key <code>{key.public.fingerprint}</code>" in page
    assert "stamped by authority" in page
    overwrite(opened.settings.root / f"holds/{hold}.json", b"{}")
    assert "It was changed: its event records SHA-256 " in page_of(app_client, f"holds/{hold}")


def test_a_plan_and_its_certificate_on_paper(app_client: TestClient, archived: Archive) -> None:
    """The plan's hash as an approval names it, the files of its report, and the certificate, each with its head."""
    enforce(at(archived, EXPIRED, quarantine_days=0), "first")
    enforce(at(archived, EXPIRED + timedelta(days=1), quarantine_days=0), "second")
    (certificate,) = archived.store.list("certificates/")
    page = page_of(app_client, f"{certificate.removesuffix('.json')}")
    assert sha256(archived.store.read(certificate)).hexdigest() in page
    assert all(each in page for each in ids(archived))
    for run in ("first", "second"):
        told = app_client.get(f"api/retention/runs/{run}").json()
        page = page_of(app_client, f"retention/runs/{run}")
        report = told["reportKey"]
        for key in (report, report.replace(".json", ".csv")):
            assert sha256(archived.store.read(key)).hexdigest() in page
        assert page.count(told["sha256"]) >= 2
        assert "No event records it" not in page
        assert "not sealed yet" not in page


def test_the_digest_of_a_statement_of_coverage_is_that_of_the_answer_over_rest(
    app_client: TestClient, archived: Archive
) -> None:
    """Who holds the paper asks the archive again and hashes what it says; a day that is not complete is in bold."""
    page = page_of(app_client, "coverage?from=2026-11-18&to=2026-11-21")
    content = app_client.get("api/coverage?from=2026-11-18&to=2026-11-21").content
    assert sha256(content).hexdigest() in page
    assert str(chain.newest(archived.store)) in page
    assert "from=2026-11-18&amp;to=2026-11-21 | sha256sum" in page
    assert page.count('<td class="nowrap">2026-11-') == 4
    amend(archived, ids(archived)[0], state="discovered")
    assert "missing: some could not be archived so far" in page_of(app_client, "coverage?from=2026-11-18&to=2026-11-21")
    reply = app_client.get("coverage?from=2026-11-21&to=2026-11-18", headers=HTML)
    assert reply.status_code == 400


def test_a_report_that_was_changed_says_so_on_paper(app_client: TestClient, archived: Archive) -> None:
    """The hash that the event tells is not the one it has."""
    assert "It was changed" not in page_of(app_client, "runs/scheduled__first")
    (table,) = (archived.settings.root / "reports").rglob("*.csv")
    overwrite(table, table.read_bytes().replace(b"success", b"missing", 1))
    assert "It was changed: its event records SHA-256 " in page_of(app_client, "runs/scheduled__first")
