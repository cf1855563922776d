"""Legal holds: made and released for good, told when they lie in the archive, and found again without a catalog."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Table, select, update

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.report import Summary
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import events, hold_terms, holds, recordings
from recording_archive.cli import app
from recording_archive.errors import ConfigurationError, StoreError, TransientError
from recording_archive.holds import MOST_VALUES, Criteria, Hold, Matcher, create, effect, find, holding, read, release
from recording_archive.ledger.chain import newest
from recording_archive.model import PartId, State
from recording_archive.recovery.from_holds import reindex_holds
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.settings import Settings
from support.commands import Command, Output, run_command
from support.contents import all_rows
from support.runner import settings_below

COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"
NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
DAY = Criteria(start=datetime(2026, 11, 20, tzinfo=UTC), end=datetime(2026, 11, 21, tzinfo=UTC))
Run = Callable[..., Summary]


def hold(archive: Archive, criteria: Criteria = DAY, matter: str = "Case 4711") -> Hold:
    """A new hold, made at noon."""
    at_noon = replace(archive, clock=lambda: NOON)
    return create(at_noon, matter=matter, reason="the judge said so", criteria=criteria, actor="rosa")[0]


def held_by(archive: Archive) -> set[tuple[str, ...]]:
    """The holds of each recording, however they are found; the two ways agree."""
    every = all_rows(archive)
    with archive.catalog.read() as connection:
        found = holding(connection, every)
        assert Matcher(connection).of(every) == found
    return {each.held for each in found.values()}


def dump(catalog: Catalog, table: Table, *without: str) -> list[dict[str, Any]]:
    with catalog.read() as connection:
        found = [dict(row) for row in connection.execute(select(table)).mappings()]
    return sorted(({name: row[name] for name in row if name not in without} for row in found), key=str)


def told(archive: Archive, kind: str) -> list[Any]:
    """The events of a kind."""
    with archive.catalog.read() as connection:
        return list(connection.execute(select(events).where(events.c.kind == kind).order_by(events.c.id)))


def documents(archive: Archive) -> list[str]:
    return list(archive.store.list("holds/"))


def rewrite(archive: Archive, key: str, content: bytes) -> None:
    path = archive.settings.root / key
    path.chmod(0o640)
    path.write_bytes(content)


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Archive]:
    """An archive that gives up on a busy catalog at once."""
    settings = settings_below(tmp_path)
    opened = open_archive(settings.model_copy(update={"catalog_url": f"{settings.catalog_url}?timeout=0.05"}))
    yield opened
    opened.catalog.close()


@contextmanager
def busy(archive: Archive) -> Iterator[None]:
    """Another process writes into the catalog, and does not end."""
    with closing(sqlite3.connect(archive.settings.root.parent / "catalog.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


class TestCreate:
    """A hold holds from the moment it is told, and not before it is durable."""

    def test_it_lies_in_the_archive_and_in_the_ledger(self, archived: Archive) -> None:
        """Document, row and event tell the same, the event by hash alone; and it is sealed when it is told."""
        criteria = Criteria(("call-1",), ("Zoë Ö",), ("Billing",), ("+49 30 1",), DAY.start, DAY.end)
        made = hold(archived, criteria)
        assert re.fullmatch(r"H-20261123-[0-9a-f]{6}", made.id)
        assert made == Hold(made.id, "Case 4711", "the judge said so", "rosa", NOON, criteria, None, None, None)
        assert read(archived, made.id) == made
        content = archived.store.read(f"holds/{made.id}.json")
        assert json.loads(content) == {
            "formatVersion": 1,
            "archiveId": archived.id,
            "holdId": made.id,
            "matter": "Case 4711",
            "reason": "the judge said so",
            "owner": "rosa",
            "createdAt": "2026-11-23T12:00:00.123456+00:00",
            "criteria": {
                "interactionIds": ["call-1"],
                "agents": ["Zoë Ö"],
                "queues": ["Billing"],
                "numbers": ["+49 30 1"],
                "from": "2026-11-20T00:00:00+00:00",
                "to": "2026-11-21T00:00:00+00:00",
            },
        }
        (event,) = told(archived, "held")
        assert (event.at, event.actor, event.interaction_id) == (NOON, "rosa", None)
        digest = sha256(content).hexdigest()
        assert event.detail == {"hold": made.id, "files": {f"holds/{made.id}.json": digest}}
        assert event.segment == newest(archived.store).segment  # type: ignore[union-attr]  # there is one

    def test_the_answer_tells_what_it_matches(self, archived: Archive) -> None:
        """Held, possibly held because the source did not say, and gone before, each counted, with examples."""
        lacking, gone, going, young = (row.interaction_id for row in all_rows(archived)[:4])
        changes: dict[str, dict[str, Any]] = {
            lacking: {"queue_name": None, "queue_id": "other"},
            gone: {"state": State.PURGED},
            going: {"deleting_at": NOON},
            young: {"state": State.DISCOVERED},
        }
        with archived.catalog.write() as connection:
            connection.execute(update(recordings).values(queue_name="Billing", queue_id="q-1"))
            for name, values in changes.items():
                connection.execute(update(recordings).where(recordings.c.interaction_id == name).values(values))
        wanted = Criteria(queues=("BILLING",))
        made, found = create(archived, matter="m", reason="r", criteria=wanted, actor="rosa")
        assert (found.held, found.possibly_held, found.purged) == (2, 1, 2)
        assert len(found.examples) == 3
        assert found.examples[2] == PartId(lacking, lacking)
        assert effect(archived, made) == found

    def test_it_catches_what_arrives_later(self, archive: Archive, run: Run, cloud: Sandbox) -> None:
        """Recordings that are archived after the hold was made are held as if they had been there."""
        one = cloud.library[0].fields
        wanted = replace(DAY, agents=(one["agentName"].upper(),), numbers=(one["ani"].removeprefix("tel:"),))
        made = hold(archive, wanted)
        assert effect(archive, made).held == 0
        run(archive, "scheduled__later")
        same = [each.id for each in cloud.library if all(each.fields[x] == one[x] for x in ("agentName", "ani"))]
        assert sorted(effect(archive, made).examples) == sorted(PartId(each, each) for each in same)
        assert held_by(archive) == {(made.id,), ()}

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"matter": " \n"}, "matter is empty"),
            ({"reason": ""}, "reason is empty"),
            ({"matter": "x" * 201}, "longer than 200"),
            ({"reason": "a\0b"}, "no text"),
            ({"reason": "\udcff"}, "no text"),
            ({"criteria": Criteria()}, "asks for nothing"),
            ({"criteria": Criteria(interaction_ids=("a/b",))}, "'a/b' is no id"),
            ({"criteria": Criteria(interaction_ids=("../x",))}, "is no id"),
            ({"criteria": Criteria(agents=("Bo", " "))}, "agent: '' is empty"),
            ({"criteria": Criteria(queues=("x" * 201,))}, "longer than 200"),
            ({"criteria": Criteria(numbers=("1\0",))}, "no text"),
            ({"criteria": Criteria(numbers=tuple(map(str, range(MOST_VALUES + 1))))}, "make several holds"),
            ({"criteria": Criteria(start=NOON, end=NOON)}, "not after"),
            ({"criteria": Criteria(start=NOON, end=NOON - timedelta(days=1))}, "not after"),
            ({"criteria": Criteria(start=datetime(2026, 1, 1))}, "no zone"),  # noqa: DTZ001 - that is the point
        ],
    )
    def test_what_no_hold_can_be_of_is_refused(self, archive: Archive, wrong: dict[str, Any], message: str) -> None:
        """With what is wrong with it; and nothing is written."""
        given: dict[str, Any] = {"matter": "m", "reason": "r", "criteria": DAY, "actor": "rosa"}
        with pytest.raises(ConfigurationError, match=re.escape(message)):
            create(archive, **given | wrong)
        assert documents(archive) == find(archive) == told(archive, "held") == []

    def test_values_are_kept_as_given_once(self, archive: Archive) -> None:
        """Blanks around and repetitions go; the spelling stays, for people to recognise."""
        made = hold(archive, Criteria((" a ", "a"), (" Bo ", "bo"), numbers=("+49 30 1", "tel:+49301")))
        assert made.criteria == Criteria(("a",), ("Bo", "bo"), numbers=("+49 30 1", "tel:+49301"))
        terms = {(row["field"], row["value"]) for row in dump(archive.catalog, hold_terms)}
        assert terms == {("interactionIds", "a"), ("agents", "bo"), ("numbers", "49301")}

    def test_without_the_document_there_is_no_hold(self, archive: Archive) -> None:
        """Where the archive cannot take it, the catalog does not get it either."""
        archive.settings.root.rename(archive.settings.root.with_name("unmounted"))
        with pytest.raises(StoreError, match="volume mounted"):
            hold(archive)
        assert find(archive) == told(archive, "held") == []

    def test_a_crash_after_the_document_loses_no_hold(self, impatient: Archive) -> None:
        """Nobody was told of it, the message says what to do, and the rebuilding takes it up, event and all."""
        with busy(impatient), pytest.raises(TransientError, match="run; do not give it in again"):
            hold(impatient)
        (key,) = documents(impatient)
        assert find(impatient) == []
        assert [*reindex_holds(impatient.store, impatient.catalog)] == [Indexed("holds", key, IndexResult.ADDED)]
        (taken_up,) = find(impatient)
        assert taken_up == hold_without_id(taken_up)
        (event,) = told(impatient, "held")
        assert event.detail["files"] == {key: sha256(impatient.store.read(key)).hexdigest()}


def hold_without_id(like: Hold) -> Hold:
    """What `hold` makes, under the id of another."""
    return Hold(like.id, "Case 4711", "the judge said so", "rosa", NOON, DAY, None, None, None)


class TestRelease:
    """A hold ends by a second document, once."""

    def test_it_is_a_second_document(self, archived: Archive) -> None:
        """Who, when and why lie beside the hold; row and event follow, sealed; and nothing is held by it any more."""
        made, other = hold(archived), hold(archived)
        later = replace(archived, clock=lambda: NOON + timedelta(days=1))
        ended = release(later, made.id, reason=" settled ", actor="max")
        facts = {"released_at": NOON + timedelta(days=1), "released_by": "max", "release_reason": "settled"}
        assert ended == replace(made, **facts) == read(archived, made.id)
        key = f"holds/{made.id}.released.json"
        content = archived.store.read(key)
        assert json.loads(content) == {
            "formatVersion": 1,
            "archiveId": archived.id,
            "holdId": made.id,
            "releasedAt": "2026-11-24T12:00:00.123456+00:00",
            "releasedBy": "max",
            "reason": "settled",
        }
        (event,) = told(archived, "released")
        assert (event.at, event.actor) == (ended.released_at, "max")
        assert event.detail == {"hold": made.id, "files": {key: sha256(content).hexdigest()}}
        assert event.segment == newest(archived.store).segment  # type: ignore[union-attr]  # there is one
        assert held_by(archived) == {(other.id,)}

    def test_it_ends_once(self, archive: Archive) -> None:
        """A second release is refused, and says who was first."""
        made = hold(archive)
        release(archive, made.id, reason="settled", actor="max")
        with pytest.raises(ConfigurationError, match=f"{made.id} was released already, by max at 20"):
            release(archive, made.id, reason="settled again", actor="rosa")
        assert read(archive, made.id).release_reason == "settled"
        assert len(told(archive, "released")) == 1

    def test_a_reason_is_needed(self, archive: Archive) -> None:
        """Without one it goes on holding."""
        made = hold(archive)
        with pytest.raises(ConfigurationError, match="reason is empty"):
            release(archive, made.id, reason=" ", actor="max")
        assert read(archive, made.id) == made

    @pytest.mark.parametrize("unknown", ["H-20261123-000000", "", "../archive", "\0", "H-20261123-000000.released"])
    def test_an_unknown_hold_says_what_to_do(self, archive: Archive, unknown: str) -> None:
        """The list names the holds there are, and reindex brings back those of the archive."""
        with pytest.raises(ConfigurationError, match=r"hold list --all.*reindex"):
            release(archive, unknown, reason="r", actor="max")
        assert documents(archive) == []

    def test_a_crash_after_the_document_leaves_it_holding(self, impatient: Archive) -> None:
        """Until the catalog knows it holds; the next release finds the first one's document, and that one counts."""
        made = hold(impatient)
        with busy(impatient), pytest.raises(TransientError, match="reindex"):
            release(impatient, made.id, reason="settled", actor="max")
        assert find(impatient, active=True) == [made]
        with pytest.raises(ConfigurationError, match="released already, by max"):
            release(impatient, made.id, reason="again", actor="rosa")
        assert find(impatient, active=True) == []
        assert read(impatient, made.id).release_reason == "settled"
        (event,) = told(impatient, "released")
        assert event.actor == "max"


