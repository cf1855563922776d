"""Holds of a lost catalog: the archive alone tells which there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import events, hold_terms, holds
from recording_archive.holds import Criteria, Hold, find, release
from recording_archive.recovery.from_events import restore_events
from recording_archive.recovery.from_holds import reindex_holds
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.settings import Settings
from support.contents import events_of
from support.hold_files import DAY, NOON, hold, put_hold, put_release, rewrite
from support.rebuilding import dump


class TestReindex:
    """The archive alone tells which holds there are."""

    @pytest.fixture
    def kept(self, archive: Archive) -> list[Hold]:
        """Three holds of all kinds, the second released."""
        kinds = (
            Criteria(("call-1",), ("Änne",), ("Billing",), ("+49 30 1",), DAY.start, DAY.end),
            Criteria(agents=("4f2a9c00-0000-4000-8000-000000000001",)),
            Criteria(end=NOON),
        )
        made = [hold(archive, criteria, f"Case {number}") for number, criteria in enumerate(kinds)]
        return [made[0], release(archive, made[1].id, reason="settled", actor="max"), made[2]]

    @staticmethod
    def rebuild(settings: Settings, archive: Archive, *, ledger: bool = True) -> tuple[Catalog, list[Indexed]]:
        """A new catalog and what went into it; without the ledger every document is foreign."""
        catalog = Catalog(f"sqlite:///{settings.root.parent / 'new.db'}")
        if ledger:
            list(restore_events(archive.store, catalog, archive.id))
        return catalog, list(reindex_holds(archive.store, catalog))

    def test_a_lost_catalog_is_rebuilt_as_it_was(self, archive: Archive, settings: Settings, kept: list[Hold]) -> None:
        """Rows, values and events of every hold are equal in every column; a second time nothing is new."""
        rebuilt, found = self.rebuild(settings, archive)
        keys = sorted([*(f"holds/{each.id}.json" for each in kept), f"holds/{kept[1].id}.released.json"])
        assert found == [Indexed("holds", key, IndexResult.ADDED) for key in keys]
        for table in (holds, hold_terms):
            assert dump(rebuilt, table) == dump(archive.catalog, table) != []
        own = ("id", "uid", "segment")
        before = [row for row in dump(archive.catalog, events, *own) if row["kind"] in {"held", "released"}]
        assert dump(rebuilt, events, *own) == before
        again = list(reindex_holds(archive.store, rebuilt))
        assert again == [Indexed("holds", key, IndexResult.KNOWN) for key in keys]
        assert dump(rebuilt, events, *own) == before
        rebuilt.close()

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda content: content[:60], "JSONDecodeError"),
            (lambda _: b"[]", "is damaged"),
            (lambda _: b"\xff\xfe\x00", "is damaged"),
            (lambda content: content.replace(b"Case 2", b"Case \\u0000"), "a text is not one"),
            (lambda content: content.replace(b'"matter"', b'"other"'), "KeyError"),
            (lambda content: content.replace(b"23T12", b"23T99"), "ValueError"),
            (lambda content: re.sub(rb'"createdAt": "([^"]{26})[^"]*"', rb'"createdAt": "\1"', content), "no zone"),
            (lambda content: content.replace(b'"agents": []', b'"agents": "x"'), "no list of texts"),
            (lambda content: content.replace(b'"agents": []', b'"agents": [7]'), "no list of texts"),
            (lambda content: re.sub(rb'"to": "[^"]*"', b'"to": null', content), "asks for nothing"),
            (lambda content: content.replace(b'"formatVersion": 1', b'"formatVersion": 2'), "format version 2"),
            (lambda content: content.replace(b'"holdId": "H-2026', b'"holdId": "H-2025'), "moved or renamed"),
            (lambda content: re.sub(rb'"archiveId": "[^"]*"', b'"archiveId": "x"', content), "belongs to archive x"),
        ],
    )
    def test_a_damaged_hold_is_named_and_the_rest_goes_on(
        self,
        archive: Archive,
        settings: Settings,
        kept: list[Hold],
        damage: Callable[[bytes], bytes],
        message: str,
    ) -> None:
        """No document that is cut, mistyped, moved or foreign becomes a hold, and none keeps the others from theirs."""
        key = f"holds/{kept[2].id}.json"
        changed = damage(archive.store.read(key))
        assert changed != archive.store.read(key)
        rewrite(archive, key, changed)
        rebuilt, found = self.rebuild(settings, archive, ledger=False)
        (problem,) = [each.problem for each in found if each.key == key]
        assert message in str(problem)
        assert {row["id"] for row in dump(rebuilt, holds)} == {kept[0].id, kept[1].id}
        rebuilt.close()

    def test_a_release_that_cannot_be_read_releases_nothing(
        self, archive: Archive, settings: Settings, kept: list[Hold]
    ) -> None:
        """Changed, or without its hold: it is named, and what there is goes on holding."""
        release(archive, kept[0].id, reason="settled", actor="max")
        first, second = f"holds/{kept[1].id}.released.json", f"holds/{kept[0].id}.released.json"
        (archive.settings.root / f"holds/{kept[0].id}.json").unlink()
        rewrite(archive, first, b"{}")
        rebuilt, found = self.rebuild(settings, archive)
        problems = {each.key: str(each.problem) for each in found if each.result is IndexResult.BAD}
        assert "was changed" in problems.pop(first)
        assert "no sound document" in problems.pop(second)
        assert "restore it from a copy" in problems.pop(f"holds/{kept[0].id}.json")
        assert not problems
        assert [row["released_at"] for row in dump(rebuilt, holds)] == [None, None]
        rebuilt.close()

    def test_a_foreign_hold_holds_and_a_foreign_release_releases_nothing(
        self, archive: Archive, settings: Settings, kept: list[Hold]
    ) -> None:
        """Documents that no event records are named each time, whatever they say."""
        put_release(archive, kept[0])
        put_hold(archive, "H-20261124-00000f", Criteria(("call-2",)))
        rebuilt, first = self.rebuild(settings, archive)
        for found in (first, list(reindex_holds(archive.store, rebuilt))):
            problems = {each.key: str(each.problem) for each in found if each.result is IndexResult.BAD}
            assert "is foreign" in problems[f"holds/{kept[0].id}.released.json"]
            assert "releases nothing" in problems[f"holds/{kept[0].id}.released.json"]
            assert "it holds until a person looks at it" in problems["holds/H-20261124-00000f.json"]
            assert len(problems) == 2
        active = [row["id"] for row in dump(rebuilt, holds) if row["released_at"] is None]
        assert sorted(active) == sorted([kept[0].id, kept[2].id, "H-20261124-00000f"])
        assert [row for row in dump(rebuilt, events) if row["detail"].get("hold") == "H-20261124-00000f"] == []
        rebuilt.close()

    def test_what_is_no_hold_is_named(self, archive: Archive, settings: Settings) -> None:
        """Someone else's file in the folder is told, not taken for a hold and not passed over."""
        archive.store.put("holds/notes.txt", b"x")
        archive.store.put("holds/H-1.json", b"{}")
        _, found = self.rebuild(settings, archive)
        assert [(each.key, each.result) for each in found] == [
            ("holds/H-1.json", IndexResult.BAD),
            ("holds/notes.txt", IndexResult.BAD),
        ]
        assert "find out who put it there" in str(found[0].problem)

    def test_the_ledger_s_word_counts(self, archive: Archive, settings: Settings, kept: list[Hold]) -> None:
        """Events of the ledger are not written again; a document that is not as they have it, or is gone, is bad."""
        changed, gone, key = (f"holds/{each.id}.json" for each in kept)
        rewrite(archive, changed, archive.store.read(changed).replace(b"Case 0", b"Case 9"))
        (archive.settings.root / gone).unlink()
        archive.catalog.close()
        for path in settings.root.parent.glob("catalog.db*"):
            path.unlink()
        found = {each.key: each for each in reindex(settings) if each.what == "holds"}
        assert found.pop(key).result is IndexResult.ADDED
        problems = {name: str(each.problem) for name, each in found.items() if each.result is IndexResult.BAD}
        assert f"{changed} was changed: its SHA-256 is " in problems.pop(changed)
        assert problems.pop(gone) == "the ledger records it, and it is missing: restore it from a copy"
        assert "no sound document" in problems.pop(gone.replace(".json", ".released.json"))
        assert not problems
        reopened = open_archive(settings)
        assert find(reopened) == [kept[2]]
        assert len(events_of(reopened, "held")) == 3
        assert len(events_of(reopened, "released")) == 1
        reopened.catalog.close()

    @pytest.mark.parametrize(
        ("column", "value"),
        [("matter", "other"), ("owner", "eve"), ("created_at", NOON - timedelta(days=1)), ("released_by", "eve")],
    )
    def test_what_differs_is_named_and_left_as_it_is(
        self, archive: Archive, kept: list[Hold], column: str, value: Any
    ) -> None:
        """Whether catalog or document is right is for a person to say."""
        with archive.catalog.write() as connection:
            connection.execute(update(holds).where(holds.c.id == kept[1].id).values({column: value}))
        before = dump(archive.catalog, holds)
        found = [each for each in reindex_holds(archive.store, archive.catalog) if each.result is IndexResult.BAD]
        assert f"another {column} of hold {kept[1].id}" in str(found[0].problem)
        assert dump(archive.catalog, holds) == before

    def test_a_release_without_a_document_is_named(self, archive: Archive, kept: list[Hold]) -> None:
        """A catalog that lets go what the archive holds was changed by someone."""
        forged = {"released_at": NOON, "released_by": "eve", "release_reason": "none"}
        with archive.catalog.write() as connection:
            connection.execute(update(holds).where(holds.c.id == kept[0].id).values(forged))
        (problem,) = [each for each in reindex_holds(archive.store, archive.catalog) if each.result is IndexResult.BAD]
        assert problem.key == f"holds/{kept[0].id}.json"
        assert "has no document of it" in str(problem.problem)

    def test_a_restored_backup_catches_up(self, archive: Archive, kept: list[Hold]) -> None:
        """A release that the catalog forgot is taken up, and the hold is not made again."""
        forgotten = dict.fromkeys(("released_at", "released_by", "release_reason"))
        before = dump(archive.catalog, holds)
        with archive.catalog.write() as connection:
            connection.execute(update(holds).where(holds.c.id == kept[1].id).values(forgotten))
        added = [each.key for each in reindex_holds(archive.store, archive.catalog) if each.result is IndexResult.ADDED]
        assert added == [f"holds/{kept[1].id}.released.json"]
        assert dump(archive.catalog, holds) == before
