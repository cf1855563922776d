"""Holds made at noon, and their documents changed by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from recording_archive.archive import Archive
from recording_archive.holds import Criteria, Hold, create
from recording_archive.holds.documents import compose, compose_release, key_of, release_key_of
from support.contents import overwrite

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


DAY = Criteria(start=datetime(2026, 11, 20, tzinfo=UTC), end=datetime(2026, 11, 21, tzinfo=UTC))


def hold(archive: Archive, criteria: Criteria = DAY, matter: str = "Case 4711") -> Hold:
    """A new hold, made at noon."""
    at_noon = replace(archive, clock=lambda: NOON)
    return create(at_noon, matter=matter, reason="the judge said so", criteria=criteria, actor="rosa")[0]


def put_hold(archive: Archive, hold_id: str, criteria: Criteria = DAY) -> str:
    """Lay the document of a hold into the folder by hand; return its key."""
    made = Hold(hold_id, "forged", "by hand", "eve", NOON, criteria, None, None, None)
    (archive.settings.root / "holds").mkdir(exist_ok=True)
    (archive.settings.root / key_of(hold_id)).write_bytes(compose(archive.id, made))
    return key_of(hold_id)


def put_release(archive: Archive, made: Hold) -> str:
    """Lay the release of a hold into the folder by hand; return its key."""
    ended = replace(made, released_at=NOON, released_by="eve", release_reason="by hand")
    (archive.settings.root / release_key_of(made.id)).write_bytes(compose_release(archive.id, ended))
    return release_key_of(made.id)


def rewrite(archive: Archive, key: str, content: bytes) -> None:
    """Change the document at a key."""
    overwrite(archive.settings.root / key, content)
