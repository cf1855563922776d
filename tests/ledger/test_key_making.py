"""Keys made and rotated: each with its event, each rotation signed by the key before, whatever a crash left."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from recording_archive.errors import ConfigurationError
from recording_archive.ledger import key_making
from recording_archive.ledger.key_making import create_key, rotate_key
from recording_archive.ledger.signatures import signing_key
from recording_archive.ledger.signing_key import key_files
from support.ledger_files import Crash, crash, prove
from support.signing import signing, with_key_file


def told(archive: Archive) -> list[tuple[str, str]]:
    """The events of keys: what happened, and to which."""
    with archive.catalog.read() as connection:
        wanted = select(events.c.kind, events.c.detail).where(events.c.kind.startswith("key_")).order_by(events.c.id)
        return [(row.kind, row.detail["keyId"]) for row in connection.execute(wanted)]


def signs(archive: Archive) -> str | None:
    """The name of the key that signs."""
    key = signing_key(archive.settings)
    return key.public.name if key else None


def test_a_first_key(archived: Archive) -> None:
    """It is told of in the ledger, its documents are vouched for; run again, nothing more happens."""
    signed, key = signing(archived)
    assert told(signed) == [("key_created", key.name)]
    assert create_key(signed, actor="eve") == key
    assert told(signed) == [("key_created", key.name)]
    assert signs(signed) == key.name
    assert prove(signed.settings.root) == []
    assert json.loads(signed.store.read(key_files(key.name)[0]))["createdBy"] == "ann"


def test_a_rotation_can_be_checked_with_openssl(archived: Archive) -> None:
    """The old key vouches for the new one, which signs from then on; the old file is kept."""
    signed, first = signing(archived)
    second = rotate_key(signed, actor="bob")
    assert told(signed) == [("key_created", first.name), ("key_rotated", second.name)]
    assert (signs(signed), second.follows) == (second.name, first.name)
    assert Path(f"{signed.settings.signing_key_file}.{first.name}.retired").exists()
    assert prove(signed.settings.root) == []
    document, _, signature = key_files(second.name)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key_files(first.name)[1], "-rawin"]
    command += ["-in", document, "-sigfile", signature]
    shown = subprocess.run(command, cwd=signed.settings.root, capture_output=True, text=True, check=True)
    assert "Verified Successfully" in shown.stdout


def test_a_rotation_to_another_file(archived: Archive) -> None:
    """Where files are not for this program to change, the settings name the new one from then on."""
    signed, first = signing(archived)
    new = signed.settings.root.parent / "new.pem"
    second = rotate_key(signed, actor="bob", to=new)
    assert signs(signed) == first.name
    assert signs(with_key_file(signed, new)) == second.name
    assert [path.name for path in signed.settings.signing_key.parent.iterdir()] == ["signing.pem"]


def test_a_crash_is_made_good(archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the event, or before the new key has the old one's file: the same command, run again, completes it."""
    opened = with_key_file(archived)

    def dies(at: str, work: Callable[..., object]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(key_making, at, lambda *_, **__: crash())
            with pytest.raises(Crash):
                work(opened, actor="ann")

    dies("record", create_key)
    first = create_key(opened, actor="ann")
    dies("record", rotate_key)
    dies("_take_over", rotate_key)
    second = rotate_key(opened, actor="bob")
    assert told(opened) == [("key_created", first.name), ("key_rotated", second.name)]
    assert signs(opened) == second.name
    assert prove(opened.settings.root) == []


def test_a_second_first_key_is_refused(archived: Archive) -> None:
    """Another key needs the old one's word: whether its file is lost or was replaced."""
    signed, key = signing(archived)
    signed.settings.signing_key.rename(signed.settings.root.parent / "kept.pem")
    with pytest.raises(ConfigurationError, match=f"has the key {key.name} already"):
        create_key(signed, actor="eve")
    key_making._write_key(signed.settings.signing_key)
    with pytest.raises(ConfigurationError, match="put that one back"):
        create_key(signed, actor="eve")
    with pytest.raises(ConfigurationError, match="keys create"):
        rotate_key(signed, actor="eve")


def test_without_a_setting_there_is_no_key(archive: Archive) -> None:
    """The message names the setting; a place in the archive is refused before anything is made."""
    with pytest.raises(ConfigurationError, match="RECORDING_ARCHIVE_SIGNING_KEY_FILE"):
        create_key(archive, actor="ann")
    inside = with_key_file(archive, archive.settings.root / "keys" / "private.pem")
    with pytest.raises(ConfigurationError, match="lies in the archive"):
        create_key(inside, actor="ann")
    assert not (archive.settings.root / "keys").exists()
