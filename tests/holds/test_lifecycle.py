"""Legal holds: made and released for good, told when they are in the archive, and found again."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.report import Summary
from recording_archive.catalog.tables import hold_terms, recordings
from recording_archive.errors import ConfigurationError, StoreError, TransientError
from recording_archive.holds import MOST_VALUES, Criteria, Hold, Matcher, create, effect, find, holding, read, release
from recording_archive.ledger.chain import newest
from recording_archive.model import PartId, State
from recording_archive.recovery.from_holds import reindex_holds
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.recovery.take_up import take_up
from support.catalog_rows import change
from support.contents import all_rows, events_of
from support.hold_files import DAY, NOON, hold
from support.rebuilding import dump
from support.runner import settings_below
from support.spellings import GUID, PASTED

Run = Callable[..., Summary]


def held_by(archive: Archive) -> set[tuple[str, ...]]:
    """The holds of each recording, however they are found; the two ways agree."""
    every = all_rows(archive)
    with archive.catalog.read() as connection:
        found = holding(connection, every)
        assert Matcher(connection).of(every) == found
    return {each.held for each in found.values()}


def documents(archive: Archive) -> list[str]:
    return list(archive.store.list("holds/"))


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
        (event,) = events_of(archived, "held")
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
        change(archived.catalog, queue_name="Billing", queue_id="q-1")
        for name, values in changes.items():
            change(archived.catalog, recordings.c.interaction_id == name, **values)
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
        assert documents(archive) == find(archive) == events_of(archive, "held") == []

    def test_values_are_kept_as_given_once(self, archive: Archive) -> None:
        """Blanks around and repetitions go; the spelling stays, for people to recognise."""
        made = hold(archive, Criteria((" a ", "a"), (" Bo ", "bo"), numbers=("+49 30 1", "tel:+49301")))
        assert made.criteria == Criteria(("a",), ("Bo", "bo"), numbers=("+49 30 1", "tel:+49301"))
        terms = {(row["field"], row["value"]) for row in dump(archive.catalog, hold_terms)}
        numbers = {("numbers", each) for each in ("49301", "national:49301", "country:49301")}
        assert terms == {("interactionIds", "a"), ("agents", "bo"), *numbers}

    @pytest.mark.parametrize("pasted", PASTED)
    def test_ids_are_kept_clean(self, archive: Archive, pasted: str) -> None:
        """In whichever spelling an id was pasted, the document has the one by which it is found."""
        assert hold(archive, Criteria((pasted, GUID))).criteria.interaction_ids == (GUID,)

    def test_without_the_document_there_is_no_hold(self, archive: Archive) -> None:
        """Where the archive cannot take it, the catalog does not get it either."""
        archive.settings.root.rename(archive.settings.root.with_name("unmounted"))
        with pytest.raises(StoreError, match="volume mounted"):
            hold(archive)
        assert find(archive) == events_of(archive, "held") == []

    def test_a_crash_after_the_document_loses_no_hold(self, impatient: Archive) -> None:
        """Nobody was told of it, and the message says what to do; it holds, and who takes it up answers for it."""
        with busy(impatient), pytest.raises(TransientError, match=r"take-up holds/H-.*do not give it in again"):
            hold(impatient)
        (key,) = documents(impatient)
        assert find(impatient) == []
        (found,) = reindex_holds(impatient.store, impatient.catalog)
        assert "is foreign" in str(found.problem)
        assert find(impatient) == [hold_without_id(found.key[6:-5])]
        assert events_of(impatient, "held") == []
        take_up(impatient, key, reason="ours, from the crash", actor="rosa")
        (event,) = events_of(impatient, "held")
        assert event.detail["files"] == {key: sha256(impatient.store.read(key)).hexdigest()}
        assert [*reindex_holds(impatient.store, impatient.catalog)] == [Indexed("holds", key, IndexResult.KNOWN)]


def hold_without_id(hold_id: str) -> Hold:
    """What `hold` makes, under another id."""
    return Hold(hold_id, "Case 4711", "the judge said so", "rosa", NOON, DAY, None, None, None)


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
        (event,) = events_of(archived, "released")
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
        assert len(events_of(archive, "released")) == 1

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
        """Nobody knows who laid the document there, another release too: it holds until a person takes that up."""
        made = hold(impatient)
        with busy(impatient), pytest.raises(TransientError, match="take-up"):
            release(impatient, made.id, reason="settled", actor="max")
        key = f"holds/{made.id}.released.json"
        with pytest.raises(ConfigurationError, match=f"Hold {made.id} holds; look at the file.*take-up {key}"):
            release(impatient, made.id, reason="again", actor="rosa")
        assert find(impatient, active=True) == [made]
        assert events_of(impatient, "released") == []
        take_up(impatient, key, reason="max told me", actor="rosa")
        assert find(impatient, active=True) == []
        assert read(impatient, made.id).release_reason == "settled"
        (event,) = events_of(impatient, "released")
        assert (event.actor, event.detail["reason"]) == ("rosa", "max told me")


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
