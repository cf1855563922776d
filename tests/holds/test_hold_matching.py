"""What a hold matches: compared with a model written straight from the rules, over any recordings and holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import hold_terms, holds, recordings
from recording_archive.holds import Criteria, Effect, Hold, Holding, Matcher, effect, holding
from recording_archive.holds.date_index import MOST_NAMED, DateSpan, Spans
from recording_archive.holds.rows import end, enter
from recording_archive.model import PartId, State
from recording_archive.phone_numbers import canonical, spellings
from recording_archive.store.base import LocalStore
from recording_archive.store.locate import staging_at
from support.runner import settings_below

START = datetime(2026, 1, 1, tzinfo=UTC)
GUID, OTHER_GUID = "4F2A9C00-0000-4000-8000-000000000001", "4f2a9c00-0000-4000-8000-000000000002"
# what means the same has the same letter
AGENTS = {
    "Änne Straße": "a",
    "ÄNNE STRASSE": "a",
    normalize("NFD", "änne straße"): "a",
    "Bo": "b",
    "b0": "c",
    GUID: "d",
    GUID.lower(): "d",
    OTHER_GUID: "e",
}
QUEUES = {"Billing": "a", "billing": "a", "Support": "b", GUID: "c", GUID.lower(): "c", OTHER_GUID: "d"}
NUMBERS = {
    "tel:+4930123": "a",
    "+4930123": "a",
    "+49 (30) 1-23": "a",
    "4930123": "a",
    "004930123": "b",
    "sip:lobby": "c",
    "tel:+1555": "d",
}
IDS = {name: name for name in ("call-1", "call-2", "CALL-1", "rec-1")}
FIELDS: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "interaction_ids": ("interactionIds", IDS, ("interaction_id", "recording_id")),
    "agents": ("agents", AGENTS, ("agent_id", "agent_name")),
    "queues": ("queues", QUEUES, ("queue_id", "queue_name")),
    "numbers": ("numbers", NUMBERS, ("ani", "dnis")),
}


def verdict(hold: Criteria, row: dict[str, Any]) -> str:
    """``held``, ``possibly`` or ``no``: the rules, field by field."""
    unsure = False
    for name, (_, same, columns) in FIELDS.items():
        wanted = {same.get(value, value) for value in getattr(hold, name)}
        by_id = name in {"agents", "queues"} and all(len(value) == len(GUID) for value in getattr(hold, name))
        has = [same.get(row[column], row[column]) if row[column] else None for column in columns[: 1 if by_id else 2]]
        if wanted and wanted.isdisjoint(has):
            if None not in has:
                return "no"
            unsure = True
    date = row["interaction_date"]
    if date is None:
        unsure = unsure or bool(hold.start or hold.end)
    elif (hold.start and date < hold.start) or (hold.end and date >= hold.end):
        return "no"
    return "possibly" if unsure else "held"


@dataclass(frozen=True)
class Scene:
    """A catalog's content: rows, and holds by id with whether each is released."""

    rows: tuple[dict[str, Any], ...]
    holds: dict[str, tuple[Criteria, bool]]

    def expected(self, row: dict[str, Any]) -> Holding:
        """Who holds a row, by the model."""
        found: dict[str, list[str]] = {"held": [], "possibly": [], "no": []}
        for hold_id, (criteria, released) in self.holds.items():
            if not released:
                found[verdict(criteria, row)].append(hold_id)
        return Holding(tuple(sorted(found["held"])), tuple(sorted(found["possibly"])))


def one_of(values: Any, lacking: Any = None) -> Any:
    return st.one_of(st.sampled_from([*values]), st.just(lacking), st.just("none of them"))


HOURS = st.integers(0, 6).map(lambda hours: START + timedelta(hours=hours))
ROWS = st.fixed_dictionaries(
    {
        "interaction_id": st.sampled_from([*IDS]),
        "recording_id": st.sampled_from([*IDS]),
        "interaction_date": st.none() | HOURS,
        "agent_id": one_of(AGENTS),
        "agent_name": one_of(AGENTS, ""),
        "queue_id": one_of(QUEUES),
        "queue_name": one_of(QUEUES),
        "ani": one_of(NUMBERS),
        "dnis": one_of(NUMBERS, ""),
        "state": st.sampled_from(State),
        "deleting_at": st.sampled_from([None, None, None, START]),
    }
)


def some(values: Any) -> Any:
    return st.lists(st.sampled_from([*values]), max_size=3, unique=True).map(tuple)


def widened(criteria: Criteria) -> Criteria:
    """The same with so many more agents and queues that their combinations are too many."""
    if not criteria.agents or not criteria.queues:
        return criteria
    more = tuple(f"nobody {number}" for number in range(40))
    return replace(criteria, agents=criteria.agents + more, queues=criteria.queues + more)


