"""A reference model of access: recordings of every kind, documents that grant and deny, and a loop that judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import yaml  # type: ignore[import-untyped]
from hypothesis import strategies as st

from recording_archive.model import State
from recording_archive.parties.values import values_of
from support.catalog_rows import AS_OF, archived_row

GUID = "4f2a9c00-0b1c-4d2e-8f3a-000000000001"
AGENTS = (("a1", "Änne Weber"), (GUID, "Bo O'Hara"), ("jane", None), (None, "Zoë"), (None, None))
QUEUES = (("q1", "Sales"), ("q2", "Human  Resources"), (None, None), ("q3", None))
DIVISIONS = ("Nord", None, "süd")
KINDS = ("call", "Screen", None)
AGES = (0, 1, 29, 30, 31, 400, None)
USERS = ("jane", "Jane", "rosa")
ROLES = ("Leads", "Auditors")
RIGHTS = ("metadata", "listen", "download", "decide")
GIVEN_WITH = {"metadata": RIGHTS, "listen": ("listen", "download"), "download": ("download",), "decide": ("decide",)}
TAKEN_WITH = {
    "metadata": ("metadata",),
    "listen": ("metadata", "listen"),
    "download": ("metadata", "listen", "download"),
    "decide": ("metadata", "decide"),
}


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Recordings with main and other parties, certain and possible, some unread, of every age, kind and state."""
    for number in range(count):
        agent, queue = AGENTS[number % 5], QUEUES[number // 2 % 4]
        age = AGES[number % 7]
        date = None if age is None else AS_OF - timedelta(days=age)
        state = (State.ARCHIVED, State.ARCHIVED, State.DISCOVERED, State.QUARANTINED)[number % 11 % 4]
        yield archived_row(
            number,
            date,
            agent_id=agent[0],
            agent_name=agent[1],
            queue_id=queue[0],
            queue_name=queue[1],
            division=DIVISIONS[number % 3],
            media_type=KINDS[number // 3 % 3],
            parties=None if number % 13 == 5 else others(number),
            state=state,
            failed_since=AS_OF - timedelta(days=1 + number) if state == State.DISCOVERED else None,
            quarantined_at=AS_OF if state == State.QUARANTINED else None,
        )


def others(number: int) -> list[dict[str, Any]]:
    """Parties beside the main ones, each third time."""
    if number % 3:
        return []
    named = {"agentId": AGENTS[number // 7 % 5][0], "agentName": AGENTS[number // 7 % 5][1]}
    named |= {"queueId": QUEUES[number // 6 % 4][0], "division": DIVISIONS[number // 9 % 3]}
    return [{name: value for name, value in named.items() if value} | {"certain": number % 2 == 0}]


def is_allowed(document: Mapping[str, Any], user: str, roles: frozenset[str] | None, right: str, row: Any) -> bool:
    """Tell by the document's own words if somebody may do something with a recording."""
    names = [each.casefold() for each in document.get("agents", {}).get(user, [user])]
    for denial in document.get("denials", []):
        meant = denial.get("everyone") or user.casefold() in map(str.casefold, denial.get("users", []))
        by_role = denial.get("roles") and (roles is None or roles & set(denial["roles"]))
        taken = set(denial["what"]) & set(TAKEN_WITH[right])
        if (meant or by_role) and taken and may_fit(denial, names, row):
            return False
    for grant in document["grants"]:
        meant = (
            grant.get("everyone") or user in grant.get("users", []) or (roles or set()) & set(grant.get("roles", []))
        )
        if meant and set(grant["what"]) & set(GIVEN_WITH[right]) and fits(grant, names, row):
            return True
    return False


def may_be_opened(document: Mapping[str, Any], user: str, roles: frozenset[str] | None, legs: list[Any]) -> bool:
    """Tell by the document's own words if somebody may break the glass of an interaction with these recordings."""
    names = [each.casefold() for each in document.get("agents", {}).get(user, [user])]
    return bool(legs) and any(all(fits(rule, names, row) for row in legs) for rule in glass_of(document, user, roles))


def glass_of(document: Mapping[str, Any], user: str, roles: frozenset[str] | None) -> list[Any]:
    """List the break-glass rules of somebody."""
    return [
        rule
        for rule in document.get("breakGlass", [])
        if rule.get("everyone") or user in rule.get("users", []) or (roles or set()) & set(rule.get("roles", []))
    ]


def fits(rule: Mapping[str, Any], names: list[str], row: Any) -> bool:
    """Tell if a rule is about a recording for certain."""
    return all(wanted & certain for wanted, certain, _, _ in _compared(rule, names, row)) and all(
        fact is True for fact in _facts(rule, row)
    )


def may_fit(rule: Mapping[str, Any], names: list[str], row: Any) -> bool:
    """Tell if a rule may be about a recording, as far as anybody knows."""
    return all(wanted & (sure | maybe) or lacks for wanted, sure, maybe, lacks in _compared(rule, names, row)) and all(
        fact is not False for fact in _facts(rule, row)
    )


def _compared(rule: Mapping[str, Any], names: list[str], row: Any) -> Iterator[tuple[set[str], Any, Any, bool]]:
    told = SimpleNamespace(**row)
    asked = [("agent_id", "agent_name", names)] if rule.get("ownCalls") else []
    asked += [(f"{kind}_id", f"{kind}_name", rule[f"{kind}s"]) for kind in ("agent", "queue") if f"{kind}s" in rule]
    for id_column, name_column, given in asked:
        wanted = {plain(each) for each in given}
        found = values_of(told, (id_column, name_column))
        lacking = values_of(told, (id_column,)) if wanted == {GUID} else found
        yield wanted, found.certain, found.possible, lacking.lacks
    if "divisions" in rule:
        found = values_of(told, ("division",))
        unknown = told.division is None or told.parties is None
        yield {plain(each) for each in rule["divisions"]}, found.certain, found.possible, unknown


def _facts(rule: Mapping[str, Any], row: Any) -> Iterator[bool | None]:
    """Yield what a rule says of kind and age: true, false, or None where the recording does not say."""
    kind, date = row["media_type"], row["interaction_date"]
    age = date and AS_OF - date
    if "mediaTypes" in rule:
        yield kind and kind.lower() in [each.lower() for each in rule["mediaTypes"]]
    if "olderThanDays" in rule:
        yield None if age is None else age >= timedelta(days=rule["olderThanDays"])
    if "youngerThanDays" in rule:
        yield None if age is None else age < timedelta(days=rule["youngerThanDays"])


def plain(text: str) -> str:
    """A name in the one spelling in which names are compared here."""
    return " ".join(text.casefold().split())


def some(*values: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


_AGE = st.sampled_from((1, 30, 365))
_WHO = st.one_of(
    st.fixed_dictionaries({"users": some(*USERS)}),
    st.fixed_dictionaries({"roles": some(*ROLES)}),
    st.just({"everyone": True}),
)
_CRITERIA = st.fixed_dictionaries(
    {},
    optional={
        "agents": some("ÄNNE weber", "bo o'hara", GUID, "zoë", "nobody"),
        "queues": some("q1", "human resources", "SALES", "q3"),
        "divisions": some("NORD", "süd"),
        "mediaTypes": some("CALL", "screen"),
        "ownCalls": st.just(True),
    },
)
_AGED = st.one_of(
    st.just({}),
    st.builds(lambda days: {"olderThanDays": days}, _AGE),
    st.builds(lambda days: {"youngerThanDays": days}, _AGE),
)
_GLASS = st.builds(lambda who, about: {**who, **about}, _WHO, _CRITERIA)
_RULES = st.builds(
    lambda who, what, about, aged: {**who, "what": what, **about, **aged},
    _WHO,
    some(*RIGHTS),
    _CRITERIA,
    _AGED,
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an access document, as its YAML has it."""
    told = {
        "name": "drawn",
        "grants": draw(st.lists(_RULES, min_size=1, max_size=3)),
        "denials": draw(st.lists(_RULES, max_size=2)),
        "breakGlass": draw(st.lists(_GLASS, max_size=2)),
        "agents": draw(st.sampled_from(({}, {"rosa": ["Zoë", "a1"]}))),
    }
    for kind in ("grants", "denials", "breakGlass"):
        told[kind] = [{"name": f"{kind} {number}", **rule} for number, rule in enumerate(told[kind])]
    return {name: value for name, value in told.items() if value}


def written(document: Mapping[str, Any]) -> bytes:
    """The bytes of a document."""
    return bytes(yaml.safe_dump(dict(document), allow_unicode=True).encode())
