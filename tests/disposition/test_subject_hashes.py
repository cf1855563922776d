"""Keyed hashes of an erased person, and the key behind them."""

from __future__ import annotations

import hmac
import stat
from pathlib import Path
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition import subject_hashes
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.subject_hashes import forms
from recording_archive.errors import ConfigurationError, StoreError
from support.contents import amend, documents, files_of, ids
from support.parties import CALLED, party

NUMBER = "+49 (30) 123-4567"


def erased(archive: Archive, subject: Subject) -> Any:
    return erase(archive, subject, reason="request 7", actor="ann")


def test_the_tombstone_answers_who_has_the_key_and_the_number(archived: Archive) -> None:
    """Keyed hashes of the numbers and contacts of all parties, in whatever spelling they are asked for."""
    victim = ids(archived)[0]
    parties = [party(ani="tel:+442079460958", certain=False), party(contactId="contact-2")]
    amend(archived, victim, ani="tel:+49301234567", dnis="+1 202 555 0100", contact_id="contact-1", parties=parties)
    erased(archived, Subject(ids=(victim,)))
    (tombstone,) = documents(archived, "tombstones").values()
    key = subject_hashes.read_key(archived.settings)
    asked = (
        ("number", NUMBER),
        ("number", "+1 202 555 0100"),
        ("number", CALLED),
        ("contact", "contact-1"),
        ("contact", "contact-2"),
    )
    hashed = {subject_hashes.keyed_hash(key, kind, form) for kind, each in asked for form in forms(kind, each, "")}
    assert set(tombstone["subjects"]) == hashed
    assert tombstone["subjects"] == sorted(hashed)
    for text in (b"number:+12025550100", b"number:12025550100", b"contact:contact-1"):  # as the documents say
        assert hmac.new(key, text, "sha256").hexdigest() in tombstone["subjects"]
    assert subject_hashes.keyed_hash(bytes(32), "number", "+49301234567") not in tombstone["subjects"]
    assert tombstone["interactionDate"] == "2026-11-20"


class TestKey:
    """The key behind the hashes."""

    def test_it_is_made_once_beside_the_root_for_its_owner_alone(self, archived: Archive) -> None:
        """Never inside the archive; the same for every erasure."""
        first = subject_hashes.read_key(archived.settings)
        path = archived.settings.root.parent / "erasure.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert subject_hashes.read_key(archived.settings) == first
        assert len(first) == 32
        assert sorted(each.name for each in path.parent.glob("*erasure*")) == ["erasure.key"]

    def test_a_setting_goes_before_the_file(self, archived: Archive) -> None:
        """And makes none."""
        given = archived.settings.model_copy(update={"erasure_key": "ab" * 32})
        assert subject_hashes.read_key(given) == bytes.fromhex("ab" * 32)
        assert not (archived.settings.root.parent / "erasure.key").exists()

    @pytest.mark.parametrize("content", ["", "short", "zz" * 32])
    def test_a_damaged_key_is_an_error_and_is_not_replaced(self, archived: Archive, content: str) -> None:
        """Another key would make every earlier tombstone mute; nothing is deleted meanwhile."""
        path = archived.settings.root.parent / "erasure.key"
        path.write_text(content)
        victim = ids(archived)[0]
        amend(archived, victim, ani=NUMBER)
        with pytest.raises(ConfigurationError, match="64 hex digits"):
            erased(archived, Subject(ids=(victim,)))
        assert path.read_text() == content
        assert len(files_of(archived, victim)) == 2

    def test_a_key_that_cannot_be_made_is_an_error_with_a_remedy(self, archived: Archive, tmp_path: Path) -> None:
        """The folder may be read-only to the process."""
        nowhere = archived.settings.model_copy(update={"url": str(tmp_path / "none" / "archive")})
        with pytest.raises(StoreError, match="RECORDING_ARCHIVE_ERASURE_KEY"):
            subject_hashes.read_key(nowhere)
