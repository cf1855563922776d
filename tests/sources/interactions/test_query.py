"""The filter and the paging of the interactions query, against scripted pages."""

from __future__ import annotations

import json
import re
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.model import PartId, Window
from recording_archive.sources.interactions import InteractionsSource
from recording_archive.sources.interactions.query import PageProgress, filter_clauses
from recording_archive.sources.interactions.reading import read_page
from support.query_server import DAY, QueryServer, Reply, entry, ids_of, page
from support.spellings import GUID


def test_a_query_is_exactly_what_the_contract_says(server: QueryServer, source: InteractionsSource) -> None:
    """Both clauses with AND, newest first, no page token on page one, the reply's own on the next."""
    server.play(page("a", token="t1"), page("b"))
    assert ids_of(source.discover(ids=["a", "b"], window=DAY)) == ["a", "b"]
    first, second = server.queries
    assert first == {
        "filter": "(interactionId IN ('a','b')) AND "
        "(interactionDate >= '2026-11-21T00:00:00Z' AND interactionDate <= '2026-11-22T00:00:00Z')",
        "sortBy": "interactionDate DESC",
        "limit": 50,
    }
    assert second == {**first, "pageToken": "t1"}
    assert source.name == "interactions:default"


def test_the_document_shows_what_is_sent(server: QueryServer, source: InteractionsSource) -> None:
    """The example in docs/genesys-cloud.md is the body of the first request."""
    server.play(page("a"))
    list(source.discover(ids=["a", "b"], window=DAY))
    document = Path(__file__).parents[3] / "docs" / "genesys-cloud.md"
    shown = document.read_text().partition("## The interactions API")[2].partition("```json")[2].partition("```")[0]
    assert [json.loads(shown)] == server.queries


def test_only_the_clauses_asked_for_are_sent(server: QueryServer, source: InteractionsSource) -> None:
    """Ids alone or a window alone; with neither nothing is asked."""
    server.play(page())
    list(source.discover(ids=["a"], window=None))
    list(source.discover(ids=[], window=DAY))
    assert [query["filter"].count(" AND (") for query in server.queries] == [0, 0]
    assert [query["filter"][:15] for query in server.queries] == ["(interactionId ", "(interactionDat"]
    with pytest.raises(ConfigurationError):
        source.discover(ids=[], window=None)
    assert len(server.queries) == 2


@given(st.lists(st.text(max_size=8) | st.text("'\\\" (),", max_size=8), min_size=1, max_size=5))
def test_whatever_an_id_holds_it_stays_one_quoted_value(ids: list[str]) -> None:
    """Read back by the rule of the filter language (quotes doubled inside quotes), the list is the ids."""
    clause = filter_clauses(ids, None)
    inside = clause.removeprefix("(interactionId IN (").removesuffix("))")
    assert re.fullmatch(r"'(?:[^']|'')*'(?:,'(?:[^']|'')*')*", inside, re.DOTALL)
    values = re.findall(r"'((?:[^']|'')*)'(?:,|\Z)", inside, re.DOTALL)
    assert [value.replace("''", "'") for value in values] == ids


