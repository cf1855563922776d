"""Repair: damaged recordings become whole again while they can, and nothing bad is thrown away."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import delete

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.catalog.tables import work
from recording_archive.store import sidecar
from support.contents import all_rows, change, damage, details_of, flip, overwrite
from support.fixity_run import ALL, Verifying, document, kept
from support.repairs import check_manifest, check_untouched, check_whole, path_of, sidecar_of


@pytest.mark.parametrize(
    "change",
    [
        flip(1000),
        lambda content: content[: len(content) // 2],
        lambda _: b"",
        lambda content: bytes(len(content)),
        lambda content: content[::-1],
    ],
    ids=["flipped", "cut", "emptied", "zeroed", "reversed"],
)
def test_a_lost_object_comes_back_from_the_source(
    archived: Archive, verifying: Verifying, change: Callable[[bytes], bytes]
) -> None:
    """It gets the very bytes of old under its old name, the bad ones are kept, and an event tells all hashes."""
    row = all_rows(archived)[2]
    path, before = path_of(archived, row), path_of(archived, row).read_bytes()
    damage(path, change)
    bad = path.read_bytes()
    ended = verifying(archived, ALL)
    check_whole(archived, ended)
    check_manifest(archived)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o440
    assert kept(archived) == {row.key: bad}
    (event,) = details_of(archived, "repaired", row.interaction_id)
    (rejected,) = event["rejected"]
    assert event["files"] == {row.key: row.stored_sha256, rejected: sha256(bad).hexdigest()}
    assert (event["mediaFrom"], event["stored_sha256"]) == ("source", row.stored_sha256)
    assert (ended.totals["damaged"], ended.totals["repaired"], ended.totals["escalated"]) == (1, 1, 0)
    (entry,) = document(archived, ended)["findings"]
    assert (entry["outcome"], entry["filePath"]) == ("repaired", row.key)
    assert verifying.cloud.requests.counts["media"] == 1


def test_a_deleted_object_comes_back(archived: Archive, verifying: Verifying) -> None:
    """Where nothing lies there is nothing to keep."""
    row = all_rows(archived)[0]
    before = path_of(archived, row).read_bytes()
    path_of(archived, row).unlink()
    check_whole(archived, verifying(archived, ALL))
    assert path_of(archived, row).read_bytes() == before
    assert kept(archived) == {}


def test_swapped_objects_get_their_places_back(archived: Archive, verifying: Verifying) -> None:
    """Each of two swapped objects is made anew; both wrong ones are kept."""
    one, two = all_rows(archived)[:2]
    first, second = path_of(archived, one).read_bytes(), path_of(archived, two).read_bytes()
    overwrite(path_of(archived, one), second)
    overwrite(path_of(archived, two), first)
    check_whole(archived, verifying(archived, ALL))
    check_manifest(archived)
    assert kept(archived) == {one.key: second, two.key: first}


def test_everything_at_once(archived: Archive, verifying: Verifying) -> None:
    """A folder that rotted as a whole comes back as a whole, sidecars included."""
    for row in all_rows(archived):
        damage(path_of(archived, row), flip(500))
        sidecar_of(archived, row).unlink()
    ended = verifying(archived, ALL)
    check_whole(archived, ended)
    check_manifest(archived)
    assert ended.totals["repaired"] == 6


def test_object_and_sidecar_damaged_together(archived: Archive, verifying: Verifying) -> None:
    """Both become what they were, and both bad ones are kept."""
    row = all_rows(archived)[3]
    damage(path_of(archived, row), flip(2000))
    damage(sidecar_of(archived, row), flip(200))
    check_whole(archived, verifying(archived, ALL))
    check_manifest(archived)
    assert set(kept(archived)) == {row.key, sidecar.beside(row.key)}


def test_other_media_at_the_source_is_refused(archived: Archive, verifying: Verifying) -> None:
    """What the source gives now is not what was archived: the damaged object stays, both hashes are told."""
    row = all_rows(archived)[2]
    damage(path_of(archived, row), flip(1000))
    verifying.cloud.faults.add(Fault("wrong_bytes", recording=row.interaction_id))
    check_untouched(archived, verifying(archived, ALL), row, f"expected {row.sha256}")


def test_what_the_source_no_longer_has_is_escalated(archived: Archive, verifying: Verifying) -> None:
    """It is named with the reason, in this run and in the next, until somebody puts it right."""
    row = all_rows(archived)[2]
    damage(path_of(archived, row), flip(1000))
    verifying.cloud.faults.add(Fault("not_found", "renew"))
    check_untouched(archived, verifying(archived, ALL), row, "the source no longer has it")
    check_untouched(archived, verifying(archived), row, "the source no longer has it")
    verifying.cloud.faults.clear()
    check_whole(archived, verifying(archived))


def test_what_is_in_quarantine_is_verified_but_not_repaired(archived: Archive, verifying: Verifying) -> None:
    """It is on its way out; damage is told all the same."""
    row = all_rows(archived)[2]
    change(archived, row.interaction_id, state="quarantined")
    damage(path_of(archived, row), flip(1000))
    check_untouched(archived, verifying(archived, ALL), row, "it is quarantined")


def test_a_catalog_that_differs_is_no_repair(archived: Archive, verifying: Verifying) -> None:
    """Row and sidecar disagree and both look sound: a person must say which is right."""
    row = all_rows(archived)[2]
    change(archived, row.interaction_id, agent_name="somebody else")
    check_untouched(archived, verifying(archived, ALL), row, "find out which of the two was changed")


def test_a_changed_hash_in_the_catalog_replaces_nothing(archived: Archive, verifying: Verifying) -> None:
    """Who forges the catalog's hash of the media does not get the recording replaced."""
    row = all_rows(archived)[2]
    before = path_of(archived, row).read_bytes()
    change(archived, row.interaction_id, sha256="0" * 64)
    check_untouched(archived, verifying(archived, ALL), row, "find out which of the two was changed")
    assert path_of(archived, row).read_bytes() == before