def test_holds_are_found_newest_first(archive: Archive) -> None:
    """Page by page each once, those of one moment by their ids; released ones only when they are asked for."""
    made = [hold(archive) for _ in range(3)]
    later = replace(archive, clock=lambda: NOON + timedelta(seconds=1))
    made.append(create(later, matter="m", reason="r", criteria=DAY, actor="rosa")[0])
    expected = sorted(made, key=lambda each: (each.created_at, each.id), reverse=True)
    assert find(archive) == expected
    pages, last = [], None
    while page := find(archive, limit=2, after=last):
        pages.append(page)
        last = page[-1]
    assert pages == [expected[:2], expected[2:]]
    ended = release(archive, expected[1].id, reason="r", actor="max")
    assert find(archive, active=True) == [expected[0], *expected[2:]]
    assert find(archive) == [expected[0], ended, *expected[2:]]


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
    def rebuild(settings: Settings, archive: Archive) -> tuple[Catalog, list[Indexed]]:
        """A new catalog and what went into it."""
        catalog = Catalog(f"sqlite:///{settings.root.parent / 'new.db'}")
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
        rebuilt, found = self.rebuild(settings, archive)
        (problem,) = [each for each in found if each.result is IndexResult.BAD]
        assert problem.key == key
        assert message in str(problem.problem)
        assert {row["id"] for row in dump(rebuilt, holds)} == {kept[0].id, kept[1].id}
        rebuilt.close()

    def test_a_release_that_cannot_be_read_releases_nothing(
        self, archive: Archive, settings: Settings, kept: list[Hold]
    ) -> None:
        """Damaged, or without its hold: it is named, and what there is goes on holding."""
        first, second = f"holds/{kept[1].id}.released.json", f"holds/{kept[0].id}.released.json"
        other = json.loads(archive.store.read(first)) | {"holdId": kept[0].id}
        archive.store.put(second, json.dumps(other).encode())
        (archive.settings.root / f"holds/{kept[0].id}.json").unlink()
        rewrite(archive, first, b"{}")
        rebuilt, found = self.rebuild(settings, archive)
        problems = {each.key: str(each.problem) for each in found if each.result is IndexResult.BAD}
        assert "is damaged (KeyError" in problems.pop(first)
        assert "no sound document" in problems.pop(second)
        assert not problems
        assert [row["released_at"] for row in dump(rebuilt, holds)] == [None, None]
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
        assert problems.pop(gone) == "the ledger tells of it, and it is gone: restore it from a copy"
        assert "no sound document" in problems.pop(gone.replace(".json", ".released.json"))
        assert not problems
        reopened = open_archive(settings)
        assert find(reopened) == [kept[2]]
        assert len(told(reopened, "held")) == 3
        assert len(told(reopened, "released")) == 1
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


