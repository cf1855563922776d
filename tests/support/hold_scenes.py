"""Any recordings and any holds, and a model of what matches, written straight from the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import hold_terms, holds, recordings
from recording_archive.holds import Criteria, Hold, Holding
from recording_archive.holds.date_index import MOST_NAMED
from recording_archive.holds.rows import end, enter
from recording_archive.model import State

START = datetime(2026, 1, 1, tzinfo=UTC)


GUID, OTHER_GUID = "4F2A9C00-0000-4000-8000-000000000001", "4f2a9c00-0000-4000-8000-000000000002"


# what means the same has the same letter
AGENTS = {
    "Änne Straße": "a",
    "ÄNNE STRASSE": "a",
    normalize("NFD", "änne straße"): "a",
    "Bo": "b",
    "“ＢＯ”\u200b": "b",
    "\u00a0bo\u202c": "b",
    "b0": "c",
    GUID: "d",
    GUID.lower(): "d",
    f"\u201e{GUID}\u201c": "d",
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


LISTED_IDS = {name: name for name in ("call-1", "call-2", "CALL-1", "rec-1")} | {GUID: "g", GUID.lower(): "g"}


IDS = LISTED_IDS | {'"call-1"': "call-1", f"\u201c{GUID}\u00a0\u201d,": "g", f"{GUID[:9]}\u200b{GUID[9:]}": "g"}


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
        by_id = name in {"agents", "queues"} and all(value.count("-") == 4 for value in getattr(hold, name))
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
        """The holds of a row, by the model."""
        found: dict[str, list[str]] = {"held": [], "possibly": [], "no": []}
        for hold_id, (criteria, released) in self.holds.items():
            if not released:
                found[verdict(criteria, row)].append(hold_id)
        return Holding(tuple(sorted(found["held"])), tuple(sorted(found["possibly"])))


def one_of(values: Any, lacking: Any = None) -> Any:
    """One of the values, none, or another."""
    return st.one_of(st.sampled_from([*values]), st.just(lacking), st.just("none of them"))


HOURS = st.integers(0, 6).map(lambda hours: START + timedelta(hours=hours))


ROWS = st.fixed_dictionaries(
    {
        "interaction_id": st.sampled_from([*LISTED_IDS]),
        "recording_id": st.sampled_from([*LISTED_IDS]),
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
    """A few of the values."""
    return st.lists(st.sampled_from([*values]), max_size=3, unique=True).map(tuple)


def widened(criteria: Criteria) -> Criteria:
    """Criteria with so many more agents and queues that their combinations are too many."""
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


def fill(catalog: Catalog, scene: Scene) -> None:
    """Replace the content of a catalog by the scene's."""
    with catalog.write() as connection:
        for table in (recordings, holds, hold_terms):
            connection.execute(delete(table))
        connection.execute(insert(recordings), list(scene.rows))
        for hold_id, (criteria, released) in scene.holds.items():
            made = made_hold(hold_id, criteria)
            enter(connection, made, "0" * 64)
            if released:
                end(connection, replace(made, released_at=START, released_by="b", release_reason="r"), "0" * 64)


def made_hold(hold_id: str, criteria: Criteria) -> Hold:
    """A hold of these criteria."""
    return Hold(hold_id, "matter", "reason", "somebody", START, criteria, None, None, None)


def rows_of(catalog: Catalog) -> Sequence[Any]:
    """All recordings of a catalog."""
    with catalog.read() as connection:
        return connection.execute(select(recordings)).all()


LACKING = dict.fromkeys(("agent_id", "agent_name", "queue_id", "queue_name", "ani", "dnis", "deleting_at"))


BARE = {**LACKING, "interaction_id": "call-1", "recording_id": "call-1", "part": 0, "failures": 0}


STORED = {**BARE, "interaction_date": START, "state": State.ARCHIVED}


SLOWLY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
