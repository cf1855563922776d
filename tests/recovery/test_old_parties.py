"""Parties of recordings that an older version archived are read from their sidecars, once."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete, update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import party_values, recordings
from recording_archive.model import State
from recording_archive.recovery.old_parties import read_old_parties
from support.contents import overwrite
from support.rebuilding import dump, some_sidecar


def forget(archive: Archive) -> None:
    """Leave the catalog as the migration does."""
    with archive.catalog.write() as connection:
        connection.execute(delete(party_values))
        connection.execute(update(recordings).values(parties=None, numbers=None))


def read(archive: Archive) -> tuple[int, int]:
    """Read what was forgotten."""
    return read_old_parties(archive.store, archive.catalog, "")


def test_forgotten_parties_are_read_again_once(archived: Archive) -> None:
    """As they were when they were archived; then there is nothing to read."""
    tables = (recordings, party_values)
    before = [dump(archived.catalog, table) for table in tables]
    assert before[1]
    forget(archived)
    assert read(archived) == (len(before[0]), 0)
    assert [dump(archived.catalog, table) for table in tables] == before
    assert read(archived) == (0, 0)


def test_a_sidecar_without_parties_tells_what_the_source_said(archived: Archive) -> None:
    """Whoever wrote it did not ask for participants, but kept all that came."""
    path = some_sidecar(archived)
    document = json.loads(path.read_text())
    del document["parties"]
    document["sourceFields"]["participants"] = [{"agentId": "second", "ani": "0044 20 7946 0958"}]
    overwrite(path, json.dumps(document).encode())
    forget(archived)
    assert read(archived)[1] == 0
    [row] = [row for row in dump(archived.catalog, recordings) if row["parties"]]
    assert row["parties"] == [{"agentId": "second", "ani": "0044 20 7946 0958", "certain": True}]
    assert "00442079460958" in row["numbers"]["certain"]


def test_what_cannot_be_read_is_named_and_stays_unknown(archived: Archive, caplog: pytest.LogCaptureFixture) -> None:
    """Such a recording may be anybody's; the others are read."""
    path = some_sidecar(archived)
    overwrite(path, b"{")
    forget(archived)
    count = len(dump(archived.catalog, recordings))
    assert read(archived) == (count - 1, 1)
    assert path.stem in caplog.text
    assert [row["parties"] for row in dump(archived.catalog, recordings)].count(None) == 1


def test_what_is_gone_has_the_parties_of_its_own_columns(archived: Archive) -> None:
    """A purged recording has no sidecar, and is found by its numbers."""
    forget(archived)
    with archived.catalog.write() as connection:
        connection.execute(update(recordings).values(state=State.PURGED, ani="+442079460958"))
    read(archived)
    assert all("+442079460958" in row["numbers"]["certain"] for row in dump(archived.catalog, recordings))
