"""Matching holds: compared with a model written straight from the rules, over any recordings and holds."""

from __future__ import annotations

from importlib import import_module

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from hypothesis import example, given

from recording_archive.archive import Archive
from recording_archive.catalog.tables import hold_terms, holds
from recording_archive.holds import Criteria, Effect, Holding, Matcher, effect, holding
from recording_archive.holds.date_index import MOST_NAMED
from recording_archive.holds.rows import enter, respell
from recording_archive.model import PartId
from support.hold_scenes import (
    GUID,
    SCENES,
    SLOWLY,
    START,
    STORED,
    Scene,
    fill,
    made_hold,
    rows_of,
)
from support.rebuilding import dump

CALLED = {**STORED, "agent_id": "1", "agent_name": "Bo", "queue_id": "2", "queue_name": "Support"}


ONE_PAIR = (  # all of one agent and queue: the number matches, is another, may be the one that is missing
    CALLED | {"ani": "tel:+442079460958", "dnis": "+14155550123"},
    CALLED | {"part": 1, "ani": "sip:lobby", "dnis": "+14155550123"},
    CALLED | {"part": 2, "ani": "sip:lobby"},
)


@given(SCENES)
@example(Scene(ONE_PAIR, {"H-1": (Criteria(numbers=("020 7946 0958",)), False)}))
@example(Scene(ONE_PAIR[::-1], {"H-1": (Criteria(agents=("Bo",), numbers=("020 7946 0958",), region="GB"), False)}))
@example(Scene((STORED,), {}))
@example(Scene((STORED,), {"H-1": (Criteria(agents=(GUID,), queues=("Billing",), numbers=("1",)), False)}))
@SLOWLY
def test_who_holds_a_recording_is_as_the_rules_say(refilled: Archive, scene: Scene) -> None:
    """Any recordings against any holds, all at once, a page of them, and each alone: always as the model."""
    fill(refilled.catalog, scene)
    rows = rows_of(refilled.catalog)
    with refilled.catalog.read() as connection:
        whole, page = Matcher(connection).of(rows), holding(connection, rows)
        alone = {part: found for row in rows for part, found in holding(connection, [row]).items()}
    for row in scene.rows:
        part = PartId(row["interaction_id"], row["recording_id"], row["part"])
        assert whole[part] == page[part] == alone[part] == scene.expected(row)
        assert bool(whole[part]) is bool(whole[part].held or whole[part].possibly)


def test_at_most_ten_holds_are_named(refilled: Archive) -> None:
    """Under thirty holds of three kinds a recording has ten, and one more that does not hold it is not among them."""
    wanted = (Criteria(agents=("Bo",)), Criteria(queues=("Support",)), Criteria(start=START))
    kept = {f"H-20260101-{number:06x}": (wanted[number % 3], False) for number in range(30)}
    row = STORED | {"agent_id": "1", "agent_name": "Bo", "queue_id": "2", "queue_name": "Support"}
    fill(refilled.catalog, Scene((row,), {**kept, "H-20260101-ffffff": (Criteria(agents=("Al",)), False)}))
    rows = rows_of(refilled.catalog)
    with refilled.catalog.read() as connection:
        told = [*Matcher(connection).of(rows).values(), *holding(connection, rows).values()]
    for each in told:
        assert len(each.held) == MOST_NAMED
        assert set(each.held) < set(kept)
        assert each.possibly == ()


def test_a_matcher_outlives_its_connection_and_sees_no_later_hold(refilled: Archive) -> None:
    """It is the holds of one moment, so that a plan is of one moment; `holding` sees the next."""
    fill(refilled.catalog, Scene((STORED,), {}))
    with refilled.catalog.read() as connection:
        matcher = Matcher(connection)
    with refilled.catalog.write() as connection:
        enter(connection, made_hold("H-1", Criteria(start=START)), "0" * 64)
    rows = rows_of(refilled.catalog)
    assert not any(matcher.of(rows).values())
    with refilled.catalog.read() as connection:
        assert [*holding(connection, rows).values()] == [Holding(held=("H-1",))]
        assert holding(connection, []) == {}


def test_a_hold_of_an_earlier_version_holds_before_and_after_it_is_spelled_anew(refilled: Archive) -> None:
    """The migration forgets what texts were compared by; criteria stay, and the next plan enters them again."""
    row = STORED | {"interaction_id": GUID, "agent_id": "1", "agent_name": "Anna Mu\u0308ller"}
    wanted = {"H-1": (Criteria((GUID.lower(),)), False), "H-2": (Criteria(agents=("ANNA MÜLLER",)), False)}
    fill(refilled.catalog, Scene((row,), wanted | {"H-3": (Criteria(start=START), False)}))
    rows = rows_of(refilled.catalog)
    entered = dump(refilled.catalog, holds), dump(refilled.catalog, hold_terms)
    with refilled.catalog.write() as connection:
        migration = import_module("recording_archive.catalog.migrations.versions.0005_spellings")
        with Operations.context(MigrationContext.configure(connection)):
            migration.upgrade()
        assert [*holding(connection, rows).values()] == [Holding(held=("H-1", "H-2", "H-3"))]
        assert (respell(connection), respell(connection)) == (2, 0)
    assert (dump(refilled.catalog, holds), dump(refilled.catalog, hold_terms)) == entered
    with refilled.catalog.read() as connection:
        assert [*holding(connection, rows).values()] == [Holding(held=("H-1", "H-2", "H-3"))]


def test_a_hold_of_many_ids_is_looked_up(refilled: Archive) -> None:
    """Ten thousand values of each field, more than a database takes parameters, are counted and matched."""
    many = tuple(f"call-{number}" for number in range(10_000))
    numbers = tuple(f"+49{number}" for number in range(10_000))
    row = STORED | {"ani": "tel:+499999", "dnis": "1", "agent_name": "call-7", "agent_id": "1"}
    criteria = Criteria(many, many, numbers=numbers)
    fill(refilled.catalog, Scene((row,), {"H-1": (criteria, False)}))
    assert effect(refilled, made_hold("H-1", criteria)) == Effect(1, 0, 0, (PartId("call-1", "call-1", 0),))
    rows = rows_of(refilled.catalog)
    with refilled.catalog.read() as connection:
        assert [*holding(connection, rows).values()] == [Holding(held=("H-1",))]
