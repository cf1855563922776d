"""The rules of retention, tried with every kind of recording, policy and moment."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.catalog.tables import recordings
from recording_archive.model import State
from recording_archive.retention.matching import Facts, Match
from recording_archive.retention.rules import ATTRIBUTES, Action, Kept, Policy, Rule, Verdict, decide, judge, later

AGENT, QUEUE = ("agent_id", "agent_name"), ("queue_id", "queue_name")
CAMEL = {column: name for name, column in ATTRIBUTES.items()}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Recording:
    """What the rules look at, by the names of the catalog's columns."""

    state: str = State.ARCHIVED
    interaction_date: datetime | None = NOON
    verified_ok: bool | None = True
    quarantined_at: datetime | None = None
    agent_id: str | None = "agent-1"
    agent_name: str | None = "Anna Müller"
    queue_id: str | None = "queue-1"
    queue_name: str | None = "Trading"
    contact_id: str | None = "contact-1"
    direction: str | None = "inbound"
    media_type: str | None = "call"
    division: str | None = "Home"
    parties: list[dict[str, Any]] | None = field(default_factory=list)


@dataclass(frozen=True)
class Holds:
    """The holds on a recording."""

    held: tuple[str, ...] = ()
    possibly: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.held or self.possibly)


def policy(*rules: Rule, default_days: int = 90) -> Policy:
    return Policy("version", "name", default_days, rules)


def verdict(
    row: Recording,
    *,
    as_of: datetime,
    rules: Policy | None = None,
    quarantine_days: int = 14,
    holding: Holds | None = None,
) -> Verdict:
    return judge(row, rules or policy(), as_of=as_of, quarantine_days=quarantine_days, holding=holding)


TEXTS = st.sampled_from(["a", "A", "b", "ß", "SS", "Ünder"])
MOMENTS = st.integers(-(10**8), 10**8).map(lambda seconds: NOON + timedelta(seconds=seconds))
RULES = st.builds(
    Rule,
    name=st.sampled_from(["r1", "r2", "r3"]),
    days=st.integers(1, 3000),
    maximum=st.booleans(),
    queues=st.lists(TEXTS, min_size=1, max_size=2).map(tuple),
    media_types=st.lists(TEXTS, max_size=2).map(tuple),
    attributes=st.dictionaries(st.sampled_from(sorted(ATTRIBUTES)), st.lists(TEXTS, max_size=2).map(tuple), max_size=2),
)
POLICIES = st.builds(
    Policy,
    version=st.just("v"),
    name=st.just("n"),
    default_days=st.integers(1, 3000),
    rules=st.lists(RULES, max_size=4).map(tuple),
)
PARTIES = st.fixed_dictionaries(
    {"certain": st.booleans()},
    optional=dict.fromkeys(("queueId", "queueName", "agentId", "agentName", "division", "contactId"), TEXTS),
)
ROWS = st.builds(
    Recording,
    parties=st.one_of(st.lists(PARTIES, max_size=2), st.just([]), st.none()),
    state=st.sampled_from(State),
    interaction_date=st.none() | MOMENTS,
    verified_ok=st.sampled_from([None, True, True, True, False]),
    quarantined_at=st.none() | MOMENTS,
    **{column: st.none() | TEXTS for column in ATTRIBUTES.values()},
)
HOLDS = st.builds(Holds, held=st.just(()) | st.just(("H-1",)), possibly=st.just(()) | st.just(("H-2",)))


@given(ROWS, POLICIES, MOMENTS, st.integers(0, 400), st.none() | HOLDS)
def test_nothing_goes_that_must_stay(
    row: Recording, rules: Policy, as_of: datetime, quarantine_days: int, holds: Holds | None
) -> None:
    """No action for what is held, undated, unverified, too young by a rule that may apply, or not stored; else one."""
    found = judge(row, rules, as_of=as_of, quarantine_days=quarantine_days, holding=holds)
    assert (found.action is None) is (found.kept is not None)
    stored = row.state in ("archived", "quarantined")
    days = decide(row, rules).last_days
    young = row.interaction_date is not None and row.interaction_date + timedelta(days=days) > as_of
    must_stay = not stored or row.interaction_date is None or row.verified_ok is not True or bool(holds) or young
    if must_stay:
        assert found.action is None
    elif row.state == "archived":
        assert found.action is Action.QUARANTINE
    else:
        ripe = row.quarantined_at is not None and row.quarantined_at + timedelta(days=quarantine_days) <= as_of
        assert (found.action, found.kept) == ((Action.PURGE, None) if ripe else (None, Kept.WAITING))


