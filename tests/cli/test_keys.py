"""`recording-archive keys`: what they print, and that `verify-ledger --key` knows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recording_archive.archive import Archive
from recording_archive.settings import read_settings
from support.commands import Command


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for the key, in the environment."""
    monkeypatch.setenv("RECORDING_ARCHIVE_SIGNING_KEY_FILE", str(tmp_path / "secrets" / "key.pem"))
    read_settings.cache_clear()
    return tmp_path / "secrets" / "key.pem"


def test_keys_are_made_rotated_and_listed(command: Command, archived: Archive, key_file: Path) -> None:
    """Each command tells the fingerprint; the list says which key signs."""
    made = command("keys", "create")
    assert made.code == 0
    assert made.out.startswith("Key ")
    assert "Keep the fingerprint" in made.out
    first = json.loads(command("keys", "list", "--json").out)
    assert [(key["signs"], key["follows"]) for key in first] == [(True, None)]
    assert first[0]["fingerprint"] in made.out
    second = json.loads(command("keys", "rotate", "--json").out)
    assert second["follows"] == first[0]["keyId"]
    third = json.loads(command("keys", "rotate", "--to", str(key_file.with_name("third.pem")), "--json").out)
    assert [key["signs"] for key in json.loads(command("keys", "list", "--json").out)] == [False, True, False]
    shown = command("keys", "list").out.splitlines()
    assert shown[:2] == ["Keys", "  key\tfingerprint\tcreated\tby\tfollows\t"]
    assert len(shown) == 5
    for fingerprint in (first[0]["fingerprint"], second["fingerprint"]):
        ended = command("verify-ledger", "--key", fingerprint)
        assert ended.code == 0, ended.out
        assert f"by key {second['keyId']}" in ended.out
        assert "--key" not in ended.out.splitlines()[-1]
    assert command("verify-ledger", "--key", third["fingerprint"]).code == 1  # it has signed nothing yet
    pem = archived.settings.root / "keys" / f"{second['keyId']}.pem"
    told = json.loads(command("verify-ledger", "--key", str(pem), "--json").out)
    assert (told["signed"], told["signedBy"]) == (told["head"], second["keyId"])


def test_without_a_key_the_last_line_says_so(command: Command, archived: Archive) -> None:
    """No signature is said; so is whose word a signature is without a key from elsewhere."""
    assert archived
    assert "signatures: there are none (--key)" in command("verify-ledger").out.splitlines()[-1]
    assert command("verify-ledger", "--key", "0" * 64).code == 1
    ended = command("verify-ledger", "--key", "no such file")
    assert ended.code == 2
    assert "is no key" in ended.err


def test_nothing_is_made_without_a_setting(command: Command, archived: Archive) -> None:
    """The message names the setting."""
    ended = command("keys", "create")
    assert (ended.code, archived.store.size("keys")) == (2, None)
    assert "RECORDING_ARCHIVE_SIGNING_KEY_FILE" in ended.err
