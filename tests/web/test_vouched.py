"""Who vouches for the ledger, on the overview and over REST: how far it is, and what waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from recording_archive.archive import Archive
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.vouching import seal_and_vouch
from recording_archive.web.deps import get_archive
from support.ledger_files import tell
from support.signing import signing
from support.web_pages import HTML


def told(client: TestClient) -> dict[str, Any]:
    """What the API says of each kind: asked for or not, up to where, and how many wait."""
    found = client.get("api/statistics").json()["vouched"]
    return {each["kind"]: (each["askedFor"], each["segment"], each["waiting"]) for each in found}


def test_the_overview_tells_who_vouches(app_client: TestClient, archived: Archive, tmp_path: Path) -> None:
    """Nobody, all, and what waits since a witness was not told and an authority did not answer."""
    assert told(app_client) == {"signed": (False, 0, 2), "stamped": (False, 0, 2), "witnessed": (False, 0, 2)}
    assert "no, as no setting asks for it" in app_client.get("/overview", headers=HTML).text
    signed, _ = signing(archived)
    (tmp_path / "witness").mkdir()
    outside = {"witness_url": str(tmp_path / "witness"), "tsa_urls": "http://127.0.0.1:1/"}
    opened = replace(signed, settings=signed.settings.model_copy(update=outside))
    getattr(app_client.app, "dependency_overrides")[get_archive] = lambda: opened  # noqa: B009 - of a FastAPI app
    seal_and_vouch(opened)
    tell(opened, "ann")
    seal(opened)
    assert told(app_client) == {"signed": (True, 4, 0), "stamped": (True, 0, 4), "witnessed": (True, 3, 1)}
    page = app_client.get("/overview", headers=HTML).text
    assert "up to the newest segment, 4" in page
    assert "up to segment 3</strong>; 1 wait since" in page
    assert "<strong>up to segment 0</strong>; 4 wait since" in page
    late = replace(opened, clock=lambda: opened.clock() + timedelta(days=3))
    getattr(app_client.app, "dependency_overrides")[get_archive] = lambda: late  # noqa: B009
    page = app_client.get("/overview", headers=HTML).text
    assert '<strong class="bad-text">up to segment 3</strong>; 1 wait since' in page
