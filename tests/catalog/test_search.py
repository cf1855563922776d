"""Search: the rows a person asked for, each once, in order, from page to page, whatever the index that finds them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.party_index import index
from recording_archive.catalog.search import Filters, Position, export, listed, search
from recording_archive.catalog.tables import recordings
from recording_archive.model import Party, State
from recording_archive.parties.documents import NAMES, columns

START = datetime(2026, 1, 1, tzinfo=UTC)
AGENTS = ("Änne Weber", "anna miller", "Bo O'Hara", "Zoë")
QUEUES = ("Billing", "Support", "Support 2nd level")
NUMBERS = ("tel:+4930123", "+4930123", "4930123", "sip:lobby", "tel:+1555")


def rows() -> Iterator[dict[str, Any]]:
    """Two hundred recordings: dates shared by ten, a tenth without any, every kind of neighbour."""
    for number in range(200):
        agent, queue = AGENTS[number % 4], QUEUES[number % 3]
        numbers = {"ani": NUMBERS[number % 5], "dnis": NUMBERS[number // 5 % 5]}
        state = (State.ARCHIVED, State.ARCHIVED, State.DISCOVERED)[number % 3]
        yield {
            "interaction_id": f"call-{number // 2:03}",
            "recording_id": f"recording-{number:03}",
            "part": number % 2,
            "state": state,
            "interaction_date": None if number % 10 == 0 else START + timedelta(hours=number // 10),
            "agent_id": f"a{number % 4}",
            "agent_name": agent,
            "queue_id": f"q{number % 3}",
            "queue_name": queue,
            **numbers,
            "contact_id": "contact-9" if number % 50 == 3 else None,
            **columns(numbers, others(number), ""),
            "direction": ("inbound", "outbound")[number // 7 % 2],
            "media_type": ("call", "screen")[number // 11 % 2],
            "duration_ms": number * 1000,
            "verified_ok": (True, False, None)[number // 13 % 3],
            "failures": 0,
        }


def others(number: int) -> tuple[Party, ...]:
    """Parties beside the main ones: in each ninth recording for certain, in some of them possibly."""
    if number % 9:
        return ()
    certain = number % 2 == 0
    return (
        Party("t7", "Tömas Ryan", "q9", "Escalation", certain=certain),
        Party("a1", "anna miller", certain=True),
        Party(ani="0044 20 7946 0958", contact_id="contact-9", certain=certain),
    )


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{tmp_path_factory.mktemp('search') / 'catalog.db'}")
    with opened.write() as connection:
        connection.execute(insert(recordings), list(rows()))
        index(connection, connection.execute(select(recordings)).all())
    yield opened
    opened.close()


def names(found: Any) -> list[str]:
    return [row["recording_id"] for row in found]


def all_pages(catalog: Catalog, filters: Filters, limit: int, *, oldest: bool = False) -> list[Any]:
    found: list[Any] = []
    after: Position | None = None
    while True:
        page = search(catalog, filters, limit=limit, after=after, oldest=oldest)
        assert len(page.rows) <= limit
        found += page.rows
        assert len(found) <= 200, "pages repeat what was shown"
        if (after := page.next) is None:
            return found
        assert len(page.rows) == limit


def expected(filters: Filters, *, oldest: bool) -> list[str]:
    """The same by a plain loop over all rows."""
    found = [row for row in rows() if is_wanted(row, filters)]
    key = ("interaction_id", "recording_id", "part")
    dated = [row for row in found if row["interaction_date"]]
    undated = [row for row in found if not row["interaction_date"]]
    dated.sort(key=lambda row: (row["interaction_date"], *(row[name] for name in key)), reverse=not oldest)
    undated.sort(key=lambda row: tuple(row[name] for name in key), reverse=not oldest)
    return names(dated + undated)


def is_wanted(row: dict[str, Any], filters: Filters) -> bool:  # noqa: PLR0911 - one return for each filter
    date = row["interaction_date"]
    if filters.start and (date is None or date < filters.start):
        return False
    if filters.end and (date is None or date >= filters.end):
        return False
    for value, kind in ((filters.agent, "agent"), (filters.queue, "queue")):
        if value and not any(
            value == each[f"{kind}Id"] or value.casefold() in each[f"{kind}Name"].casefold()
            for each in everybody(row)
            if each.get(f"{kind}Id")
        ):
            return False
    if filters.ids and not {row["interaction_id"], row["recording_id"]} & set(filters.ids):
        return False
    if filters.number and not is_called(row, filters.number):
        return False
    if filters.contact and not any(each.get("contactId") == filters.contact for each in everybody(row)):
        return False
    if filters.verified and row["verified_ok"] is not {"ok": True, "failed": False, "never": None}[filters.verified]:
        return False
    seconds = row["duration_ms"] / 1000
    low, high = filters.min_seconds, filters.max_seconds
    if (low is not None and seconds < low) or (high is not None and seconds > high):
        return False
    same = {"state": filters.state, "direction": filters.direction, "media_type": filters.media_type}
    return all(value is None or row[name] == value for name, value in same.items())


def everybody(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The parties of a row, the main one among them."""
    main = {"agentId": "agent_id", "agentName": "agent_name", "queueId": "queue_id", "queueName": "queue_name"}
    return [{name: row[column] for name, column in main.items()} | {"contactId": row["contact_id"]}, *row["parties"]]


