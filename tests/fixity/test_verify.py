"""Verifying on request: whatever rots in the archive is found and named, and nothing sound is called bad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

import pytest
from sqlalchemy import insert, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, recordings
from recording_archive.errors import PermanentError, StoreError
from recording_archive.fixity.verify import Verified, count, verify
from recording_archive.model import PartId
from recording_archive.store import sidecar
from recording_archive.store.local import LocalStore
from support.contents import all_rows, change, overwrite


def bad(results: list[Verified]) -> list[Verified]:
    return [result for result in results if result.problem]


def test_a_sound_archive_verifies_and_says_so_in_the_catalog(archived: Archive) -> None:
    """Each recording is read once, is good, and gets the time, the verdict and an event."""
    before = all_rows(archived)
    results = list(verify(archived))
    assert [result.part for result in results] == [PartId(*row[:3]) for row in before]
    assert count(archived) == len(results) == 6
    assert not bad(results)
    for old, new in zip(before, all_rows(archived), strict=True):
        assert new.verified_at > old.verified_at
        assert new.verified_ok is True
    with archived.catalog.read() as connection:
        told = connection.execute(select(events.c.detail).where(events.c.kind == "verified")).scalars().all()
    assert [detail["ok"] for detail in told] == [True] * 6


def flip(place: float) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        at = int(place) if place >= 1 else int(len(content) * place)
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

    return damage


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (flip(0.5), "damaged at byte"),
        (flip(4), "stored_sha256 is"),  # the time in a gzip header: every reader of audio would miss it
        (flip(0.999), "end marker"),
        (lambda content: content[:-28], "end marker is missing"),
        (lambda content: content[: len(content) // 2], "ends inside a member"),
        (lambda content: content + b"\0", "bytes follow the end marker"),
        (lambda _: b"", "end marker is missing"),
    ],
)
def test_a_damaged_object_is_named(archived: Archive, damage: Callable[[bytes], bytes], told: str) -> None:
    """A turned bit, a cut and an addition anywhere in an object condemn this recording alone, in the catalog too."""
    victim = all_rows(archived)[2]
    path = archived.settings.root / victim.key
    overwrite(path, damage(path.read_bytes()))
    found = bad(list(verify(archived)))
    assert [(result.part, result.key) for result in found] == [(PartId(*victim[:3]), victim.key)]
    assert told in str(found[0].problem)
    assert [row.verified_ok for row in all_rows(archived)] == [row.key != victim.key for row in all_rows(archived)]
    with archived.catalog.read() as connection:
        last = select(events.c.detail).where(
            events.c.interaction_id == victim.interaction_id, events.c.kind == "verified"
        )
        assert connection.execute(last).scalar_one()["problem"] == found[0].problem


def test_two_swapped_objects_are_both_bad(archived: Archive) -> None:
    """A sound object under another recording's key is not that recording."""
    one, two = (archived.settings.root / row.key for row in all_rows(archived)[:2])
    first, second = one.read_bytes(), two.read_bytes()
    overwrite(one, second)
    overwrite(two, first)
    found = bad(list(verify(archived)))
    assert len(found) == 2
    assert all("stored_sha256 is" in str(result.problem) for result in found)


@pytest.mark.parametrize("which", ["object", "sidecar"])
def test_what_is_missing_is_named(archived: Archive, which: str) -> None:
    """A deleted object and a deleted sidecar are each found."""
    key = all_rows(archived)[0].key
    lost = key if which == "object" else sidecar.beside(key)
    (archived.settings.root / lost).unlink()
    found = bad(list(verify(archived)))
    assert len(found) == 1
    assert lost in str(found[0].problem)


def test_a_changed_sidecar_is_named(archived: Archive) -> None:
    """One byte more in a sidecar, still valid JSON, is found by its hash."""
    path = archived.settings.root / sidecar.beside(all_rows(archived)[0].key)
    overwrite(path, path.read_bytes() + b"\n")
    (found,) = bad(list(verify(archived)))
    assert "the catalog has" in str(found.problem)
    assert path.name in str(found.problem)


