"""`recording-archive get`: what it writes, and what it refuses."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.cli import basics
from recording_archive.model import PartId
from support.commands import Command
from support.contents import all_rows, change, events_of, first_id, ids


def test_the_audio_and_the_object(command: Command, archived: Archive, tmp_path: Path) -> None:
    """Both have the hash of the catalog, and each is an event with the person's name."""
    row = all_rows(archived)[0]
    plain, stored = tmp_path / "a.wav", tmp_path / "a.wav.gz"
    ended = command("get", row.interaction_id.upper(), "-o", str(plain))
    assert ended.out.startswith(f"{plain}: ")
    assert sha256(plain.read_bytes()).hexdigest() == row.sha256
    assert command("get", row.interaction_id, "--stored", "-o", str(stored)).code == 0
    assert sha256(stored.read_bytes()).hexdigest() == row.stored_sha256
    assert gzip.decompress(stored.read_bytes()) == plain.read_bytes()
    noted = events_of(archived, "downloaded", row.interaction_id)
    assert [event.actor for event in noted] == [basics.user()] * 2
    assert [event.detail for event in noted] == [{"sha256": row.sha256}, {"stored_sha256": row.stored_sha256}]


def test_it_is_named_by_its_id(
    command: Command, archived: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into the folder where the command runs; a file that is there is left alone."""
    monkeypatch.chdir(tmp_path)
    row = all_rows(archived)[0]
    assert command("get", str(PartId(row.interaction_id, row.recording_id, row.part))).code == 0
    assert [path.name for path in tmp_path.glob(f"{row.interaction_id}*")] == [f"{row.interaction_id}.wav"]
    ended = command("get", row.interaction_id)
    assert ended.code == 2
    assert "is there already" in ended.err


def test_several_recordings_are_named(command: Command, archived: Archive, tmp_path: Path) -> None:
    """Then one of the names that were printed fetches it."""
    first, second = ids(archived)[:2]
    with archived.catalog.write() as connection:
        connection.execute(update(recordings).where(recordings.c.interaction_id == second).values(interaction_id=first))
    ended = command("get", first, "-o", str(tmp_path / "x"))
    assert ended.code == 2
    assert f"{first}~{second}~0" in ended.err
    assert command("get", f"{first}~{second}~0", "-o", str(tmp_path / "x")).code == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": "quarantined"}, "recording-archive restore"),
        ({"state": "purged", "certificate": "certificates/1.json"}, "certificates/1.json"),
        ({"state": "discovered", "last_error": "HTTP 500"}, "HTTP 500"),
        ({"verified_ok": False}, "is damaged"),
    ],
)
def test_what_is_refused(
    command: Command, archived: Archive, tmp_path: Path, values: dict[str, object], words: str
) -> None:
    """With the reason, and without a file."""
    name = first_id(archived)
    change(archived, name, **values)
    ended = command("get", name, "-o", str(tmp_path / "x"))
    assert ended.code == 2
    assert words in ended.err
    assert not list(tmp_path.glob("x*"))


def test_bytes_that_were_changed_get_no_name(command: Command, archived: Archive, tmp_path: Path) -> None:
    """A change that still inflates is found by the hash, and the message says what to do."""
    row = all_rows(archived)[0]
    path = archived.settings.root / row.key
    path.chmod(0o600)
    path.write_bytes(gzip.compress(b"another call"))
    ended = command("get", row.interaction_id, "--stored", "-o", str(tmp_path / "x"))
    assert ended.code == 2
    assert f"`recording-archive verify {row.interaction_id}`" in ended.err
    assert not list(tmp_path.glob("x*"))


def test_what_is_not_there(command: Command, archived: Archive) -> None:
    """The message names the command that says what an absence means."""
    assert archived
    assert "recording-archive show nobody" in command("get", "nobody").err


@pytest.mark.parametrize("there", ["x", "x.part"])
def test_nothing_is_overwritten(command: Command, archived: Archive, tmp_path: Path, there: str) -> None:
    """Neither a file of that name, nor what another command is writing."""
    (tmp_path / there).write_text("mine")
    assert command("get", first_id(archived), "-o", str(tmp_path / "x")).code == 2
    assert (tmp_path / there).read_text() == "mine"
