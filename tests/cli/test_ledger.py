"""The command `verify-ledger`: an archive is proved by its folder alone."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from recording_archive.archive import Archive
from recording_archive.cli import app
from recording_archive.ledger.chain import newest
from recording_archive.ledger.vouching import seal_and_vouch
from recording_archive.settings import Settings, read_settings
from recording_archive.store.local import LocalStore
from support.commands import configure
from support.contents import overwrite
from support.ledger_files import documents, path_of
from support.signing import forge, signing
from support.time_authority import TimeAuthority

NOT_THERE = ("signatures: there are none (--key)", "time stamps: there are none (--tsa-ca)")
PROGRAM = Path(__file__).parents[1] / "programs" / "verify_ledger_alone.py"


class TestCommand:
    """`verify-ledger` by the folder alone."""

    def call(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            app.main(["verify-ledger", *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    def test_an_intact_archive_ends_with_0(self, archived: Archive, capsys: pytest.CaptureFixture[str]) -> None:
        """What was read is counted, and the head told."""
        head = newest(archived.store)
        code, out = self.call(capsys, str(archived.settings.root))
        assert code == 0
        assert out.splitlines() == [
            "intact: 2 segments, 13 events, 10 documents, 6 objects; 0 documents not sealed yet",
            f"head {head}",
            "not checked: the bytes of 6 objects (--objects); signatures: there are none (--key); "
            "time stamps: there are none (--tsa-ca); "
            "whether the newest segments were cut off (--catalog, --head, --witness)",
        ]
        code, out = self.call(capsys, str(archived.settings.root), "--head", str(head), "--json")
        assert code == 0
        assert json.loads(out) == {
            "intact": True,
            "head": str(head),
            "segments": 2,
            "events": 13,
            "documents": 10,
            "signed": None,
            "signedBy": None,
            "stamped": None,
            "stampedAt": None,
            "witnessed": None,
            "objects": 6,
            "objectsRead": False,
            "bytesRead": 0,
            "notChecked": ["the bytes of 6 objects (--objects)", *NOT_THERE],
            "tamperedCount": 0,
            "warningCount": 0,
            "tampered": [],
            "warnings": [],
        }

    def test_tampering_ends_with_1(self, archived: Archive, capsys: pytest.CaptureFixture[str]) -> None:
        """The place is named in both forms."""
        path = documents(archived, "recordings/", ".json")[0]
        overwrite(path, b"{}")
        key = str(path.relative_to(archived.settings.root))
        code, out = self.call(capsys, str(archived.settings.root))
        assert code == 1
        assert out.startswith(f"tampered: {key}: was changed")
        assert "tampered with in 1 places" in out
        code, out = self.call(capsys, str(archived.settings.root), "--json")
        assert code == 1
        assert [each["place"] for each in json.loads(out)["tampered"]] == [key]
        assert self.call(capsys, str(archived.settings.root), "--head", "0" * 64)[0] == 1

    def test_objects_are_read_when_asked_for(self, archived: Archive, capsys: pytest.CaptureFixture[str]) -> None:
        """One turned bit of audio is found by reading alone, a lost file by a look at the names; all is said."""
        root = archived.settings.root
        first, second = documents(archived, "recordings/", ".gz")[:2]
        size = sum(path.stat().st_size for path in documents(archived, "recordings/", ".gz"))
        head = str(newest(archived.store))
        code, out = self.call(capsys, str(root), "--objects", "--head", head)
        assert code == 0
        assert f"10 documents, 6 objects of {size} bytes; 0" in out
        assert out.splitlines()[-1] == f"not checked: {'; '.join(NOT_THERE)}"
        content = bytearray(first.read_bytes())
        content[len(content) // 2] ^= 1
        overwrite(first, bytes(content))
        assert self.call(capsys, str(root))[0] == 0
        code, out = self.call(capsys, str(root), "--objects")
        assert code == 1
        assert out.startswith(f"tampered: {first.relative_to(root)}: was changed: its SHA-256 is ")
        second.unlink()
        code, out = self.call(capsys, str(root))
        assert code == 1
        assert out.startswith(f"tampered: {second.relative_to(root)}: missing, and ledger/")

    def test_progress_shows_on_a_terminal(
        self, archived: Archive, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reading all objects takes hours: a person sees how many are done, and of how many."""

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        shown = Terminal()
        monkeypatch.setattr(sys, "stderr", shown)
        monkeypatch.setenv("TERM", "xterm")
        assert self.call(capsys, str(archived.settings.root), "--objects")[0] == 0
        assert re.search(r"proving .*\D(\d+)/\1\D", shown.getvalue())

    def test_a_cut_end_shows_by_the_catalog(
        self, archived: Archive, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The folder alone does not show that its newest segment is gone, and says so; of another archive's no word."""
        configure(archived.settings, monkeypatch)
        assert self.call(capsys, "--catalog")[0] == 0
        path_of(archived, 2).unlink()
        code, out = self.call(capsys)
        assert code == 0
        assert "whether the newest segments were cut off (--catalog, --head, --witness)" in out
        code, out = self.call(capsys, "--catalog")
        assert code == 1
        assert "tampered: ledger/000000000002.jsonl: missing, and the catalog knows it" in out
        LocalStore(archived.settings.root.parent / "other").found("f" * 32, archived.clock())
        assert self.call(capsys, str(archived.settings.root.parent / "other"), "--catalog")[0] == 2

    def test_a_forged_history_is_found_by_each_outsider_alone(
        self, archived: Archive, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """One call altered, all else made to agree: intact by itself, and to nobody who holds a key, a CA or heads."""
        (tmp_path / "authority").mkdir()
        (tmp_path / "witness").mkdir()
        authority = TimeAuthority(tmp_path / "authority")
        opened, key = signing(archived)
        with authority.served() as url:
            outside = {"tsa_urls": url, "witness_url": str(tmp_path / "witness")}
            seal_and_vouch(replace(opened, settings=opened.settings.model_copy(update=outside)))
        asked = [
            ("--key", key.public.fingerprint),
            ("--tsa-ca", str(authority.ca)),
            ("--witness", str(tmp_path / "witness")),
        ]
        root = str(archived.settings.root)
        code, out = self.call(capsys, root, "--objects", *(word for each in asked for word in each))
        assert (code, out.splitlines()[-1]) == (0, "not checked: nothing")
        assert [line.split()[0] for line in out.splitlines()[1:-1]] == ["head", "signed", "stamped", "witnessed"]
        forge(archived.settings.root)
        code, out = self.call(capsys, root, "--objects")
        assert code == 0
        assert "intact" in out
        for option, value in asked:
            code, out = self.call(capsys, root, option, value)
            assert code == 1
            assert option in out

    def test_what_cannot_be_done_ends_with_2(self, archived: Archive, capsys: pytest.CaptureFixture[str]) -> None:
        """No archive there, or no head."""
        assert self.call(capsys, str(archived.settings.root.parent))[0] == 2
        assert self.call(capsys, str(archived.settings.root), "--head", "42")[0] == 2

    def test_the_root_of_the_settings_is_the_default(
        self, archived: Archive, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where settings name an archive it need not be named again."""
        monkeypatch.setenv("RECORDING_ARCHIVE_URL", str(archived.settings.root))
        read_settings.cache_clear()
        assert self.call(capsys)[0] == 0
        read_settings.cache_clear()

    def test_a_copy_of_the_folder_is_enough(self, archived: Archive, settings: Settings, tmp_path: Path) -> None:
        """Neither Airflow nor the catalog nor settings are read, and nothing slow is imported."""
        copy = tmp_path / "copy"
        shutil.copytree(settings.root, copy)
        assert archived
        environment = {"PATH": "/usr/bin:/bin", "RECORDING_ARCHIVE_TIMEZONE": "no such zone"}
        shown = subprocess.run(
            [sys.executable, PROGRAM, copy], capture_output=True, text=True, check=True, env=environment
        )
        assert shown.stdout.startswith("intact")
        assert not {"airflow", "sqlalchemy", "recording_archive.settings"} & set(shown.stdout.split())
        assert newest(LocalStore(copy)) == newest(archived.store)