CRITERIA = (
    st.builds(Criteria, some(IDS), some(AGENTS), some(QUEUES), some(NUMBERS), st.none() | HOURS, st.none() | HOURS)
    .filter(lambda made: made != Criteria() and not (made.start and made.end and made.start >= made.end))
    .flatmap(lambda made: st.sampled_from([made, made, widened(made)]))
)
SCENES = st.builds(
    lambda rows, wanted: Scene(
        tuple(row | {"part": part, "failures": 0} for part, row in enumerate(rows)),
        {f"H-20260101-{number:06x}": each for number, each in enumerate(wanted)},
    ),
    st.lists(ROWS, min_size=1, max_size=6),
    st.lists(st.tuples(CRITERIA, st.sampled_from([False, False, False, True])), max_size=MOST_NAMED),
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive whose catalog is filled anew by each example."""
    folder = tmp_path_factory.mktemp("matching")
    settings = settings_below(folder)
    opened = Archive("x", LocalStore(folder), Catalog("sqlite://"), settings, staging_at(settings))
    yield opened
    opened.catalog.close()


def fill(catalog: Catalog, scene: Scene) -> None:
    with catalog.write() as connection:
        for table in (recordings, holds, hold_terms):
            connection.execute(delete(table))
        connection.execute(insert(recordings), list(scene.rows))
        for hold_id, (criteria, released) in scene.holds.items():
            made = make(hold_id, criteria)
            enter(connection, made, "0" * 64)
            if released:
                end(connection, replace(made, released_at=START, released_by="b", release_reason="r"), "0" * 64)


def make(hold_id: str, criteria: Criteria) -> Hold:
    return Hold(hold_id, "matter", "reason", "somebody", START, criteria, None, None, None)


def rows_of(catalog: Catalog) -> Sequence[Any]:
    with catalog.read() as connection:
        return connection.execute(select(recordings)).all()


LACKING = dict.fromkeys(("agent_id", "agent_name", "queue_id", "queue_name", "ani", "dnis", "deleting_at"))
BARE = {**LACKING, "interaction_id": "call-1", "recording_id": "call-1", "part": 0, "failures": 0}
STORED = {**BARE, "interaction_date": START, "state": State.ARCHIVED}
SLOWLY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


CALLED = {**STORED, "agent_id": "1", "agent_name": "Bo", "queue_id": "2", "queue_name": "Support"}
ONE_PAIR = (  # all of one agent and queue: the number matches, is another, may be the one that is missing
    CALLED | {"ani": "tel:+4930123", "dnis": "tel:+1555"},
    CALLED | {"part": 1, "ani": "sip:lobby", "dnis": "tel:+1555"},
    CALLED | {"part": 2, "ani": "sip:lobby"},
)


@given(SCENES)
@example(Scene(ONE_PAIR, {"H-1": (Criteria(numbers=("+49 (30) 1-23",)), False)}))
@example(Scene(ONE_PAIR[::-1], {"H-1": (Criteria(agents=("Bo",), numbers=("4930123",)), False)}))
@example(Scene((STORED,), {}))
@example(Scene((STORED,), {"H-1": (Criteria(agents=(GUID,), queues=("Billing",), numbers=("1",)), False)}))
@SLOWLY
def test_who_holds_a_recording_is_as_the_rules_say(archive: Archive, scene: Scene) -> None:
    """Any recordings against any holds, all at once, a page of them, and each alone: always as the model."""
    fill(archive.catalog, scene)
    rows = rows_of(archive.catalog)
    with archive.catalog.read() as connection:
        whole, page = Matcher(connection).of(rows), holding(connection, rows)
        alone = {part: found for row in rows for part, found in holding(connection, [row]).items()}
    for row in scene.rows:
        part = PartId(row["interaction_id"], row["recording_id"], row["part"])
        assert whole[part] == page[part] == alone[part] == scene.expected(row)
        assert bool(whole[part]) is bool(whole[part].held or whole[part].possibly)


@given(SCENES)
@SLOWLY
def test_the_effect_of_a_hold_is_as_the_rules_say(archive: Archive, scene: Scene) -> None:
    """Held, possibly held and purged are counted as the model judges each row, and the examples are such rows."""
    fill(archive.catalog, scene)
    for hold_id, (criteria, _) in scene.holds.items():
        meant = {NUMBERS[number] for number in criteria.numbers}  # it counts the spellings that were given
        asked = replace(criteria, numbers=tuple(number for number in NUMBERS if NUMBERS[number] in meant))
        found = effect(archive, make(hold_id, asked))
        assert replace(found, examples=()) == counted(scene, asked)
        judged = [verdict(asked, row) for part in found.examples for row in scene.rows if row["part"] == part.part]
        assert judged == ["held"] * found.held + ["possibly"] * found.possibly_held


def counted(scene: Scene, criteria: Criteria) -> Effect:
    """The effect of a hold, by the model."""
    held = possibly = purged = 0
    for row in scene.rows:
        judged = verdict(criteria, row)
        if row["state"] in {State.PURGED, State.ERASED} or row["deleting_at"]:
            purged += judged == "held"
        elif row["state"] in {State.ARCHIVED, State.QUARANTINED}:
            held += judged == "held"
            possibly += judged == "possibly"
    return Effect(held, possibly, purged, ())


@given(st.lists(st.tuples(st.none() | HOURS, st.none() | HOURS), max_size=40), st.none() | HOURS)
@settings(deadline=None)
def test_spans_name_who_covers_a_date(
    ends: list[tuple[datetime | None, datetime | None]], date: datetime | None
) -> None:
    """All of them while they are few; of many, ten that do; an unknown date may be covered by any that has limits."""
    spans = [
        DateSpan(str(number), *pair)
        for number, pair in enumerate(ends)
        if not all(pair) or pair[0] < pair[1]  # type: ignore[operator]  # both are there
    ]
    sure = {
        span.hold_id
        for span in spans
        if (
            not (span.start or span.end)
            if date is None
            else (span.start or date) <= date < (span.end or datetime.max.replace(tzinfo=UTC))
        )
    }
    perhaps = {span.hold_id for span in spans if span.start or span.end} if date is None else set()
    found = Spans(spans).at(date)
    for told, expected in ((found.sure, sure), (found.perhaps, perhaps)):
        assert set(told) <= expected
        assert len(told) == len(set(told)) == min(len(expected), MOST_NAMED)
    assert {each for span in spans for each in span.at(date).sure} == sure


def test_at_most_ten_holds_are_named(archive: Archive) -> None:
    """Under thirty holds of three kinds a recording has ten, and one more that does not hold it is not among them."""
    wanted = (Criteria(agents=("Bo",)), Criteria(queues=("Support",)), Criteria(start=START))
    kept = {f"H-20260101-{number:06x}": (wanted[number % 3], False) for number in range(30)}
    row = STORED | {"agent_id": "1", "agent_name": "Bo", "queue_id": "2", "queue_name": "Support"}
    fill(archive.catalog, Scene((row,), {**kept, "H-20260101-ffffff": (Criteria(agents=("Al",)), False)}))
    rows = rows_of(archive.catalog)
    with archive.catalog.read() as connection:
        told = [*Matcher(connection).of(rows).values(), *holding(connection, rows).values()]
    for each in told:
        assert len(each.held) == MOST_NAMED
        assert set(each.held) < set(kept)
        assert each.possibly == ()


def test_a_matcher_outlives_its_connection_and_sees_no_later_hold(archive: Archive) -> None:
    """It is the holds of one moment, so that a plan is of one moment; `holding` sees the next."""
    fill(archive.catalog, Scene((STORED,), {}))
    with archive.catalog.read() as connection:
        matcher = Matcher(connection)
    with archive.catalog.write() as connection:
        enter(connection, make("H-1", Criteria(start=START)), "0" * 64)
    rows = rows_of(archive.catalog)
    assert not any(matcher.of(rows).values())
    with archive.catalog.read() as connection:
        assert [*holding(connection, rows).values()] == [Holding(held=("H-1",))]
        assert holding(connection, []) == {}


def test_a_hold_of_many_ids_is_looked_up(archive: Archive) -> None:
    """Ten thousand values of each field, more than a database takes parameters, are counted and matched."""
    many = tuple(f"call-{number}" for number in range(10_000))
    numbers = tuple(f"+49{number}" for number in range(10_000))
    row = STORED | {"ani": "tel:+499999", "dnis": "1", "agent_name": "call-7", "agent_id": "1"}
    criteria = Criteria(many, many, numbers=numbers)
    fill(archive.catalog, Scene((row,), {"H-1": (criteria, False)}))
    assert effect(archive, make("H-1", criteria)) == Effect(1, 0, 0, (PartId("call-1", "call-1", 0),))
    rows = rows_of(archive.catalog)
    with archive.catalog.read() as connection:
        assert [*holding(connection, rows).values()] == [Holding(held=("H-1",))]


@given(
    st.sampled_from([*NUMBERS]) | st.text(max_size=20) | st.from_regex(r"(tel:)?\+?[0-9 ()./-]{1,20}", fullmatch=True)
)
def test_all_spellings_of_a_number_are_one(number: str) -> None:
    """Whatever a search finds for a number, a hold for it matches; and the one spelling is its own."""
    assert {canonical(spelled) for spelled in spellings(number)} == {canonical(number)}
    assert canonical(canonical(number)) == canonical(number)


@pytest.mark.parametrize("one", NUMBERS)
@pytest.mark.parametrize("other", NUMBERS)
def test_numbers_are_the_same_in_any_spelling(one: str, other: str) -> None:
    """Blanks, ``tel:`` and plus do not matter; a trunk prefix does, for nobody knows whose it is."""
    assert (canonical(one) == canonical(other)) is (NUMBERS[one] == NUMBERS[other])
