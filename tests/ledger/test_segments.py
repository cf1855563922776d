"""Segments in the catalog: whatever a crash or a backup made of it, it catches up with the archive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import events
from recording_archive.errors import StoreError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head, newest
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.segments import unknown_segments
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from support.contents import overwrite
from support.ledger_files import (
    NOW,
    Interposed,
    actors_in,
    crash_after_put,
    in_catalog,
    path_of,
    prove,
    tampered,
    tell,
    unsealed,
)


class TestCrashesAndRaces:
    """Archive and catalog come together again whatever happened between them."""

    def test_a_crash_between_archive_and_catalog(self, still: Archive) -> None:
        """What was put is noted, not sealed again; what happened since comes after it."""
        tell(still, "ann", "bob")
        crash_after_put(still)
        assert unsealed(still) == ["ann", "bob"]
        tell(still, "eve")
        head = seal(still)
        assert actors_in(still) == ["ann", "bob", "eve"]
        assert unsealed(still) == []
        assert list(in_catalog(still)) == [1, 2]
        assert head == newest(still.store)
        assert prove(still.settings.root) == []

    def test_a_segment_that_a_crash_left_is_not_unknown(self, still: Archive) -> None:
        """Retention is not stopped by it: it is noted as soon as someone asks."""
        tell(still, "ann")
        crash_after_put(still)
        assert unknown_segments(still) == []
        assert unsealed(still) == []

    def test_what_was_changed_after_a_crash_is_sealed_as_it_was(self, still: Archive) -> None:
        """An event counts as sealed only if the ledger tells it as the catalog does."""
        tell(still, "ann", "bob")
        crash_after_put(still)
        overwrite(path_of(still, 1), path_of(still, 1).read_bytes().replace(b'"ann"', b'"eve"'))
        seal(still)
        assert actors_in(still) == ["eve", "bob", "ann"]
        assert unknown_segments(still) == [1]
        assert tampered(still.settings.root) == [f"{chain.segment_key(1)} line 3"]

    def test_a_header_that_was_changed_after_a_crash_is_not_believed(self, still: Archive) -> None:
        """Its events are sealed as they are, but the segment stays unknown, so that retention stops."""
        tell(still, "ann")
        crash_after_put(still)
        path = path_of(still, 1)
        overwrite(path, path.read_bytes().replace(b'"sealedAt":"2026', b'"sealedAt":"2025'))
        seal(still)
        assert actors_in(still) == ["ann"]
        assert unknown_segments(still) == [1]

    def test_two_seal_at_the_same_moment(self, still: Archive) -> None:
        """Whoever loses finds its events sealed, and seals what is left."""
        tell(still, "ann")
        seal(still)
        tell(still, "bob")

        def faster() -> None:
            tell(still, "eve")
            seal(still)

        seal(replace(still, store=Interposed(still.settings.root, before=faster)))
        assert actors_in(still) == ["ann", "bob", "eve"]
        assert list(in_catalog(still)) == [1, 2]

    def test_the_faster_one_dies_before_its_catalog(self, still: Archive) -> None:
        """Whoever loses the race does for it what it can do no more."""
        tell(still, "ann")
        seal(replace(still, store=Interposed(still.settings.root, before=lambda: crash_after_put(still))))
        assert actors_in(still) == ["ann"]
        assert list(in_catalog(still)) == [1]
        assert unsealed(still) == []

    def test_many_seal_and_tell_at_once(self, still: Archive) -> None:
        """Threads with catalogs of their own: every event is sealed once, and the chain holds."""
        failures: list[Exception] = []

        def work(name: str) -> None:
            own = open_archive(still.settings)
            try:
                for number in range(8):
                    tell(own, f"{name}{number}")
                    seal(own, most=3)
            except Exception as error:
                failures.append(error)
            finally:
                own.catalog.close()

        threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert sorted(actors_in(still)) == sorted(f"{name}{number}" for name in "abc" for number in range(8))
        assert set(in_catalog(still)) == set(chain.segment_numbers(still.store))
        assert prove(still.settings.root) == []

    def test_what_is_no_file_stops_it_with_a_name(self, still: Archive) -> None:
        """A link in the place of the next segment is neither followed nor waited for."""
        tell(still, "ann")
        (still.settings.root / "ledger").mkdir()
        path_of(still, 1).symlink_to("/dev/null")
        with pytest.raises(StoreError, match="is not a file"):
            seal(still)
        assert unsealed(still) == ["ann"]


class TestCatalogOlderThanArchive:
    """A catalog from a backup does not know the end of the ledger."""

    @pytest.fixture
    def behind(self, still: Archive) -> Iterator[Archive]:
        """A catalog that knows one segment of three; of what the second tells it has the half, unsealed."""
        tell(still, "ann")
        seal(still)
        tell(still, "bob")
        still.catalog.close()
        file = still.settings.root.parent / "catalog.db"
        backup = file.read_bytes()
        lost = replace(open_archive(still.settings), clock=lambda: NOW)
        tell(lost, "eve")
        seal(lost)
        tell(lost, "fay")
        seal(lost)
        lost.catalog.close()
        for path in file.parent.glob("catalog.db*"):
            path.unlink()
        file.write_bytes(backup)
        reopened = replace(open_archive(still.settings), clock=lambda: NOW)
        yield reopened
        reopened.catalog.close()

    def test_it_goes_on_after_what_it_does_not_know(self, behind: Archive) -> None:
        """The next number, chained to the newest in the archive; nothing is sealed twice, and the gap is told."""
        assert unknown_segments(behind) == [2, 3]
        tell(behind, "gus")
        assert seal(behind) == newest(behind.store)
        assert actors_in(behind) == ["ann", "bob", "eve", "fay", "gus"]
        assert unknown_segments(behind) == [2, 3]
        assert prove(behind.settings.root) == []

    def test_reindex_brings_what_is_missing(self, behind: Archive) -> None:
        """Each event is in the catalog once, in its segment."""
        tell(behind, "gus")
        seal(behind)
        found = {each.key: each.result for each in reindex(behind.settings) if each.what == "ledger"}
        assert list(found.values()) == [IndexResult.KNOWN, IndexResult.ADDED, IndexResult.ADDED, IndexResult.KNOWN]
        assert unknown_segments(behind) == []
        with behind.catalog.read() as connection:
            rows = connection.execute(select(events.c.segment, events.c.actor).order_by(events.c.segment, events.c.id))
            assert [tuple(row) for row in rows] == [(1, "ann"), (2, "bob"), (2, "eve"), (3, "fay"), (4, "gus")]

    def test_reindex_notes_what_was_sealed_meanwhile(self, behind: Archive) -> None:
        """What the backup had not sealed yet, and the archive has, is not sealed again."""
        assert unsealed(behind) == ["bob"]
        list(reindex(behind.settings))
        assert unsealed(behind) == []
        assert seal(behind) == newest(behind.store) == Head(3, in_catalog(behind)[3])

    def test_an_end_that_was_removed_is_not_covered_up(self, still: Archive) -> None:
        """The number of a segment that the catalog knows is never given again: the hole stays for all to see."""
        for actor in ("ann", "bob"):
            tell(still, actor)
            seal(still)
        path_of(still, 2).unlink()
        tell(still, "eve")
        seal(still)
        assert list(chain.segment_numbers(still.store)) == [1, 3]
        assert tampered(still.settings.root)[0] == chain.segment_key(2)