def people(row: Recording, names: tuple[str, ...]) -> list[tuple[tuple[str | None, ...], bool]]:
    """What each party says of one thing, such as a queue's id and name, and if it took part for certain."""
    others = [(tuple(each.get(CAMEL[name]) for name in names), each["certain"]) for each in row.parties or ()]
    main = (tuple(getattr(row, name) for name in names), True)
    return [(tuple(text and text.casefold() for text in texts), sure) for texts, sure in (main, *others) if any(texts)]


def met(row: Recording, column: str, wanted: tuple[str, ...], *, both: bool = False) -> str:
    """Whether one field of a rule is met: ``sure``, ``possible`` or ``no``; ``both``: by id or name."""
    asked = {text.casefold() for text in wanted}
    if column in ("direction", "media_type"):
        text = getattr(row, column)
        return "possible" if not text else "sure" if text.casefold() in asked else "no"
    names = next((pair for pair in (AGENT, QUEUE) if column in pair), (column,))
    looked_at = range(len(names)) if both else [names.index(column)]
    known, unsure = people(row, names), row.parties is None
    complete = {texts[0] for texts, _ in known if all(texts[place] for place in looked_at)}
    for texts, sure in known:
        if asked & {texts[place] for place in looked_at}:
            if sure:
                return "sure"
            unsure = True
        if not all(texts[place] for place in looked_at) and not (texts[0] and texts[0] in complete):
            unsure = True
    return "possible" if unsure or not known else "no"


def applies(row: Recording, rule: Rule) -> str:
    """Whether a rule matches a row: ``sure``, ``possible`` or ``no``."""
    found = [met(row, "queue_id", rule.queues, both=True)]
    found += [met(row, "media_type", rule.media_types)] if rule.media_types else []
    found += [met(row, ATTRIBUTES[name], values) for name, values in rule.attributes.items() if values]
    return next((each for each in ("no", "possible") if each in found), "sure")


@given(ROWS, POLICIES)
def test_the_longest_rule_wins_unless_one_is_a_maximum(row: Recording, rules: Policy) -> None:
    """Rules replace the default; the longest that matches, or the shortest maximum that does, says how long.

    A longer rule that may match is named, unless a maximum governs.
    """
    matching = [rule for rule in rules.rules if applies(row, rule) == "sure"]
    found = decide(row, rules)
    maxima = [rule.days for rule in matching if rule.maximum]
    days = min([max((rule.days for rule in matching), default=rules.default_days), *maxima])
    assert found.days == days
    assert (found.rule, days) in ([(rule.name, rule.days) for rule in matching] or [("default", days)])
    longer = [rule for rule in rules.rules if applies(row, rule) == "possible" and rule.days > days]
    if maxima or not longer:
        assert found.longer is None
    else:
        assert found.longer_days == max(rule.days for rule in longer)
        assert (found.longer, found.longer_days) in [(rule.name, rule.days) for rule in longer]


@given(ROWS, POLICIES, st.lists(MOMENTS, min_size=2, max_size=6), st.integers(0, 400), st.none() | HOLDS)
def test_time_alone_only_ever_brings_a_recording_nearer_to_its_end(
    row: Recording, rules: Policy, moments: list[datetime], quarantine_days: int, holds: Holds | None
) -> None:
    """What would go at one moment would go at every later one, by the same rule and with the same expiry."""
    found = [
        judge(row, rules, as_of=at, quarantine_days=quarantine_days, holding=holds)
        for at in (*sorted(moments), datetime.max.replace(tzinfo=UTC))
    ]
    for earlier, after in pairwise(found):
        assert earlier.action in (None, after.action)
        assert earlier._replace(action=None, kept=None) == after._replace(action=None, kept=None)


