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
from recording_archive.catalog.party_index import index
from recording_archive.catalog.tables import hold_terms, holds, party_values, recordings
from recording_archive.holds import Criteria, Hold, Holding
from recording_archive.holds.date_index import MOST_NAMED
from recording_archive.holds.rows import end, enter
from recording_archive.model import State
from recording_archive.parties.documents import NAMES, columns, from_json

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


# by the region of who reads them: none, and GB
NUMBERS = {
    "tel:+442079460958": "aa",
    "\u202a+44\u00a0(20)\u00a07946\u20110958\u202c": "aa",
    "sip:+442079460958@acme.example;user=phone": "aa",
    "020 7946 0958": "ba",
    "０２０７９４６０９５８": "ba",
    "00442079460958": "ca",
    "sip:lobby": "dd",
    "SIP:Lobby": "dd",
    "+14155550123": "ee",
    "(415) 555-0123": "fg",
}

REGIONS = ("", "GB")

MAY_BE_ONE = frozenset(map(frozenset, ("ab", "ac", "bc", "ef", "fg")))
"""Numbers of which one has no country, and which end alike."""


LISTED_IDS = {name: name for name in ("call-1", "call-2", "CALL-1", "rec-1")} | {GUID: "g", GUID.lower(): "g"}


IDS = LISTED_IDS | {'"call-1"': "call-1", f"\u201c{GUID}\u00a0\u201d,": "g", f"{GUID[:9]}\u200b{GUID[9:]}": "g"}


NAMED = {
    "agents": (AGENTS, "agent_id", "agent_name", "agentId", "agentName"),
    "queues": (QUEUES, "queue_id", "queue_name", "queueId", "queueName"),
}


def verdict(hold: Criteria, row: dict[str, Any]) -> str:
    """``held``, ``possibly`` or ``no``: the rules, field by field."""
    found = [_ids_match(hold, row), *(_named_match(hold, row, name) for name in NAMED), _numbers_match(hold, row)]
    date = row["interaction_date"]
    if date is None:
        found.append("possibly" if hold.start or hold.end else "held")
    elif (hold.start and date < hold.start) or (hold.end and date >= hold.end):
        found.append("no")
    return next((each for each in ("no", "possibly") if each in found), "held")


def _ids_match(hold: Criteria, row: dict[str, Any]) -> str:
    wanted = {IDS.get(value, value) for value in hold.interaction_ids}
    has = {IDS.get(row[name], row[name]) for name in ("interaction_id", "recording_id")}
    return "held" if not wanted or wanted & has else "no"


def _named_match(hold: Criteria, row: dict[str, Any], field: str) -> str:
    """Agents or queues: whoever has an id or a name has the other too, and it may be the one that is meant."""
    same, *names = NAMED[field]
    given = getattr(hold, field)
    wanted = {same.get(value, value) for value in given}
    by_id = all(value.count("-") == 4 for value in given)
    people = [(tuple(row[name] for name in names[:2]), True)]
    people += [(tuple(each.get(name) for name in names[2:]), each["certain"]) for each in row["parties"] or ()]
    known = [(tuple(text and same.get(text, text) for text in texts), sure) for texts, sure in people if any(texts)]
    complete = {person[0] for person, _ in known if all(person)}
    unsure = row["parties"] is None or not known
    for person, sure in known:
        if wanted & set(person[:1] if by_id else person):
            if sure:
                return "held"
            unsure = True
        if not person[0] or not (by_id or person[1] or person[0] in complete):
            unsure = True
    return "held" if not wanted else "possibly" if unsure else "no"


def _numbers_match(hold: Criteria, row: dict[str, Any]) -> str:
    if not hold.numbers:
        return "held"
    if row["parties"] is None:
        return "possibly"
    wanted = {_meant(number, hold.region) for number in hold.numbers}
    people = [({"ani": row["ani"], "dnis": row["dnis"], "certain": True}), *row["parties"]]
    said = [(_meant(each[name], row["region"]), each["certain"]) for each in people for name in ENDS if each.get(name)]
    if any(number in wanted for number, sure in said if sure):
        return "held"
    lacks = not all(any(each.get(name) for each in people) for name in ENDS)
    near = any(number == each or {number, each} in MAY_BE_ONE for number, _ in said for each in wanted)
    return "possibly" if lacks or near else "no"


def _meant(number: str, region: str) -> str:
    return NUMBERS[number][REGIONS.index(region)] if number in NUMBERS else number


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


ENDS = ("ani", "dnis")

PARTIES = st.fixed_dictionaries(
    {"certain": st.booleans()},
    optional={
        "agentId": st.sampled_from([*AGENTS]),
        "agentName": st.sampled_from([*AGENTS]),
        "queueId": st.sampled_from([*QUEUES]),
        "queueName": st.sampled_from([*QUEUES]),
        "ani": st.sampled_from([*NUMBERS]),
        "dnis": st.sampled_from([*NUMBERS]),
        "division": st.just("Home"),
    },
)

ROWS = st.fixed_dictionaries(
    {
        "parties": st.one_of(st.lists(PARTIES, max_size=3), st.lists(PARTIES, max_size=1), st.none()),
        "region": st.sampled_from(REGIONS),
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
    st.builds(
        Criteria,
        *(some(values) for values in (IDS, AGENTS, QUEUES, NUMBERS)),
        *(st.none() | HOURS, st.none() | HOURS),
        st.sampled_from(REGIONS),
    )
    .filter(
        lambda made: made != Criteria(region=made.region) and not (made.start and made.end and made.start >= made.end)
    )
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
        for table in (recordings, party_values, holds, hold_terms):
            connection.execute(delete(table))
        rows = [row_of(row) for row in scene.rows]
        connection.execute(insert(recordings), rows)
        index(connection, [row | dict.fromkeys({*NAMES}.difference(row)) for row in rows])
        for hold_id, (criteria, released) in scene.holds.items():
            made = made_hold(hold_id, criteria)
            enter(connection, made, "0" * 64)
            if released:
                end(connection, replace(made, released_at=START, released_by="b", release_reason="r"), "0" * 64)


def row_of(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row: its numbers as its region reads them."""
    plain = {name: value for name, value in row.items() if name != "region"}
    if row["parties"] is None:
        return plain | {"numbers": None}
    return plain | columns(row, from_json(row["parties"]), row["region"])


def made_hold(hold_id: str, criteria: Criteria) -> Hold:
    """A hold of these criteria."""
    return Hold(hold_id, "matter", "reason", "somebody", START, criteria, None, None, None)


def rows_of(catalog: Catalog) -> Sequence[Any]:
    """All recordings of a catalog."""
    with catalog.read() as connection:
        return connection.execute(select(recordings)).all()


LACKING = dict.fromkeys(("agent_id", "agent_name", "queue_id", "queue_name", "ani", "dnis", "deleting_at"))


BARE = {
    **LACKING,
    **{"interaction_id": "call-1", "recording_id": "call-1", "part": 0, "failures": 0, "parties": [], "region": ""},
}


STORED = {**BARE, "interaction_date": START, "state": State.ARCHIVED}


SLOWLY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
