"""`recording-archive verify` and `reindex`: what they print, and their exit codes."""

from __future__ import annotations

import json

from sqlalchemy import update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from support.commands import Command, Output
from support.contents import first_id, overwrite
from support.ledger_files import path_of
from support.signing import forge


def spoil(archive: Archive, interaction_id: str) -> None:
    """Turn one bit of the interaction's object."""
    path = next((archive.settings.root / "recordings").rglob(f"{interaction_id}~*.gz"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o640)
    path.write_bytes(content)


class TestVerify:
    """`verify` names what is bad, and ends with 1 when anything is."""

    def test_it_wants_ids_or_all(self, command: Command, archived: Archive) -> None:
        """Neither or both is a usage error, said in one line."""
        for arguments in ([], ["--all", first_id(archived)]):
            ended = command("verify", *arguments)
            assert ended.code == 2
            assert ended.err == (
                "recording-archive: Name the interactions to verify, or give --all for the whole archive\n"
            )

    def test_a_sound_archive_ends_with_0(self, command: Command, archived: Archive) -> None:
        """All recordings are counted."""
        assert archived
        assert command("verify", "--all") == Output(0, "6 recordings verified, 0 bad\n", "")

    def test_a_bad_recording_is_named(self, command: Command, archived: Archive) -> None:
        """Its name and the reason stand in a line of their own, and in JSON as documented."""
        victim = first_id(archived)
        spoil(archived, victim)
        ended = command("verify", "--all")
        assert ended.code == 1
        assert ended.out.startswith(f"bad: {victim}~{victim}~0: recordings/")
        assert ended.out.endswith("6 recordings verified, 1 bad\n")
        ended = command("verify", victim, "nobody", "--json")
        told = json.loads(ended.out)
        assert ended.code == 1
        assert told["verified"] == 1
        assert [bad["interactionId"] for bad in told["bad"]] == [victim, "nobody"]
        assert set(told["bad"][0]) == {"interactionId", "recordingId", "part", "filePath", "problem"}
        assert told["bad"][0]["filePath"].endswith(f"/{victim}~{victim}~0.wav.gz")

    def test_an_unknown_sidecar_is_bad_and_an_unknown_file_a_warning(self, command: Command, archived: Archive) -> None:
        """Only what a reindex would mend makes the exit code 1."""
        (archived.settings.root / "recordings" / "notes.txt").write_text("")
        ended = command("verify", "--all")
        assert ended.code == 0
        assert ended.out.startswith("warning: recordings/notes.txt: not a file of this archive")
        with archived.catalog.write() as connection:
            connection.execute(recordings.delete().where(recordings.c.interaction_id == first_id(archived)))
        ended = command("verify", "--all", "--json")
        assert ended.code == 1
        assert "reindex" in json.loads(ended.out)["bad"][0]["problem"]

    def test_a_cut_ledger_is_bad(self, command: Command, archived: Archive) -> None:
        """A segment that the catalog knows is missed; one that was written anew at its end differs."""
        first, second = (path_of(archived, number) for number in (1, 2))
        second.unlink()
        ended = command("verify", "--all")
        assert ended.code == 1
        assert ended.out.splitlines() == [
            "bad: ledger/000000000002.jsonl: missing, and the catalog knows it: it was cut off; restore it from a copy "
            "of the archive",
            "6 recordings verified, 1 bad",
        ]
        overwrite(first, first.read_bytes().replace(b'"archived"', b'"verified"'))
        told = json.loads(command("verify", "--all", "--json").out)
        assert [bad["filePath"] for bad in told["bad"]] == [
            str(p.relative_to(archived.settings.root)) for p in (first, second)
        ]
        assert {bad["interactionId"] for bad in told["bad"]} == {None}

    def test_a_rewritten_ledger_is_bad(self, command: Command, archived: Archive) -> None:
        """A history that agrees with itself is not the one that the catalog knows."""
        forge(archived.settings.root)
        assert command("verify-ledger").code == 0
        ended = command("verify", "--all")
        assert ended.code == 1
        assert "bad: ledger/000000000001.jsonl: ends with" in ended.out
        assert "bad: ledger/000000000002.jsonl: ends with" in ended.out


class TestReindex:
    """`reindex` counts what it did."""

    def test_a_lost_catalog_is_rebuilt(self, command: Command, archived: Archive) -> None:
        """Without its catalog no other command goes on; after it every one does."""
        archived.catalog.close()
        for path in archived.settings.root.parent.glob("catalog.db*"):
            path.unlink()
        ended = command("verify", "--all")
        assert ended.code == 2
        assert "recording-archive reindex" in ended.err
        assert command("reindex").out.splitlines() == [
            "Catalog",
            "  \tadded\tknown\tbad",
            "  ledger\t2\t0\t0",
            "  recordings\t6\t0\t0",
            "  runs\t1\t0\t0",
            "  coverage\t1\t0\t0",
            "  failures\t0\t0\t0",
        ]
        assert command("verify", "--all").code == 0

    def test_a_difference_ends_with_1(self, command: Command, archived: Archive) -> None:
        """What differs is named in both forms."""
        victim = first_id(archived)
        with archived.catalog.write() as connection:
            same = recordings.c.interaction_id == victim
            connection.execute(update(recordings).where(same).values(sha256="0" * 64))
        ended = command("reindex")
        assert ended.code == 1
        assert f"{victim}~{victim}~0.json: the catalog has another sha256" in ended.out
        told = json.loads(command("reindex", "--json").out)
        assert told["recordings"] == {"added": 0, "known": 5, "bad": 1}
        assert told["problems"][0]["filePath"].endswith(f"/{victim}~{victim}~0.json")
