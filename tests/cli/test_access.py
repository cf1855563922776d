"""`recording-archive access`: show, adopt and test."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from recording_archive.archive import Archive
from support.catalog_rows import archived_row, fill
from support.commands import Command
from support.contents import events_of

DAY = datetime(2026, 11, 20, tzinfo=UTC)
DOCUMENT = """name: Bank
grants:
  - {name: sales leads, roles: [Leads], what: [listen], queues: [Sales]}
denials:
  - {name: not the board, everyone: true, what: [metadata], agents: [Zoë]}
"""


def test_a_document_is_tried_adopted_and_shown(archive: Archive, command: Command, tmp_path: Path) -> None:
    """First asked what it would mean, then put to use, then asked again; each names the rules."""
    facts = {"agent_id": "a1", "agent_name": "Ann", "queue_id": "q1", "queue_name": "Sales"}
    rows = (
        archived_row(1, DAY, **facts),
        archived_row(2, DAY, **facts | {"agent_name": "Zoë"}),
        archived_row(3, DAY, **facts | {"queue_name": "Support"}),
    )
    fill(archive, *rows)
    file = tmp_path / "access.yaml"
    file.write_text(DOCUMENT, encoding="utf-8")
    assert "No access document" in command("access", "show").out
    tried = command("access", "test", "jane", "--role", "Leads", "--document", str(file), "--json")
    may = {"metadata": 1, "listen": 1, "download": 0, "decide": 0}
    assert json.loads(tried.out) == {"user": "jane", "may": may, "recordings": 3}
    assert "No access document" in command("access", "show").out
    assert command("access", "adopt", str(file)).out.startswith("adopted: Bank, version ")
    assert command("access", "adopt", str(file)).out.startswith("in force already: Bank")
    assert len(events_of(archive, "access_adopted")) == 1
    shown = command("access", "show").out
    assert "access/000001.yaml" in shown
    assert "not the board" in shown
    told = json.loads(command("access", "test", "jane", "call-2", "--role", "Leads", "--json").out)
    (one,) = told["recordings"]
    assert (one["may"], one["grantedBy"], one["deniedBy"]) == ([], ["sales leads"], ["not the board"])
    assert "sales leads" in command("access", "test", "jane", "call-1", "--role", "Leads").out
    assert command("access", "test", "jane", "call-9").code == 2


def test_a_call_is_opened_to_somebody_for_a_while(archive: Archive, command: Command, tmp_path: Path) -> None:
    """By the document's rules alone, with a reason; `show` names who may."""
    fill(archive, archived_row(1, DAY, interaction_id="call-1", queue_name="Sales", parties=[]))
    file = tmp_path / "access.yaml"
    glass = "breakGlass:\n- {name: duty, roles: [Duty], queues: [Sales], hours: 4}\n"
    file.write_text(f"name: D\ngrants:\n- {{name: a, users: [rosa], what: [metadata]}}\n{glass}")
    asked = ("access", "open", "call-1", "--for", "jane", "--reason", "threat")
    assert command(*asked).code == 2
    command("access", "adopt", str(file))
    assert "duty" in command("access", "show").out
    assert "none that jane may open" in command(*asked).err
    assert command(*asked, "--role", "Duty", "--hours", "1").out.startswith("call-1 is open to jane until ")
    (event,) = events_of(archive, "glass_broken")
    assert (event.detail["user"], event.detail["reason"]) == ("jane", "threat")
    assert command("access", "open", "call-1", "--for", "jane", "--role", "Duty", "--reason", " ").code == 2
    assert "is opened to rosa" in command("access", "close", "call-1", "--for", "rosa", "--reason", "over").err
    assert (
        command("access", "close", "call-1", "--for", "jane", "--reason", "over").out
        == "call-1 is no longer open to jane\n"
    )
    assert [event.detail["reason"] for event in events_of(archive, "opening_ended")] == ["over"]


def test_what_is_wrong_is_told_with_its_line(archive: Archive, command: Command, tmp_path: Path) -> None:
    """The archive stays as it is."""
    file = tmp_path / "access.yaml"
    file.write_text("name: x\ngrants:\n- {name: a, what: [listen]}\n")
    told = command("access", "adopt", str(file))
    assert told.code == 2
    assert "line 3: 'a' is about nobody" in told.err
    assert list(archive.store.list("access/")) == []
