"""`recording-archive evidence`: what it writes, prints and leaves behind."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from recording_archive.archive import Archive
from recording_archive.cli import basics
from support.commands import Command
from support.contents import all_rows, events_of, ids
from support.packs import check, unpack


def test_a_pack_of_some_calls(command: Command, archived: Archive, tmp_path: Path) -> None:
    """Ids as they were pasted; the fingerprint that it prints is the one that the pack's own checker prints."""
    first, second, *_ = ids(archived)
    out = tmp_path / "pack.zip"
    ended = command("evidence", f"{first.upper()}, {second}", "--reason", "letter of counsel", "-o", str(out))
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == f"{out}: 2 calls"
    bag = unpack(out, tmp_path / "out")
    code, told = check(bag=bag)
    assert code == 0
    fingerprint = told.splitlines()[-1].removeprefix("Fingerprint: ")
    assert f"  fingerprint: {fingerprint}" in ended.out.splitlines()
    assert [event.actor for event in events_of(archived, "exported", first)] == [basics.user()]
    request = json.loads((bag / "data/request.json").read_text())
    assert (request["reason"], request["asked"]) == ("letter of counsel", {"interactionIds": [first, second]})
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("pack")] == ["pack.zip"]


def test_a_search_by_days_and_more(command: Command, archived: Archive, tmp_path: Path) -> None:
    """Dates are whole days; all that is given must hold; JSON for programs."""
    agent = all_rows(archived)[0].agent_name
    count = sum(row.agent_name == agent for row in all_rows(archived))
    out = tmp_path / "pack.zip"
    options = (
        "--from",
        "2026-11-20",
        "--to",
        "2026-11-20",
        "--agent",
        agent,
        "--reason",
        "r",
        "-o",
        str(out),
        "--json",
    )
    told = json.loads(command("evidence", *options).out)
    assert (told["calls"], told["notIncluded"], told["file"]) == (count, 0, str(out))
    assert told["bytes"] == out.stat().st_size
    with zipfile.ZipFile(out) as opened:
        assert opened.testzip() is None


def test_what_is_not_in_it_makes_exit_code_one(command: Command, archived: Archive, tmp_path: Path) -> None:
    """The pack is written all the same, and says why."""
    out = tmp_path / "pack.zip"
    ended = command("evidence", ids(archived)[0], "nobody", "--reason", "r", "-o", str(out))
    assert ended.code == 1
    assert "1 asked for are not in it" in ended.out
    assert out.exists()


@pytest.mark.parametrize("there", ["pack.zip", "pack.zip.part"])
def test_nothing_is_overwritten(command: Command, archived: Archive, tmp_path: Path, there: str) -> None:
    """Neither a file of that name, nor what another command is writing."""
    (tmp_path / there).write_text("mine")
    ended = command("evidence", ids(archived)[0], "--reason", "r", "-o", str(tmp_path / "pack.zip"))
    assert ended.code == 2
    assert (tmp_path / there).read_text() == "mine"
    assert "pack.zip" in ended.err


def test_what_breaks_leaves_no_pack(command: Command, archived: Archive, tmp_path: Path) -> None:
    """An archive that goes away on the way: one line, exit code 2, no file."""
    (archived.settings.root / "archive.json").rename(tmp_path / "archive.json")
    for row in all_rows(archived):
        Path(archived.settings.root, row.key).unlink()
    ended = command("evidence", ids(archived)[0], "--reason", "r", "-o", str(tmp_path / "pack.zip"))
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert not list(tmp_path.glob("pack.zip*"))


def test_one_thing_must_be_named(command: Command, archived: Archive, tmp_path: Path) -> None:
    """None is everything by mistake; two would be a guess."""
    for options in ((), (ids(archived)[0], "--run", "scheduled__first")):
        ended = command("evidence", *options, "--reason", "r", "-o", str(tmp_path / "pack.zip"))
        assert ended.code == 2
        assert "by one of these" in ended.err