def test_ids_are_asked_for_in_chunks_of_fifty_without_repeats(server: QueryServer, source: InteractionsSource) -> None:
    """120 ids, one of them twice, cost three queries."""
    ids = [f"i{n}" for n in range(120)]
    server.reply = lambda _, body: (200, page(*re.findall(r"'(\w+)'", body["filter"])))
    assert ids_of(source.discover(ids=[*ids, "i0"], window=None)) == ids
    assert [query["filter"].count("'") // 2 for query in server.queries] == [50, 50, 20]


def test_a_guid_that_is_not_found_is_asked_for_in_capitals(server: QueryServer, source: InteractionsSource) -> None:
    """A service may list it so; what is found, and what is no GUID, is asked for once."""
    other = GUID.replace("4", "5")
    server.play(page(other), page(GUID.upper()))
    assert ids_of(source.discover(ids=[GUID, other, "call-1"], window=None)) == [other, GUID.upper()]
    first, second = (query["filter"] for query in server.queries)
    assert first == f"(interactionId IN ('{GUID}','{other}','call-1'))"
    assert second == f"(interactionId IN ('{GUID.upper()}'))"


def test_windows_are_widened_to_seconds_and_the_reply_is_clamped(
    server: QueryServer, source: InteractionsSource
) -> None:
    """The filter never asks for less than the window; start is in it, end is not, whatever zone either is in."""
    east = timezone(timedelta(hours=2))
    window = Window(datetime(2026, 11, 21, 2, 0, 0, 500_000, east), datetime(2026, 11, 22, 2, 0, 0, 1, east))
    dates = {
        "early": "2026-11-21T00:00:00.499999Z",
        "start": "2026-11-21T00:00:00.5Z",
        "offset": "2026-11-21T18:30:00.000+0530",
        "last": "2026-11-22T00:00:00Z",
        "end": "2026-11-22T00:00:00.000001Z",
    }
    server.play({"results": [entry(name, interactionDate=date) for name, date in dates.items()]})
    listed = {listing.part_id.interaction_id: listing for listing in source.discover(ids=[], window=window)}
    assert list(listed) == ["start", "offset", "last"]
    assert listed["offset"].interaction_date == datetime(2026, 11, 21, 13, tzinfo=UTC)
    assert re.findall(r"'([^']*)'", server.queries[0]["filter"]) == ["2026-11-21T00:00:00Z", "2026-11-22T00:00:01Z"]


@pytest.mark.parametrize("last", [{"nextPageToken": None}, {"nextPageToken": ""}, {}])
def test_no_next_token_is_the_end(server: QueryServer, source: InteractionsSource, last: Any) -> None:
    """Null, empty or absent; an empty list is a result too."""
    server.play({"results": [], **last})
    assert ids_of(source.discover(ids=[], window=DAY)) == []
    assert len(server.queries) == 1


def test_repeated_and_reordered_entries_count_once(server: QueryServer, source: InteractionsSource) -> None:
    """Within a page and between pages near each other, in any order."""
    server.play(page("b", "a", "b", token="t1"), page("a", "c", "b", token="t2"), page("d", "a"))
    assert ids_of(source.discover(ids=[], window=DAY)) == ["b", "a", "c", "d"]


def test_pages_are_streamed(server: QueryServer, source: InteractionsSource) -> None:
    """The second page is asked for when the first has been taken."""
    server.play(page("a", token="t1"), page("b"))
    listings = source.discover(ids=[], window=DAY)
    assert (next(listings).part_id, len(server.queries)) == (PartId("a", "a", 0), 1)
    assert (next(listings).part_id, len(server.queries)) == (PartId("b", "b", 0), 2)


@pytest.mark.parametrize(
    ("stuck", "said"),
    [
        (page(token="t2"), "without new results"),
        (page("b", "a", token="t2"), "without new results"),
        (page("c", token="t1"), "same nextPageToken"),
    ],
)
def test_a_page_that_leads_nowhere_is_an_error_at_once(
    server: QueryServer, source: InteractionsSource, stuck: Any, said: str
) -> None:
    """Empty with a token, nothing new, the same token: not followed, and not passed over in silence."""
    server.play(page("a", "b", token="t1"), stuck, page("d"))
    listings = source.discover(ids=[], window=DAY)
    assert [next(listings).part_id[0], next(listings).part_id[0]] == ["a", "b"]
    with pytest.raises(PermanentError, match=said):
        next(listings)
    assert len(server.queries) == 2


def test_a_token_given_twice_running_is_seen_on_any_page(server: QueryServer, source: InteractionsSource) -> None:
    """Also where no page is kept for comparison."""
    server.play(*(page(f"i{n}", token=f"t{min(n, 4)}") for n in range(1, 9)))
    with pytest.raises(PermanentError, match="same nextPageToken"):
        list(source.discover(ids=[], window=DAY))
    assert len(server.queries) == 5


def test_the_last_page_may_bring_nothing_new(server: QueryServer, source: InteractionsSource) -> None:
    """Without a next token it only ends the list."""
    server.play(page("a", token="t1"), page("a"))
    assert ids_of(source.discover(ids=[], window=DAY)) == ["a"]


@pytest.mark.parametrize(("lead", "length"), [(0, 1), (0, 2), (3, 5), (0, 33), (10, 64)])
@pytest.mark.parametrize("fresh", ["tokens", "ids", "neither"])
def test_a_circle_of_pages_is_found(
    server: QueryServer, source: InteractionsSource, lead: int, length: int, fresh: str
) -> None:
    """Found within some three rounds, if the tokens repeat, or the results, or both."""

    def reply(_: str, __: Any) -> Reply:
        n = len(server.queries) - 1
        place = n if n < lead else lead + (n - lead) % length
        return 200, page(f"i{n if fresh == 'ids' else place}", token=f"t{n if fresh == 'tokens' else place}")

    server.reply = reply
    with pytest.raises(PermanentError):
        list(source.discover(ids=[], window=DAY))
    assert len(server.queries) <= 3 * (lead + length) + 3


def test_many_pages_are_no_circle_and_cost_no_memory() -> None:
    """Memory after 2,000 entries is not more than after 1,000."""
    progress, held = PageProgress(), []
    tracemalloc.start()
    for n in range(200):
        read = read_page({"results": [entry(f"i{n}-{k}") for k in range(10)], "nextPageToken": f"t{n}"})
        assert len(progress.advance(read)) == 10
        held += [tracemalloc.get_traced_memory()[0]] if n in {99, 199} else []
    tracemalloc.stop()
    assert held[1] < held[0] * 1.1


def test_an_api_without_the_query_is_a_configuration_error(source: InteractionsSource) -> None:
    """404 for the query itself means the wrong API or host."""
    with pytest.raises(ConfigurationError, match="`api`"):
        list(source.discover(ids=["a"], window=None))
