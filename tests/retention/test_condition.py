"""A search by the policy's rules, against the judgement of each recording by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index
from recording_archive.catalog.search import Filters, search
from recording_archive.catalog.tables import recordings
from recording_archive.model import STORED
from recording_archive.retention.condition import Retained
from recording_archive.retention.rules import DEFAULT, Policy, Rule, decide, later
from support.catalog_rows import AS_OF
from support.grants import GUID, rows, some

CONTACTS = ("c1", None, GUID.upper())
ROWS = [{**row, "contact_id": CONTACTS[number % 3]} for number, row in enumerate(rows(130))]
DAYS = st.sampled_from((1, 30, 60, 365, 366))
FIELDS = st.one_of(
    st.fixed_dictionaries({"queues": some("SALES", "human resources", "q3", GUID).map(tuple)}),
    st.fixed_dictionaries({"divisions": some("NORD", "SÜD").map(tuple)}),
    st.fixed_dictionaries({"media_types": some("CALL", "screen").map(tuple)}),
    st.fixed_dictionaries({"attributes": st.fixed_dictionaries({"agentName": some("ÄNNE weber", "zoë").map(tuple)})}),
    st.fixed_dictionaries({"attributes": st.fixed_dictionaries({"agentId": some("A1", GUID).map(tuple)})}),
    st.fixed_dictionaries({"attributes": st.fixed_dictionaries({"contactId": some("c1", GUID).map(tuple)})}),
    st.just({"queues": ("Sales", "q2"), "divisions": ("nord",)}),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw rules of a few lengths, some of them maxima."""
    drawn = [(draw(FIELDS), draw(DAYS), draw(st.booleans())) for _ in range(draw(st.integers(0, 4)))]
    rules = [Rule(f"rule {number}", days, maximum, **asked) for number, (asked, days, maximum) in enumerate(drawn)]
    return Policy("version", "drawn", draw(DAYS), tuple(rules))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{tmp_path_factory.mktemp('rules') / 'catalog.db'}")
    with opened.write() as connection:
        connection.execute(insert(recordings), ROWS)
        index(connection, connection.execute(select(recordings)).all())
    yield opened
    opened.close()


def found(catalog: Catalog, policy: Policy, filters: Filters) -> list[str]:
    retained = Retained(policy, filters.rule, filters.expires_from, filters.expires_to)
    page = search(catalog, replace(filters, retained=retained), limit=200)
    return sorted(row["interaction_id"] for row in page.rows)


def governing(policy: Policy) -> Iterator[tuple[str, object, object]]:
    """Yield the name of each recording in the archive, the rule that governs it, and when its days end."""
    for row in ROWS:
        if row["state"] in STORED:
            decided, date = decide(SimpleNamespace(**row), policy), row["interaction_date"]
            yield row["interaction_id"], decided.rule, date and later(date, decided.last_days)


QUEUES_AND_MORE = Policy(
    "version", "many", 60, tuple(Rule(f"rule {days}", days, queues=(f"q{days % 4}",)) for days in range(1, 90, 9))
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(policy=policies(), first=st.integers(-400, 400), length=st.sampled_from((None, 1, 31, 400)))
@example(policy=QUEUES_AND_MORE, first=-400, length=431)
@example(policy=QUEUES_AND_MORE, first=0, length=31)
def test_a_search_finds_what_the_rules_say(*, catalog: Catalog, policy: Policy, first: int, length: int | None) -> None:
    """By each rule and by the end of the days, alone and together; with other filters as well."""
    start = AS_OF + timedelta(days=first)
    end = None if length is None else start + timedelta(days=length)
    told = list(governing(policy))

    def ends(at: object) -> bool:
        return at is not None and start <= at and (end is None or at < end)  # type: ignore[operator]

    for name in (*(rule.name for rule in policy.rules), DEFAULT):
        assert found(catalog, policy, Filters(rule=name)) == sorted(each for each, rule, _ in told if rule == name)
        both = Filters(rule=name, expires_from=start, expires_to=end)
        wanted = sorted(each for each, rule, at in told if rule == name and ends(at))
        assert found(catalog, policy, both) == wanted
    wanted = sorted(each for each, _, at in told if ends(at))
    assert found(catalog, policy, Filters(expires_from=start, expires_to=end)) == wanted
    calls = {row["interaction_id"] for row in ROWS if row["media_type"] == "call"}
    other = Filters(media_type="call", expires_from=start, expires_to=end)
    assert found(catalog, policy, other) == [each for each in wanted if each in calls]


def test_the_first_and_the_last_moment_there_are(catalog: Catalog) -> None:
    """Days before which there is no date: nothing ends before, everything after."""
    policy = Policy("version", "long", 36_500, (Rule("short", 1, queues=("q1",)),))
    dated = sorted(row["interaction_id"] for row in ROWS if row["state"] in STORED and row["interaction_date"])
    early = AS_OF.replace(year=2)
    assert found(catalog, policy, Filters(expires_from=early)) == dated
    assert found(catalog, policy, Filters(expires_to=early)) == []


def test_a_search_without_the_policy_is_refused(catalog: Catalog) -> None:
    """Whoever forgets to ask the policy gets no recordings, rather than all."""
    with pytest.raises(ValueError, match="by_policy"):
        search(catalog, Filters(rule="rule 1"))
