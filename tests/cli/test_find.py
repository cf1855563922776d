"""`recording-archive search`, `list` and `get`: what they print and write, and what they refuse."""

from __future__ import annotations

import csv
import gzip
import io
import json
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


class TestSearch:
    """`search` shows a page of what matches."""

    def test_by_words_and_options(self, command: Command, archived: Archive) -> None:
        """An agent's name as words, an id's start, and an option; each shows exactly what has it."""
        agent = all_rows(archived)[0].agent_name
        count = sum(row.agent_name == agent for row in all_rows(archived))
        lines = command("search", *agent.split()).out.splitlines()
        assert len(lines) == count + 2
        assert all(f"\t{agent}\t" in line for line in lines[2:])
        name = first_id(archived)
        assert f"\t{name}\t" in command("search", name[:12]).out
        assert len(command("search", "--agent", agent, "--limit", "500").out.splitlines()) == count + 2

    def test_times_are_local_and_the_zone_is_named(self, command: Command, archived: Archive) -> None:
        """The zone of days is the one in which they are shown."""
        row = all_rows(archived)[0]
        title, _, line = command("search", row.interaction_id).out.splitlines()
        assert title == "1 recording (UTC)"
        assert line.startswith(f"  {row.interaction_date:%Y-%m-%d %H:%M}\t{row.interaction_id}\t")
        assert line.endswith("\tarchived")

    def test_a_narrow_terminal(self, command: Command, archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        """A GUID is never broken: who and when in one line, the id below."""
        monkeypatch.setattr("recording_archive.cli.terminal.sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "80")
        row = all_rows(archived)[0]
        _, first, second = command("search", row.interaction_id).out.splitlines()
        assert f"  {row.agent_name} · {row.queue_name} · " in first
        assert first.endswith("  (archived)")
        assert second == f"  {row.interaction_id}"

    def test_no_more_than_the_limit(self, command: Command, archived: Archive) -> None:
        """The title says that there are more."""
        assert command("search", "--limit", "2").out.splitlines()[0] == "The first 2 recordings (UTC)"
        assert len(ids(archived)) > 2

    def test_json_has_the_rows_of_the_api(self, command: Command, archived: Archive) -> None:
        """Every column under its name there, who holds it, and which ids are not known."""
        name = first_id(archived)
        told = json.loads(command("search", f"{name.upper()}, nobody-1", "--json").out)
        assert [row["interactionId"] for row in told["recordings"]] == [name]
        assert told["recordings"][0]["heldBy"] == []
        assert (told["unknown"], told["more"]) == (["nobody-1"], False)

    def test_nothing_found(self, command: Command, archived: Archive) -> None:
        """Exit code 1; of an id it is said where to read what its absence means."""
        assert archived
        ended = command("search", "nobody-1")
        assert ended.code == 1
        assert ended.out.splitlines()[0] == "Nothing found"
        assert "nobody-1: never seen: `recording-archive show nobody-1`" in ended.out
        assert command("search", "--from", "yesterday").code == 2


class TestList:
    """`list` prints all that matches, for pipes."""

    def test_a_line_for_each(self, command: Command, archived: Archive) -> None:
        """No title and no head, tabs between cells, the oldest first when asked."""
        lines = command("list", "--oldest").out.splitlines()
        assert [line.split("\t")[1] for line in lines] == [
            row.interaction_id for row in sorted(all_rows(archived), key=lambda row: row.interaction_date)
        ]
        assert command("list", "--status", "purged").out == ""

    def test_csv_and_json_lines(self, command: Command, archived: Archive) -> None:
        """The same columns as the API's lists."""
        rows = list(csv.DictReader(io.StringIO(command("list", "--csv").out)))
        documents = [json.loads(line) for line in command("list", "--json").out.splitlines()]
        assert {row["interactionId"] for row in rows} == set(ids(archived))
        assert [row["interactionId"] for row in rows] == [each["interactionId"] for each in documents]
        assert rows[0].keys() == documents[0].keys()
        assert command("list", "--json", "--csv").code == 2


class TestGet:
    """`get` writes the audio of one recording."""

    def test_the_audio_and_the_object(self, command: Command, archived: Archive, tmp_path: Path) -> None:
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
        self, command: Command, archived: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Into the folder where the command runs; a file that is there is left alone."""
        monkeypatch.chdir(tmp_path)
        row = all_rows(archived)[0]
        assert command("get", str(PartId(row.interaction_id, row.recording_id, row.part))).code == 0
        assert [path.name for path in tmp_path.glob(f"{row.interaction_id}*")] == [f"{row.interaction_id}.wav"]
        ended = command("get", row.interaction_id)
        assert ended.code == 2
        assert "is there already" in ended.err

    def test_several_recordings_are_named(self, command: Command, archived: Archive, tmp_path: Path) -> None:
        """Then one of the names that were printed fetches it."""
        first, second = ids(archived)[:2]
        with archived.catalog.write() as connection:
            connection.execute(
                update(recordings).where(recordings.c.interaction_id == second).values(interaction_id=first)
            )
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
        self, command: Command, archived: Archive, tmp_path: Path, values: dict[str, object], words: str
    ) -> None:
        """With the reason, and without a file."""
        name = first_id(archived)
        change(archived, name, **values)
        ended = command("get", name, "-o", str(tmp_path / "x"))
        assert ended.code == 2
        assert words in ended.err
        assert not list(tmp_path.glob("x*"))

    def test_bytes_that_were_changed_get_no_name(self, command: Command, archived: Archive, tmp_path: Path) -> None:
        """A change that still inflates is found by the hash, and the message says what to do."""
        row = all_rows(archived)[0]
        path = archived.settings.root / row.key
        path.chmod(0o600)
        path.write_bytes(gzip.compress(b"another call"))
        ended = command("get", row.interaction_id, "--stored", "-o", str(tmp_path / "x"))
        assert ended.code == 2
        assert f"`recording-archive verify {row.interaction_id}`" in ended.err
        assert not list(tmp_path.glob("x*"))

    def test_what_is_not_there(self, command: Command, archived: Archive) -> None:
        """The message names the command that says what an absence means."""
        assert archived
        assert "recording-archive show nobody" in command("get", "nobody").err