def is_called(row: dict[str, Any], number: str) -> bool:
    """Tell if somebody with a number took part: the five numbers, and the one of other parties."""
    written = {row["ani"], row["dnis"], *(each["ani"] for each in row["parties"] if "ani" in each)}
    return bool(
        {"+49 30 123": set(NUMBERS[:3]), "sip:lobby": {"sip:lobby"}}.get(number, {"0044 20 7946 0958"}) & written
    )


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, *values])


SOME_UNDATED = ("call-005", "call-010", "recording-077")
FILTERS = st.builds(
    Filters,
    ids=st.sampled_from([(), (), ("call-001", "recording-077", "nothing"), SOME_UNDATED]),
    start=maybe(START, START + timedelta(hours=5)),
    end=maybe(START + timedelta(hours=9), START),
    agent=maybe("a1", "AN", "änne", "zoë", "o'h", "none", "t7", "mas ry"),
    queue=maybe("q0", "support", "2ND", "escal", "q9"),
    number=maybe("+49 30 123", "sip:lobby", "+442079460958", "020 7946 0958"),
    contact=maybe("contact-9"),
    direction=maybe("inbound", "outbound"),
    media_type=maybe("screen"),
    min_seconds=maybe(50, 180),
    max_seconds=maybe(120, 20.5),
    state=maybe(State.ARCHIVED, State.PURGED),
    verified=maybe("ok", "failed", "never"),
)


@given(filters=FILTERS, limit=st.sampled_from([1, 7, 50, 500]), oldest=st.booleans())
@example(filters=Filters(ids=SOME_UNDATED), limit=1, oldest=False)  # pages that end among dated and undated rows
@example(filters=Filters(min_seconds=100), limit=7, oldest=True)
@example(filters=Filters(number="+49 30 123", end=START + timedelta(hours=9)), limit=7, oldest=True)
@example(filters=Filters(queue="q9", end=START + timedelta(hours=9)), limit=500, oldest=False)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_are_what_a_plain_loop_over_all_rows_finds(
    catalog: Catalog, filters: Filters, limit: int, oldest: bool
) -> None:
    """Any mix of filters, page size and order: every wanted row once, in order, nothing else."""
    limit = max(limit, 7) if filters == Filters() else limit
    assert names(all_pages(catalog, filters, limit, oldest=oldest)) == expected(filters, oldest=oldest)


def test_rows_that_arrive_meanwhile_shift_nothing(catalog: Catalog) -> None:
    """Between two pages newer recordings come in: none of the old ones is skipped or shown twice."""
    first = search(catalog, Filters(), limit=10)
    new = {**next(rows()), "interaction_id": "zz", "recording_id": "zz", "interaction_date": START + timedelta(days=99)}
    with catalog.write() as connection:
        connection.execute(insert(recordings).values(**new))
    try:
        second = search(catalog, Filters(), limit=10, after=first.next)
        assert names(first.rows + second.rows) == expected(Filters(), oldest=False)[:20]
    finally:
        with catalog.write() as connection:
            connection.execute(recordings.delete().where(recordings.c.interaction_id == "zz"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("call-007", {"call-007"}),
        ("recording-014", {"call-007"}),
        (" call-007, recording-016\n", {"call-007", "call-008"}),
        ("nobody", set()),
    ],
)
def test_one_box_takes_ids(catalog: Catalog, text: str, wanted: set[str]) -> None:
    """One id or many, of interactions or recordings, parted by anything; a row found twice is shown once."""
    found = search(catalog, Filters(text=text)).rows
    assert {row["interaction_id"] for row in found} == wanted
    assert len(names(found)) == len(set(names(found)))