def test_an_object_is_repaired_even_where_its_sidecar_is_not(archived: Archive, verifying: Verifying) -> None:
    """What can be saved is saved while the source has it; the recording stays bad for its sidecar."""
    row = all_rows(archived)[2]
    before = path_of(archived, row).read_bytes()
    with archived.catalog.write() as connection:
        connection.execute(delete(work))
    damage(path_of(archived, row), flip(1000))
    damage(sidecar_of(archived, row), flip(100))
    ended = verifying(archived, ALL)
    assert path_of(archived, row).read_bytes() == before
    assert "its object is whole again, but the catalog does not give" in ended.named[0]
    assert all_rows(archived)[2].verified_ok is False
    assert set(kept(archived)) == {row.key}


def test_a_link_in_its_place_stops_no_other_repair(archived: Archive, verifying: Verifying, tmp_path: Path) -> None:
    """What is no regular file is never touched, and the next recording is repaired."""
    linked, lost = all_rows(archived)[:2]
    elsewhere = tmp_path / "elsewhere"
    path_of(archived, linked).rename(elsewhere)
    path_of(archived, linked).symlink_to(elsewhere)
    damage(path_of(archived, lost), flip(1000))
    ended = verifying(archived, ALL)
    assert (ended.totals["repaired"], ended.totals["escalated"]) == (1, 1)
    assert path_of(archived, linked).is_symlink()


def test_more_than_rot_waits_for_a_person(archived: Archive, verifying: Verifying) -> None:
    """One run repairs a bounded number; the rest is told, and taken up by the next run."""
    verifying.limits = {"most": 2, "page_size": 1}
    for row in all_rows(archived)[:3]:
        damage(path_of(archived, row), flip(1000))
    ended = verifying(archived, ALL)
    assert (ended.totals["repaired"], ended.totals["escalated"]) == (2, 1)
    assert "left for the next run" in ended.named[0]
    check_whole(archived, verifying(archived))
