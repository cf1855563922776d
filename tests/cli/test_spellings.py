"""One recording, named in every spelling at every command that takes an id."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from recording_archive.archive import Archive
from recording_archive.model import State
from support.commands import Command
from support.contents import all_rows, change, first_id, row_of
from support.spellings import list_as, pasted

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
WHY = ("--reason", "the judge said so")


@pytest.fixture(params=["lower", "upper"])
def listed(request: pytest.FixtureRequest, archived: Archive) -> str:
    """A recording's id as the source lists it, in either case."""
    name = first_id(archived)
    return list_as(archived, name, name.upper() if request.param == "upper" else name)


def test_hold_create(command: Command, listed: str) -> None:
    """It is held, and nobody is warned."""
    for spelled in pasted(listed.lower()):
        ended = command("hold", "create", "--matter", "M", *WHY, "--id", spelled, "--json")
        told = json.loads(ended.out)
        assert (told["effect"]["held"], told["unmatchedIds"], told["warning"], ended.err) == (1, [], None, "")


def test_erase(command: Command, listed: str) -> None:
    """It is found; nobody said yes."""
    for spelled in pasted(listed.lower()):
        ended = command("erase", *WHY, "--id", spelled, "--json")
        told = json.loads(ended.out)
        assert [each["part"] for each in told["found"]] == [f"{listed}~{listed}~0"]
        assert (told["unmatchedIds"], told["warning"], ended.err) == ([], None, "")


def test_erase_says_which_ids_match_nothing(command: Command, archived: Archive) -> None:
    """On standard error and in JSON; what is found is found all the same."""
    known = first_id(archived)
    ended = command("erase", *WHY, "--id", f"typo-1\n{known}", "--id", "typo-2", "--json")
    assert json.loads(ended.out)["unmatchedIds"] == ["typo-1", "typo-2"]
    assert len(json.loads(ended.out)["found"]) == 1
    assert "warning: these ids match nothing: typo-1, typo-2" in ended.err
    assert "warning: nothing that is named is in the catalog" in command("erase", *WHY, "--contact", "nobody").err


def test_show(command: Command, listed: str) -> None:
    """All that is known of it."""
    for spelled in pasted(listed.lower()):
        told = json.loads(command("show", spelled, "--json").out)
        assert [part["interactionId"] for part in told["parts"]] == [listed]


def test_verify(command: Command, archived: Archive) -> None:
    """It is read again, once however often it is named, and many ids may come in one text."""
    first, second = (row.interaction_id for row in all_rows(archived)[:2])
    for spelled in pasted(first):
        assert command("verify", spelled).out == "1 recordings verified, 0 bad\n"
    assert command("verify", *pasted(first), f"{second}\n{first}").out == "2 recordings verified, 0 bad\n"


def test_restore_and_acknowledge(command: Command, archived: Archive, listed: str) -> None:
    """It is taken back, and its failure accepted; the recording may be named as well."""
    for spelled in pasted(listed.lower()):
        change(archived, listed, state=State.QUARANTINED, quarantined_at=NOON)
        assert command("restore", spelled, *WHY, "--recording", spelled).out == f"restored: {listed}~{listed}~0\n"
        assert row_of(archived, listed).state == State.ARCHIVED
        change(archived, listed, state=State.DISCOVERED, failed_since=NOON, acknowledged_at=None)
        assert command("acknowledge", spelled, *WHY).out == f"acknowledged: {listed}~{listed}~0\n"


def test_hold_release(command: Command, archived: Archive) -> None:
    """The id of a hold is pasted as well."""
    made = json.loads(command("hold", "create", "--matter", "M", *WHY, "--from", "2026-11-20", "--json").out)["id"]
    assert archived
    assert command("hold", "release", f"\u00a0“{made}”\u200b", *WHY).out == f"released: {made} (M)\n"
