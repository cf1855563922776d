"""Reading: batches of recordings are read to the last byte, what rots is found, and nothing sound is called bad."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.rows import MOST_BATCHES
from recording_archive.catalog.tables import readings, recordings
from recording_archive.errors import StoreError
from recording_archive.fixity import reading
from recording_archive.fixity.report import write_report
from recording_archive.store.local import LocalStore
from support.contents import all_rows, change, damage, details_of
from support.fixity_run import ALL, DUE, NOW, at, found
from support.runner import Runner, settings_below

GO_ON = threading.Event()


def read_in(archive: Archive, run_id: str) -> set[str]:
    """The interactions whose reading in a run left an event."""
    with archive.catalog.read() as connection:
        query = select(readings.c.interaction_id).where(readings.c.run_id == run_id, readings.c.outcome.is_not(None))
        return set(connection.execute(query).scalars())


def test_batches_are_cut_by_count_and_bytes_and_stay_few(archived: Archive) -> None:
    """Batches keep to both limits while they are few, and grow rather than become too many for Airflow."""
    sizes = [row.stored_bytes for row in all_rows(archived)]
    by_count = reading.plan(at(archived, NOW, verify_days=1, batch_parts=4), "count", DUE)
    assert [(batch.number, batch.parts) for batch in by_count] == [(1, 4), (2, 2)]
    assert sum(batch.expected_bytes for batch in by_count) == sum(sizes)
    by_bytes = reading.plan(at(archived, NOW, verify_days=1, batch_bytes=max(sizes)), "bytes", DUE)
    assert all(batch.expected_bytes <= max(sizes) for batch in by_bytes)
    many = [
        {"interaction_id": f"x{n}", "recording_id": "r", "part": 0, "state": "archived", "key": f"k{n}"}
        for n in range(3 * MOST_BATCHES)
    ]
    with archived.catalog.write() as connection:
        connection.execute(insert(recordings), many)
    batches = reading.plan(at(archived, NOW, batch_parts=1), "many", ALL)
    assert len(batches) <= MOST_BATCHES
    assert sum(batch.parts for batch in batches) == len(many) + 6


def test_a_batch_goes_on_where_it_was_stopped(archived: Archive) -> None:
    """A stopped task reads nothing more; the next attempt reads what is left, and a third finds nothing to do."""
    reading.plan(archived, "r", ALL)
    stop = threading.Event()
    stop.set()
    reading.read_batch(archived, "r", 1, stop=stop)
    assert read_in(archived, "r") == set()
    reading.read_batch(archived, "r", 1, stop=GO_ON)
    reading.read_batch(archived, "r", 1, stop=GO_ON)
    assert len(read_in(archived, "r")) == len(details_of(archived, "verified")) == 6


class StopsAtOnce(LocalStore):
    """Tells the reader to stop while the third object is read."""

    stop: threading.Event
    opened = 0

    def open(self, key: str) -> Any:
        self.opened += key.endswith(".gz")
        if self.opened == 3:
            self.stop.set()
        return super().open(key)


def test_what_was_read_before_the_stop_is_kept(archived: Archive) -> None:
    """A stop in the middle condemns nothing, and loses nothing of what was read."""
    store = StopsAtOnce(archived.settings.root)
    store.stop = threading.Event()
    one_by_one = replace(at(archived, NOW, compressors=1), store=store)
    reading.plan(one_by_one, "r", ALL)
    assert reading.read_batch(one_by_one, "r", 1, stop=store.stop) == 0
    assert [detail["ok"] for detail in details_of(archived, "verified")] == [True, True]
    reading.read_batch(archived, "r", 1, stop=GO_ON)
    assert Counter(found(archived, "r").values()) == {"sound": 6}


@pytest.fixture(scope="module")
def long_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an archive with one call of several members; never opened by a test."""
    folder = tmp_path_factory.mktemp("long")
    options = SandboxOptions(
        days=1, per_day=1, min_bytes=300_000, max_bytes=300_001, end=date(2026, 11, 21), rate_per_minute=0
    )
    archive = open_archive(settings_below(folder))
    with Sandbox(options) as cloud:
        assert not Runner(cloud)(archive, "scheduled__long").failed
    archive.catalog.close()
    return folder


def members(content: bytes) -> list[int]:
    """Where the members of a BGZF file begin."""
    places, place = [], 0
    while place < len(content):
        places.append(place)
        place += int.from_bytes(content[place + 16 : place + 18], "little") + 1
    return places


@pytest.mark.parametrize("number", [0, 1, 3, -1])
def test_truncation_between_members_is_found(long_call: Path, tmp_path: Path, number: int) -> None:
    """A file that ends where a member ends reads as gzip without complaint; it is found all the same."""
    shutil.copytree(long_call, tmp_path, dirs_exist_ok=True)
    archive = open_archive(settings_below(tmp_path))
    (row,) = all_rows(archive)
    path = archive.settings.root / row.key
    places = members(path.read_bytes())
    assert len(places) == 6  # the end marker is one
    damage(path, lambda content: content[: places[number]])
    reading.plan(archive, "r", ALL)
    assert reading.read_batch(archive, "r", 1, stop=GO_ON) == 1
    assert [row.verified_ok for row in all_rows(archive)] == [False]
    archive.catalog.close()


def test_an_unmounted_root_condemns_nothing(archived: Archive) -> None:
    """When the root goes away under the reader the task ends, and no recording is called bad."""
    reading.plan(archived, "r", ALL)
    root = archived.settings.root
    root.rename(root.with_name("elsewhere"))
    root.mkdir()
    with pytest.raises(StoreError, match="no longer holds archive"):
        reading.read_batch(archived, "r", 1, stop=GO_ON)
    assert all(row.verified_ok for row in all_rows(archived))
    assert read_in(archived, "r") == set()


class PurgedMeanwhile(LocalStore):
    """Loses an object to a lawful purge at the moment it is read."""

    purge: Callable[[], None]
    victim: str

    def open(self, key: str) -> Any:
        if key == self.victim:
            self.purge()
            (self.root / key).unlink(missing_ok=True)
        return super().open(key)


def test_what_leaves_while_it_is_read_is_gone_and_not_bad(archived: Archive) -> None:
    """A purge between plan and reading is neither damage nor a reading."""
    row = all_rows(archived)[1]
    store = PurgedMeanwhile(archived.settings.root)
    store.victim, store.purge = row.key, lambda: change(archived, row.interaction_id, state="purged")
    reading.plan(archived, "r", ALL)
    assert reading.read_batch(replace(archived, store=store), "r", 1, stop=GO_ON) == 0
    assert Counter(found(archived, "r").values()) == {"sound": 5, "gone": 1}
    ended = write_report(archived, "r")
    assert ended.totals["gone"] == 1
    assert not any("damaged" in problem for problem in ended.problems)
