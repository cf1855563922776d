"""Recordings of a lost catalog: sound sidecars become rows, others are named."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import (
    recordings,
)
from recording_archive.ledger import sealing
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from support.contents import all_rows, change, overwrite
from support.rebuilding import (
    bad,
    dump,
    lose_catalog,
    rebuild,
    rebuilt,
    some_sidecar,
)
from support.retention_run import EXPIRED


def text(field: str, value: Any) -> Callable[[bytes], bytes]:
    """Change one field, ``object.key`` for an inner one, and leave the rest as it is."""

    def change(content: bytes) -> bytes:
        document = json.loads(content)
        *outer, name = field.split(".")
        inner = document
        for step in outer:
            inner = inner[step]
        inner[name] = value
        return json.dumps(document).encode()

    return change


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: content[:100], "JSONDecodeError"),
        (lambda _: b"[]", "TypeError"),
        (lambda _: b"\xff\xfe\x00", "damaged"),
        (text("media.sha256", "abc"), "(sha256)"),
        (text("media.bytes", "12"), "(size_bytes)"),
        (text("media.bytes", True), "(size_bytes)"),
        (text("object.bytes", -1), "(stored_bytes)"),
        (text("archivedAt", None), "(archived_at"),
        (text("archivedAt", "2026-11-20T00:00:00"), "(archived_at"),
        (text("interactionId", "../../etc"), "(interaction_id)"),
        (text("attributes.agentName", 7), "(agent_name)"),
        (text("checksum.result", "perhaps"), "(source_checksum)"),
        (text("part", 1), "moved or renamed"),
        (text("object.key", "recordings/other.wav.gz"), "moved or renamed"),
        (text("archiveId", "0" * 32), "belongs to archive 000"),
    ],
)
def test_a_damaged_sidecar_is_named_and_the_rest_goes_on(
    archived: Archive, damage: Callable[[bytes], bytes], told: str
) -> None:
    """No sidecar that is cut, mistyped, moved or foreign becomes a row, and none keeps the others from theirs."""
    path = some_sidecar(archived)
    overwrite(path, damage(path.read_bytes()))
    archived.catalog.close()
    lose_catalog(archived.settings)
    found = list(reindex(archived.settings))
    (problem,) = [each for each in found if each.result is IndexResult.BAD]
    assert problem.key.endswith(path.name)
    assert told in str(problem.problem)
    assert Counter(each.what for each in found if each.result is IndexResult.ADDED)["recordings"] == 5


def test_a_missing_object_is_named_and_not_called_verified(archived: Archive) -> None:
    """A sidecar alone becomes a row, so that nothing is forgotten, but one whose object is known to be bad."""
    path = some_sidecar(archived)
    path.with_name(path.name.replace(".json", ".wav.gz")).unlink()
    archived.catalog.close()
    lose_catalog(archived.settings)
    (problem,) = bad(archived.settings)
    assert "missing or has another size" in str(problem.problem)
    verdicts = [row["verified_ok"] for row in dump(Catalog(archived.settings.catalog), recordings)]
    assert sorted(verdicts) == [False, True, True, True, True, True]


def test_a_filled_catalog_gets_what_it_lacks(archived: Archive) -> None:
    """A lost row comes back, and one that only says discovered learns that the recording is archived."""
    before = dump(archived.catalog, recordings)
    lost, behind = before[0]["interaction_id"], before[1]["interaction_id"]
    stale = {"state": "discovered", "key": None, "archived_at": None, "failures": 2, "last_error": "x"}
    with archived.catalog.write() as connection:
        connection.execute(recordings.delete().where(recordings.c.interaction_id == lost))
        connection.execute(update(recordings).where(recordings.c.interaction_id == behind).values(**stale))
    counts = rebuild(archived.settings)
    assert counts["recordings", "added"] == 2
    assert counts["recordings", "known"] == 4
    assert dump(archived.catalog, recordings) == before


def test_what_differs_is_named_and_left_as_it_is(archived: Archive) -> None:
    """Whether catalog or sidecar is right is for a person to say."""
    victim = dump(archived.catalog, recordings)[0]["interaction_id"]
    with archived.catalog.write() as connection:
        other = {"sha256": "0" * 64, "size_bytes": 1}
        connection.execute(update(recordings).where(recordings.c.interaction_id == victim).values(**other))
    before = dump(archived.catalog, recordings)
    (problem,) = bad(archived.settings)
    assert "another sha256, size_bytes" in str(problem.problem)
    assert dump(archived.catalog, recordings) == before


def test_an_object_that_was_lost_stays_unverified(archived: Archive) -> None:
    """However often the archive is indexed again, and whatever its events say of the days when it was there."""
    sealing.seal(archived)
    row = all_rows(archived)[0]
    (archived.settings.root / row.key).unlink()
    archive, bad = rebuilt(archived)
    assert {each.key for each in bad} == {f"{row.key.removesuffix('.wav.gz')}.json"}
    list(reindex(archive.settings))
    assert [each.verified_ok for each in all_rows(archive)].count(False) == 1
    archive.catalog.close()


def test_a_deletion_under_way_is_no_damage(archived: Archive) -> None:
    """Its object is gone and its sidecar is not: the next run of retention finishes that; nobody need worry."""
    row = all_rows(archived)[0]
    change(archived, row.interaction_id, deleting_at=EXPIRED, deletion={"action": "purge", "run": "retention__1"})
    (archived.settings.root / row.key).unlink()
    assert [each for each in reindex(archived.settings) if each.result is IndexResult.BAD] == []
