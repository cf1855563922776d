"""An archive and a catalog that version 0.1 left behind: this version opens them, upgrades, verifies, and goes on.

``archive-0.1.tar.xz`` holds what commit 98120d0 made of the sandbox's day: six calls archived; one held, one whose hold
was released, three quarantined and taken back, two purged with their certificate.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from recording_archive.archive import Archive, open_archive
from recording_archive.settings import Settings
from support.commands import Command
from support.contents import all_rows
from support.live_app import app_for

MADE = Path(__file__).parent / "archive-0.1.tar.xz"
AFTER = datetime(2027, 3, 16, tzinfo=UTC)
PURGED = ["95049710-f3b1-44e4-a375-71e4aa57f180", "ee1ac70d-1325-4488-8f14-f4f8c11e7415"]
HELD = "446e7391-556a-4772-9d22-106c50357fe1"


@pytest.fixture
def old(settings: Settings) -> Iterator[Archive]:
    """The archive of version 0.1, opened by this one on the day after."""
    with tarfile.open(MADE) as packed:
        packed.extractall(settings.root.parent, filter="data")
    opened = open_archive(settings)
    yield replace(opened, clock=lambda: AFTER)
    opened.catalog.close()


def states(archive: Archive) -> dict[str, str]:
    """The state of each recording."""
    return {row.interaction_id: row.state for row in all_rows(archive)}


def test_it_is_whole(command: Command, old: Archive) -> None:
    """Every byte is read again; the ledger is intact, by the folder alone, with its documents and objects."""
    assert command("verify", "--all").code == 0
    ended = command("verify-ledger", "--objects")
    assert ended.code == 0, ended.out
    assert sorted(name for name, state in states(old).items() if state == "purged") == PURGED


@pytest.mark.usefixtures("old")
def test_what_was_decided_still_holds(command: Command) -> None:
    """The hold is in force, the released one is not, and the certificate tells of the two that are gone."""
    found = json.loads(command("show", HELD, "--json").out)
    assert found["parts"][0]["state"] == "archived"
    assert command("hold", "list").out.count("H-20261128-") == 1
    rows = {row["interactionId"]: row for row in json.loads(command("search", "--json").out)["recordings"]}
    assert [name for name, row in rows.items() if row["heldBy"]] == [HELD]
    assert {rows[name]["certificate"] for name in PURGED} == {"C-20270315-f6a01b"}


def test_parties_are_read_from_what_version_0_1_wrote(command: Command, old: Archive) -> None:
    """`reindex` reads the numbers; until then command, page and REST warn that they do not look into them."""
    number = next(row for row in all_rows(old) if row.interaction_id == HELD).ani.removeprefix("tel:")
    before = command("search", "--number", number)
    assert "run `recording-archive reindex`" in before.err
    client = TestClient(app_for(old))
    assert "recording-archive reindex" in client.get(f"/api/recordings?number={number}").json()["warning"]
    assert "recording-archive reindex" in client.get(f"/?number={number}").text
    assert command("reindex").code == 0
    assert client.get("/api/recordings").json()["warning"] is None
    assert "recording-archive reindex" not in client.get("/").text
    after = command("search", "--number", f"{number[:5]} {number[5:]}", "--json")
    assert HELD in {row["interactionId"] for row in json.loads(after.out)["recordings"]}
    assert after.err == ""


def test_it_goes_on(command: Command, old: Archive, run: Callable[..., Any]) -> None:
    """A run over the same day fetches nothing, and brings nothing back that was purged; its report joins the ledger."""
    before = states(old)
    summary = run(old, "scheduled__after")
    assert not summary.failed, summary.problems
    assert summary.bytes_downloaded == 0
    assert states(old) == before
    assert command("verify-ledger").code == 0


def test_a_lost_catalog_is_rebuilt_of_it(command: Command, old: Archive) -> None:
    """From the folder alone, with the same states."""
    before = states(old)
    old.catalog.close()
    for path in old.settings.root.parent.glob("catalog.db*"):
        path.unlink()
    assert command("reindex").code == 0
    rebuilt = open_archive(old.settings)
    assert states(rebuilt) == before
    rebuilt.catalog.close()
    assert command("verify", "--all").code == 0