@given(ROWS, POLICIES)
def test_nothing_younger_than_the_shortest_days_expires(row: Recording, rules: Policy) -> None:
    """A plan may leave out of its query what is younger than that."""
    assert rules.shortest_days <= decide(row, rules).days
    assert rules.shortest_days in {rules.default_days, *(rule.days for rule in rules.rules)}


def test_a_recording_expires_to_the_moment() -> None:
    """Age counts from the interaction's date; one microsecond earlier it is too young."""
    expires = NOON + 90 * DAY
    assert verdict(Recording(), as_of=expires) == Verdict(Action.QUARANTINE, None, "default", 90, expires)
    early = verdict(Recording(), as_of=expires - timedelta(microseconds=1))
    assert early == Verdict(None, Kept.TOO_YOUNG, "default", 90, expires)


def test_it_is_purged_when_its_time_in_quarantine_is_over() -> None:
    """Until then it waits; without a time of its own it waits for ever."""
    row = Recording(state=State.QUARANTINED, quarantined_at=NOON + 100 * DAY)
    assert verdict(row, as_of=NOON + 113 * DAY).kept is Kept.WAITING
    assert verdict(row, as_of=NOON + 114 * DAY).action is Action.PURGE
    assert verdict(row, as_of=NOON + 100 * DAY, quarantine_days=0).action is Action.PURGE
    assert verdict(replace(row, quarantined_at=None), as_of=NOON + 5000 * DAY).kept is Kept.WAITING


def test_a_changed_policy_saves_what_is_in_quarantine() -> None:
    """Not expired any more means too young, however long it was there."""
    row = Recording(state=State.QUARANTINED, quarantined_at=NOON + 90 * DAY)
    longer = policy(Rule("trading", 2555, queues=("trading",)))
    assert verdict(row, as_of=NOON + 200 * DAY, rules=longer).kept is Kept.TOO_YOUNG


@pytest.mark.parametrize(
    ("row", "holds", "kept"),
    [
        (Recording(state=State.PURGED), None, Kept.NOT_STORED),
        (Recording(state=State.DISCOVERED), None, Kept.NOT_STORED),
        (Recording(interaction_date=None), Holds(held=("H",)), Kept.UNDATED),
        (Recording(interaction_date=NOON + 300 * DAY), Holds(held=("H",)), Kept.TOO_YOUNG),
        (Recording(verified_ok=False), Holds(held=("H",)), Kept.UNVERIFIED),
        (Recording(verified_ok=None), None, Kept.UNVERIFIED),
        (Recording(), Holds(held=("H",), possibly=("P",)), Kept.HELD),
        (Recording(), Holds(possibly=("P",)), Kept.POSSIBLY_HELD),
        (Recording(state=State.QUARANTINED, quarantined_at=NOON), Holds(held=("H",)), Kept.HELD),
    ],
)
def test_the_reason_to_stay(row: Recording, holds: Holds | None, kept: Kept) -> None:
    """The reason told is the first that applies; holds are told of what would go without them."""
    assert verdict(row, as_of=NOON + 200 * DAY, holding=holds).kept is kept


def test_a_maximum_beats_longer_rules_but_not_a_hold() -> None:
    """Rights of the people recorded go before wishes to keep; a court goes before both."""
    rules = policy(Rule("trading", 2555, queues=("Trading",)), Rule("cards", 30, maximum=True, directions=("INBOUND",)))
    assert decide(Recording(), rules)[:2] == ("cards", 30)
    assert decide(Recording(direction="outbound"), rules)[:2] == ("trading", 2555)
    assert verdict(Recording(), as_of=NOON + 30 * DAY, rules=rules).action is Action.QUARANTINE
    assert verdict(Recording(), as_of=NOON + 30 * DAY, rules=rules, holding=Holds(held=("H",))).kept is Kept.HELD


