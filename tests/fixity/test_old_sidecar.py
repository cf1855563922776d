"""Sidecars made again: the very bytes they had, or an amended one for other stored bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import delete

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import work
from recording_archive.fixity import strays_and_ledger
from recording_archive.fixity.verify import verify
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from recording_archive.store import sidecar
from support.contents import all_rows, change, damage, details_of, flip, overwrite
from support.fixity_run import ALL, Verifying, found, kept
from support.repairs import check_untouched, check_whole, path_of, repack, sidecar_of


@pytest.mark.parametrize("change", [flip(100), lambda content: content + b"\n", lambda _: b"", None])
def test_a_sidecar_becomes_what_it_was(
    archived: Archive, verifying: Verifying, change: Callable[[bytes], bytes] | None
) -> None:
    """The catalog gives its very bytes; what it had become is kept, and no media is fetched."""
    row = all_rows(archived)[4]
    path = sidecar_of(archived, row)
    before = path.read_bytes()
    if change:
        damage(path, change)
    bad = path.read_bytes() if change else None
    if not change:
        path.unlink()
    check_whole(archived, verifying(archived, ALL))
    assert path.read_bytes() == before
    assert kept(archived) == ({sidecar.beside(row.key): bad} if change else {})
    assert verifying.cloud.requests.counts["media"] == 0


def test_a_sidecar_of_another_version_becomes_what_it_was(archived: Archive, verifying: Verifying) -> None:
    """The version of the software that wrote it can be read in what is left of it."""
    row = all_rows(archived)[4]
    path = sidecar_of(archived, row)
    old = json.loads(path.read_bytes()) | {"softwareVersion": "0.0.7-beta"}
    content = (json.dumps(old, ensure_ascii=False, indent=1) + "\n").encode()
    overwrite(path, content)
    change(archived, row.interaction_id, sidecar_sha256=sha256(content).hexdigest())
    damage(path, flip(40))
    verifying.read_all(archived, "r", ALL)
    verifying.repair(archived, "r")
    assert path.read_bytes() == content


def test_other_stored_bytes_get_a_sidecar_that_tells_of_it(
    archived: Archive, verifying: Verifying, run: Callable[..., Any]
) -> None:
    """The promise is the media: object and sidecar are new, both old ones are kept, catalog and reindex know it."""
    repack(archived, all_rows(archived)[2])
    row = all_rows(archived)[2]
    old = json.loads(sidecar_of(archived, row).read_bytes())
    damage(path_of(archived, row), flip(1000))
    verifying.read_all(archived, "r", ALL)
    verifying.repair(archived, "r")
    assert found(archived, "r")[row.interaction_id] == "repaired"

    after, new = all_rows(archived)[2], json.loads(sidecar_of(archived, row).read_bytes())
    assert [each for each in verify(archived) if each.problem] == []
    assert (after.sha256, after.key) == (row.sha256, row.key)
    assert after.stored_sha256 == new["object"]["sha256"] != row.stored_sha256
    (repaired,) = new.pop("repairs")
    assert (repaired["object"], repaired["sidecar"], repaired["runId"]) == (old["object"], row.sidecar_sha256, "r")
    assert {**new, "object": old["object"]} == old
    assert set(kept(archived)) == {row.key, sidecar.beside(row.key)}
    (event,) = details_of(archived, "repaired")
    assert (event["before"]["stored_sha256"], event["stored_sha256"]) == (row.stored_sha256, after.stored_sha256)
    assert strays_and_ledger.verify_ledger(archived, "r") == 0  # it vouches for the new sidecar

    assert run(archived, "scheduled__again").counts["alreadyArchived"] == 6
    archived.catalog.close()
    for file in archived.settings.root.parent.glob("catalog.db*"):
        file.unlink()
    assert not [each for each in reindex(archived.settings) if each.result is IndexResult.BAD]
    rebuilt = open_archive(archived.settings)
    assert all_rows(rebuilt)[2].sidecar_sha256 == after.sidecar_sha256
    rebuilt.catalog.close()


def test_a_sidecar_that_nothing_gives_back_is_escalated(archived: Archive, verifying: Verifying) -> None:
    """After a rebuild the catalog knows too little to write the sidecar anew; then nothing is touched."""
    row = all_rows(archived)[2]
    with archived.catalog.write() as connection:
        connection.execute(delete(work))
    damage(sidecar_of(archived, row), flip(100))
    ended = verifying(archived, ALL)
    check_untouched(archived, ended, row, "does not give the very bytes")
    assert sidecar.beside(row.key) in ended.problems[1]  # the ledger vouches for other bytes


def test_no_sidecar_for_other_stored_bytes_means_no_repair(archived: Archive, verifying: Verifying) -> None:
    """An object that cannot be made as it was needs a sidecar to tell of it; without one it stays as it is."""
    repack(archived, all_rows(archived)[2])
    row = all_rows(archived)[2]
    bad = flip(1000)(path_of(archived, row).read_bytes())
    with archived.catalog.write() as connection:
        connection.execute(delete(work))
    overwrite(path_of(archived, row), bad)
    damage(sidecar_of(archived, row), flip(100))
    verifying.read_all(archived, "r", ALL)
    verifying.repair(archived, "r")
    assert found(archived, "r")[row.interaction_id] == "bad"
    assert path_of(archived, row).read_bytes() == bad
    assert kept(archived) == {}
