"""Holds made at noon, and their documents changed by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from recording_archive.archive import Archive
from recording_archive.holds import Criteria, Hold, create
from support.contents import overwrite

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


DAY = Criteria(start=datetime(2026, 11, 20, tzinfo=UTC), end=datetime(2026, 11, 21, tzinfo=UTC))


def hold(archive: Archive, criteria: Criteria = DAY, matter: str = "Case 4711") -> Hold:
    """A new hold, made at noon."""
    at_noon = replace(archive, clock=lambda: NOON)
    return create(at_noon, matter=matter, reason="the judge said so", criteria=criteria, actor="rosa")[0]


def rewrite(archive: Archive, key: str, content: bytes) -> None:
    """Change the document at a key."""
    overwrite(archive.settings.root / key, content)
