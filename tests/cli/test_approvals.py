"""`erase`, `approve` and `reject` on the command line: one person asks, another answers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from recording_archive.archive import Archive
from recording_archive.cli import approvals, dispositions
from recording_archive.disposition.erasure_doubts import MAYBE_HEARD
from recording_archive.model import State
from recording_archive.settings import read_settings
from support.commands import Command
from support.contents import amend, events_of, ids, row_of
from support.parties import party
from support.retention_run import hold

As = Callable[[str], None]


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> As:
    """Let another person sit at the shell."""

    def sit(name: str) -> None:
        for module in (approvals, dispositions):
            monkeypatch.setattr(module, "user", lambda: name)

    sit("ann")
    return sit


@pytest.fixture
def request_id(command: Command, archived: Archive, as_user: As) -> str:
    """A request that ann entered, for two recordings of which one is held."""
    assert as_user
    hold(archived, ids(archived)[1])
    given = [each for name in ids(archived)[:2] for each in ("--id", name)]
    ended = command("erase", *given, "--reason", "request 7", "--yes", "--json")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert (told["erased"], len(told["found"]), len(told["plan"])) == (0, 2, 64)
    return str(told["request"])


def test_erase_enters_a_request_and_says_who_goes_on(command: Command, archived: Archive, as_user: As) -> None:
    """Nothing is erased; the answer has the request, its hash, and the command of the other person."""
    assert as_user
    victim = ids(archived)[0]
    ended = command("erase", "--id", victim, "--reason", "request 7", "--yes")
    (event,) = events_of(archived, "planned")
    assert ended.code == 0
    assert f"request: {event.run_id}\nplan: {event.detail['plan']}\nnothing is erased yet" in ended.out
    assert ended.out.endswith(f"recording-archive approve {event.run_id}\n")
    assert row_of(archived, victim).state == State.ARCHIVED


def test_who_asked_cannot_approve(command: Command, archived: Archive, as_user: As, request_id: str) -> None:
    """Whatever the case of the name; nothing is erased."""
    as_user("Ann")
    plan = json.loads(command("approve", "--json").out)[0]["plan"]
    ended = command("approve", request_id, "--plan", plan)
    assert ended.code == 2
    assert "Ann triggered it; somebody else must approve" in ended.err
    assert row_of(archived, ids(archived)[0]).state == State.ARCHIVED


def test_another_person_sees_approves_and_it_is_erased(
    command: Command, archived: Archive, as_user: As, request_id: str
) -> None:
    """What waits is listed; the parts are shown with the hash; the held one stays, and is named."""
    as_user("carol")
    (waits,) = json.loads(command("approve", "--json").out)
    assert (waits["request"], waits["enteredBy"], waits["recordings"]) == (request_id, "ann", 2)
    assert f"{request_id}\tann\t" in command("approve").out
    shown = command("approve", request_id)
    assert shown.code == 1
    assert shown.out.count("~0\t") == 2
    assert f"nothing erased: answer yes on a terminal, or give --plan {waits['plan']}\n" in shown.out
    assert command("approve", request_id, "--plan", "0" * 64).code == 2
    ended = command("approve", request_id, "--plan", waits["plan"])
    assert ended.code == 1
    assert "held by H-" in ended.out
    assert "1 recordings erased, 1 not\ncertificate: C-" in ended.out
    assert row_of(archived, ids(archived)[0]).state == State.ERASED
    (event,) = events_of(archived, "approved")
    assert (event.actor, event.detail["plan"]) == ("carol", waits["plan"])
    assert command("approve").out == "no request waits\n"


def test_who_approves_sees_what_may_be_meant_as_well(command: Command, archived: Archive, as_user: As) -> None:
    """Apart from what would go; it stays, and no total counts it."""
    sure, maybe = ids(archived)[:2]
    amend(archived, sure, contact_id="contact-1")
    amend(archived, maybe, parties=[party(contactId="contact-1", certain=False)])
    told = json.loads(command("erase", "--contact", "contact-1", "--reason", "request 7", "--yes", "--json").out)
    as_user("carol")
    (waits,) = json.loads(command("approve", "--json").out)
    assert waits["recordings"] == 1
    shown = command("approve", told["request"]).out
    assert "Look at these: they may be meant, and are not erased; name those that are by --id" in shown
    assert f"{maybe}~{maybe}~0\t{MAYBE_HEARD}\n" in shown
    assert shown.count("~0\t") == 2
    ended = json.loads(command("approve", told["request"], "--plan", told["plan"], "--json").out)
    listed = [{"interactionId": maybe, "recordingId": maybe, "part": 0, "why": MAYBE_HEARD}]
    assert (ended["erased"], ended["refused"], ended["lookAtThese"]) == (1, [], listed)
    assert row_of(archived, maybe).state == State.ARCHIVED


def test_only_the_named_may_approve(
    command: Command, as_user: As, request_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where approvers are named, at the command line as well."""
    monkeypatch.setenv("RECORDING_ARCHIVE_APPROVERS", "dave")
    read_settings.cache_clear()
    as_user("carol")
    plan = json.loads(command("approve", "--json").out)[0]["plan"]
    assert "carol is not among RECORDING_ARCHIVE_APPROVERS" in command("approve", request_id, "--plan", plan).err
    as_user("Dave")
    assert json.loads(command("approve", request_id, "--plan", plan, "--json").out)["erased"] == 1


def test_a_request_is_rejected_with_a_reason(command: Command, archived: Archive, request_id: str) -> None:
    """Who entered it may withdraw it; then it is answered."""
    ended = command("reject", request_id, "--reason", "wrong number")
    assert ended.code == 0
    assert ended.out.startswith(f"rejected: {request_id}\nreport: reports/")
    assert "was answered before: ann rejected it: wrong number" in command("approve", request_id).err
    assert row_of(archived, ids(archived)[0]).state == State.ARCHIVED