def test_one_box_takes_numbers_and_names(catalog: Catalog) -> None:
    """However a number is typed, however the source wrote it; and a part of a name in any case, umlauts too."""
    by_number = search(catalog, Filters(text="+49 (30) 123"), limit=500).rows
    assert {row["ani"] for row in by_number} | {row["dnis"] for row in by_number} >= set(NUMBERS[:3])
    assert all({row["ani"], row["dnis"]} & set(NUMBERS[:3]) for row in by_number)
    by_name = search(catalog, Filters(text="ÄNNE w"), limit=500).rows
    assert {row["agent_name"] for row in by_name} == {"Änne Weber"}
    assert len(by_name) == 50


def test_export_is_the_whole_list(catalog: Catalog) -> None:
    """It crosses pages without a cap."""
    exported = [row for page in export(catalog, Filters(), oldest=True) for row in page]
    assert names(exported) == expected(Filters(), oldest=True)


def test_dates_come_in_order(catalog: Catalog) -> None:
    """Newest first; those without a date last."""
    dates = [row["interaction_date"] for row in search(catalog, Filters(), limit=500).rows]
    dated = [date for date in dates if date]
    assert all(a >= b for a, b in pairwise(dated))
    assert dates[len(dated) :] == [None] * 20


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A catalog with few calls of some and many of others, who joined most of them."""
    opened = Catalog(f"sqlite:///{tmp_path_factory.mktemp('busy') / 'catalog.db'}")

    def call(number: int) -> dict[str, Any]:
        who = "Few" if number % 20 == 0 else "Many"
        main = {"queue_name": "Sales" if number % 2 else "Care", "agent_name": f"Main {who}", "ani": f"+1202555{who}"}
        parties = [Party(f"id-{who}", who, contact_id=f"contact-{who}"), Party(ani="+442079460958")]
        name = f"call-{number * 7919 % 10007:05}"
        facts = {"interaction_id": name, "recording_id": name, "part": 0, "state": State.ARCHIVED, **main}
        numbers = {"dnis": "+442079460958" if who == "Many" else "+441000000000"}
        date = {"interaction_date": START + timedelta(minutes=number)}
        return {**dict.fromkeys(NAMES), **facts, **numbers, **date, **columns({**main, **numbers}, parties, "")}

    calls = [call(number) for number in range(6000)]
    with opened.write() as connection:
        connection.execute(insert(recordings), calls)
        index(connection, calls)
    yield opened
    opened.close()


def steps(catalog: Catalog, filters: Filters) -> int:
    """Count, in tens, the steps that SQLite takes for a page, once it was chosen how to find it."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with catalog.read() as connection:
        query = listed(connection, filters, 51)
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count, 10)
        assert len(connection.execute(query).all()) == 51
        driver.set_progress_handler(None, 0)
    return taken


@pytest.mark.parametrize(
    "asked",
    [
        {"agent": "id-{}"},
        {"agent": '"{}"'},
        {"agent": '"{}"', "end": START + timedelta(minutes=5999)},
        {"agent": "id-{}", "queue": "Care"},
        {"contact": "contact-{}"},
    ],
)
def test_a_page_of_an_agents_calls_costs_the_same_however_many_there_are(busy: Catalog, asked: dict[str, Any]) -> None:
    """The index has them in order: nobody's calls are all read and sorted for the newest fifty of them."""

    def taken(who: str) -> int:
        return steps(
            busy, Filters(**{name: str(v).format(who) if isinstance(v, str) else v for name, v in asked.items()})
        )

    assert taken("Many") < 3 * taken("Few")