def test_a_longer_rule_that_may_apply_keeps_a_recording() -> None:
    """The second division is only possible, or no division is known: kept for the longer days, and no longer."""
    rules = policy(Rule("finance", 2555, divisions=("Finance",)))
    maybe = Recording(parties=[{"division": "FINANCE", "certain": False}])
    for row in (maybe, Recording(division=None), Recording(parties=None)):
        found = verdict(row, as_of=NOON + 2555 * DAY - timedelta(seconds=1), rules=rules)
        assert (found.kept, found.rule, found.longer) == (Kept.POSSIBLY_LONGER, "default", "finance")
        assert verdict(row, as_of=NOON + 90 * DAY, rules=rules, holding=Holds(("H",))).kept is Kept.POSSIBLY_LONGER
        assert verdict(row, as_of=NOON + 89 * DAY, rules=rules).kept is Kept.TOO_YOUNG
        assert verdict(row, as_of=NOON + 2555 * DAY, rules=rules).action is Action.QUARANTINE
    sure = Recording(parties=[{"division": "Finance", "certain": True}])
    assert verdict(sure, as_of=NOON + 90 * DAY, rules=rules).kept is Kept.TOO_YOUNG
    limited = policy(*rules.rules, Rule("cards", 30, maximum=True, queues=("Trading",)))
    assert verdict(maybe, as_of=NOON + 30 * DAY, rules=limited).action is Action.QUARANTINE


def test_a_rule_asks_for_any_value_of_every_field() -> None:
    """Queues match by id or name, in any spelling of `spelling.names`, whichever party they are of."""
    rule = Rule("r", 1, queues=("QUEUE-1", "other"), attributes={"agentName": ("anna MÜLLER",)})

    def found(**columns: Any) -> Match:
        return Facts(replace(Recording(), **columns)).match(rule.asked)

    assert found() is found(queue_id=None, queue_name="Other", parties=[OTHER_QUEUE]) is Match.SURE
    assert found(agent_name=" “Anna\u00a0 Mu\u0308ller”\u200b") is Match.SURE
    assert found(queue_id="x", parties=[OTHER_QUEUE]) is Match.SURE
    assert found(queue_id="x") is Match.NONE
    assert found(agent_name=None) is found(queue_id="x", queue_name=None) is Match.POSSIBLE
    assert rule.columns == {"queue_id", "queue_name", "agent_id", "agent_name", "parties"}


OTHER_QUEUE = {"queueName": "OTHER", "queueId": "y", "certain": True}


def test_a_rule_that_names_queues_by_guid_asks_for_ids_alone() -> None:
    """A source that gives no names would else have all of its recordings possibly kept longer."""
    guid = "4f2a9c00-0000-4000-8000-000000000001"
    rule = Rule("r", 1, queues=(guid.upper(),))
    assert Facts(Recording(queue_id=guid, queue_name=None)).match(rule.asked) is Match.SURE
    assert Facts(Recording(queue_id="x", queue_name=None)).match(rule.asked) is Match.NONE


def test_what_would_match_everything_is_no_rule() -> None:
    """Neither no field, nor an empty value, nor a day that never ends well."""
    for wrong in ({}, {"queues": ("",)}, {"attributes": {"agentId": ()}}):
        with pytest.raises(ValueError, match="must ask for something"):
            Rule("r", 1, **wrong)
    for days in (0, -1):
        with pytest.raises(ValueError, match="days would let"):
            Rule("r", days, queues=("q",))
        with pytest.raises(ValueError, match="days would let"):
            policy(default_days=days)


def test_time_has_an_end() -> None:
    """A date that the source made up in the year 9999 never expires, and breaks nothing."""
    last = datetime.max.replace(tzinfo=UTC)
    assert later(last - DAY, 2) == last
    assert verdict(Recording(interaction_date=last - DAY), as_of=NOON).kept is Kept.TOO_YOUNG


def test_attributes_are_columns_of_the_catalog() -> None:
    """Every name a policy may use has a column, and the recordings of these tests have it too."""
    assert set(ATTRIBUTES.values()) <= set(recordings.c.keys()) & {each.name for each in fields(Recording)}