def test_a_catalog_that_differs_from_the_sidecar_is_named(archived: Archive) -> None:
    """A row changed behind our back is found by the sidecar, with the column's name."""
    victim = all_rows(archived)[0].interaction_id
    change(archived, victim, agent_name="somebody else")
    (found,) = bad(list(verify(archived)))
    assert str(found.problem).endswith("in agent_name")


def test_only_the_named_interactions_are_read(archived: Archive) -> None:
    """Ids select; one that was never archived is bad, one that only failed too."""
    before = all_rows(archived)
    with archived.catalog.write() as connection:
        connection.execute(insert(recordings).values(interaction_id="f", recording_id="f", part=0, state="discovered"))
    results = list(verify(archived, [before[3].interaction_id, "nobody", "f"]))
    assert [result.part.interaction_id for result in results] == [before[3].interaction_id, "nobody", "f"]
    assert [result.problem for result in results] == [
        None,
        "never archived: no recording of it is in the catalog",
        "not in the archive: discovered",
    ]
    assert sum(row.verified_at != old.verified_at for row, old in zip(all_rows(archived), before, strict=False)) == 1


def test_every_page_of_a_larger_catalog_is_read_once(archived: Archive) -> None:
    """Keyset pages neither skip nor repeat rows, and pages without anything stored do not end the reading."""
    gone = [{"interaction_id": f"0{n:03}", "recording_id": "r", "part": 0, "state": "purged"} for n in range(130)]
    lost = [
        {
            "interaction_id": f"1{n // 35}",
            "recording_id": f"r{n // 3:02}",
            "part": n % 3,
            "state": "archived",
            "key": f"recordings/{n}.wav.gz",
        }
        for n in range(70)
    ]
    with archived.catalog.write() as connection:
        connection.execute(insert(recordings), gone)
        connection.execute(insert(recordings), lost)
    results = list(verify(archived))
    assert len({result.part for result in results}) == len(results) == 76
    assert [str(result.part) for result in bad(results)] == [
        f"{row['interaction_id']}~{row['recording_id']}~{row['part']}" for row in lost
    ]


def test_an_unmounted_root_condemns_nothing(archived: Archive) -> None:
    """When the root goes away under the reader, that is an error of the place, not of six recordings."""
    root = archived.settings.root
    root.rename(root.with_name("elsewhere"))
    root.mkdir()
    with pytest.raises(StoreError, match="no longer holds archive"):
        list(verify(archived))
    assert all(row.verified_ok for row in all_rows(archived))


class FlakyStore(LocalStore):
    """Fails to open one object, the first time only."""

    failed = False

    def open(self, key: str) -> BinaryIO:
        if key.endswith(".gz") and not self.failed:
            self.failed = True
            raise PermanentError(f"{key}: damaged on its way to memory")
        return super().open(key)


def test_a_recording_is_read_again_before_it_is_condemned(archived: Archive) -> None:
    """One bad reading is not a bad recording."""
    store = FlakyStore(archived.settings.root)
    assert not bad(list(verify(replace(archived, store=store))))
    assert store.failed


class PurgedMeanwhile(LocalStore):
    """Loses an object to a lawful purge at the moment it is read."""

    archive: Archive
    victim: Any

    def open(self, key: str) -> BinaryIO:
        if key == self.victim.key:
            change(self.archive, self.victim.interaction_id, state="purged")
            (self.root / key).unlink(missing_ok=True)
        return super().open(key)


def test_what_is_purged_while_it_is_read_is_not_called_bad(archived: Archive) -> None:
    """A recording that lawfully left the archive meanwhile is neither bad nor verified."""
    store = PurgedMeanwhile(archived.settings.root)
    store.archive, store.victim = archived, all_rows(archived)[1]
    results = list(verify(replace(archived, store=store)))
    assert len(results) == 5
    assert not bad(results)
