"""The archive as the API server opens it, and the access log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import events
from recording_archive.errors import StoreError
from recording_archive.model import PartId
from recording_archive.settings import read_settings
from recording_archive.web import deps

PART = PartId("a", "a", 0)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The root of a process whose settings name an archive that is not there."""
    monkeypatch.setenv("RECORDING_ARCHIVE_URL", str(tmp_path / "archive"))
    monkeypatch.setenv("RECORDING_ARCHIVE_CATALOG_URL", f"sqlite:///{tmp_path / 'catalog.db'}")
    read_settings.cache_clear()
    yield tmp_path / "archive"
    for archive in deps._opened.values():
        archive.catalog.close()
    deps._opened.clear()
    read_settings.cache_clear()


def test_the_api_server_founds_no_archive(unopened: Path) -> None:
    """Without the volume there is an error that says so; with it the next request works."""
    with pytest.raises(StoreError, match="have the volume"):
        deps.get_archive()
    assert not unopened.exists()
    founded = open_archive(read_settings())
    founded.catalog.close()
    assert deps.get_archive().id == founded.id
    assert deps.get_archive() is deps.get_archive()


def count(archive: Archive, kind: str) -> int:
    """How many events of a kind there are."""
    with archive.catalog.read() as connection:
        return connection.execute(select(func.count()).where(events.c.kind == kind)).scalar_one()


def test_one_play_is_one_event_for_ten_minutes(archive: Archive) -> None:
    """Per user and part; a play that a wrong clock wrote into the future hides none."""

    def play(at: datetime, user: str = "ann", part: PartId = PART) -> int:
        deps.note_access(replace(archive, clock=lambda: at), "played", part, user)
        return count(archive, "played")

    assert play(NOON + timedelta(days=3650)) == 1
    assert play(NOON) == 2
    assert play(NOON + timedelta(minutes=9)) == 2
    assert play(NOON + timedelta(minutes=9), user="bob") == 3
    assert play(NOON + timedelta(minutes=9), part=PartId("a", "a", 1)) == 4
    assert play(NOON + timedelta(minutes=11)) == 5


def test_every_download_and_export_is_an_event(archive: Archive) -> None:
    """They are not joined, unless the caller says that they are pieces of one."""
    for once in (None, None, True):
        deps.note_access(archive, "downloaded", PART, "ann", once=once)
    for _ in range(2):
        deps.note_access(archive, "exported", None, "ann")
    assert (count(archive, "downloaded"), count(archive, "exported")) == (2, 2)