@pytest.fixture
def command(
    configured: Settings,  # noqa: ARG001 - in the environment
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run ``recording-archive hold …`` in this process, in the zone of Berlin."""
    monkeypatch.setenv("RECORDING_ARCHIVE_TIMEZONE", "Europe/Berlin")
    return partial(run_command, capsys, "hold")


WHY = ("--matter", "Case 4711", "--reason", "the judge said so")


class TestCommands:
    """`hold create`, `hold list`, `hold release`."""

    def test_create_takes_every_criterion(self, command: Command, archived: Archive) -> None:
        """Options may be repeated; dates are whole days of the configured zone, the last one included."""
        names = ("--id", "a", "--id", "b", "--agent", "Bo", "--queue", "Q", "--number", "1", "--number", "2")
        ended = command("create", *WHY, *names, "--from", "2026-11-20", "--to", "2026-11-20", "--json")
        assert ended.code == 0
        (made,) = find(archived)
        start = datetime(2026, 11, 19, 23, tzinfo=UTC)
        assert made.criteria == Criteria(("a", "b"), ("Bo",), ("Q",), ("1", "2"), start, start + timedelta(days=1))
        assert (made.matter, made.reason, made.owner) == ("Case 4711", "the judge said so", app.user())
        assert json.loads(ended.out) == {
            "id": made.id,
            "matter": "Case 4711",
            "reason": "the judge said so",
            "owner": made.owner,
            "createdAt": made.created_at.isoformat(),
            "interactionIds": ["a", "b"],
            "agents": ["Bo"],
            "queues": ["Q"],
            "numbers": ["1", "2"],
            "from": "2026-11-19T23:00:00+00:00",
            "to": "2026-11-20T23:00:00+00:00",
            "releasedAt": None,
            "releasedBy": None,
            "releaseReason": None,
            "effect": {"held": 0, "possiblyHeld": 0, "purged": 0, "examples": []},
        }

    def test_create_says_what_it_matches(self, command: Command, archived: Archive) -> None:
        """Counts and examples stand in lines; the same in JSON."""
        ended = command("create", *WHY, "--from", "2026-11-20T00:00:00Z")
        (made,) = find(archived)
        lines = ended.out.splitlines()
        assert lines[0] == f"Hold {made.id} holds from now on"
        assert {"  held now: 6", "  possibly held: 0", "  already deleted: 0"} < set(lines)
        assert "  from: 2026-11-20 00:00:00+00:00" in lines
        first = all_rows(archived)[0].interaction_id
        assert f"{first}~{first}~0" in lines[-1]
        found = json.loads(command("create", *WHY, "--id", first, "--json").out)["effect"]
        assert found["held"] == 1
        assert found["examples"] == [{"interactionId": first, "recordingId": first, "part": 0}]

    def test_mistakes_are_told_in_one_line(self, command: Command, archive: Archive) -> None:
        """No criterion, an unreadable date, a missing matter: exit code 2 and no hold."""
        assert "asks for nothing" in command("create", *WHY).err
        assert "--from: 'yesterday' is neither" in command("create", *WHY, "--from", "yesterday").err
        assert "--to: '' is neither" in command("create", *WHY, "--to", "").err
        assert command("create", *WHY, "--id", "a/b").code == 2
        assert command("create", "--reason", "r", "--id", "a").code == 2
        assert find(archive) == []

    def test_list_shows_what_holds(self, command: Command, archive: Archive) -> None:
        """Newest first; released ones with ``--all``, and who released them."""
        old = hold(archive, Criteria(("a", "b", "c", "d"), queues=("Q",), start=NOON))
        later = replace(archive, clock=lambda: NOON + timedelta(hours=1))
        new = create(later, matter="Other", reason="r", criteria=Criteria(agents=("Bo",)), actor="rosa")[0]
        lines = command("list").out.splitlines()
        assert lines[1] == "  hold\tmatter\towner\tsince\twhat"
        assert lines[2].split("\t")[1:3] == ["Other", "rosa"]
        assert lines[3].startswith(f"  {old.id}\tCase 4711\trosa\t2026-11-23 12:00:00+00:00\t")
        assert lines[3].endswith("interaction ids a or b or c and 1 more; queues Q; from 2026-11-23 12:00:00+00:00")
        release(archive, new.id, reason="r", actor="max")
        assert [each["id"] for each in json.loads(command("list", "--json").out)] == [old.id]
        assert [each["id"] for each in json.loads(command("list", "--all", "--json").out)] == [new.id, old.id]
        assert command("list", "--all").out.splitlines()[2].endswith("\tmax")

    def test_release_ends_it_once(self, command: Command, archive: Archive) -> None:
        """The second time, and for an unknown one, exit code 2 and why."""
        made = hold(archive)
        assert command("release", made.id, "--reason", "settled") == Output(0, f"released: {made.id} (Case 4711)\n", "")
        assert read(archive, made.id).released_by == app.user()
        again = command("release", made.id, "--reason", "settled")
        assert again.code == 2
        assert "was released already" in again.err
        assert "hold list --all" in command("release", "H-1", "--reason", "r").err
        other = json.loads(command("release", hold(archive).id, "--reason", "settled", "--json").out)
        assert other["releaseReason"] == "settled"

    def test_every_option_is_documented(self) -> None:
        """docs/commands.md has a section for each of the three, with its options."""
        whole: Any = typer.main.get_command(app.app)
        text = COMMANDS.read_text()
        for name, one in whole.commands["hold"].commands.items():
            section = re.search(rf"^## `hold {name}`.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
            assert section, name
            for parameter in one.params:
                shown = parameter.opts[0] if parameter.opts[0].startswith("--") else parameter.metavar
                assert f"`{shown}" in section[0], f"{name}: {shown}"
