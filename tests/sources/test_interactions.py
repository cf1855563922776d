"""The interactions source against a real HTTP server that plays the query endpoint from scripted pages."""

from __future__ import annotations

import itertools
import json
import logging
import re
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.model import Attributes, Listing, PartId, Window
from recording_archive.sources import Probe, Source
from recording_archive.sources.client import ApiClient
from recording_archive.sources.interactions import InteractionsSource
from recording_archive.sources.interactions.query import PageProgress, filter_clauses
from recording_archive.sources.interactions.reading import read_page

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = Window(datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))
QUERY_PATH = "/api/v2/recording/interactions/query"
SHA256 = "ab" * 32

Reply = tuple[int, Any]


class QueryServer(ThreadingHTTPServer):
    """Gives a token, then whatever ``reply`` says to (path, body); keeps the bodies of the queries."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.queries: list[dict[str, Any]] = []
        self.reply: Callable[[str, dict[str, Any]], Reply] = lambda _path, _body: (404, None)

    def play(self, *pages: Any) -> None:
        """Answer the n-th query with the n-th page, and the last one for ever."""
        self.queries.clear()
        self.reply = lambda _path, _body: (200, pages[min(len(self.queries), len(pages)) - 1])


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: QueryServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer as the test says."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status: int
        if self.path.endswith("/token"):
            status, reply = 200, {"access_token": "canary-token", "token_type": "bearer", "expires_in": 3600}
        else:
            asked = json.loads(body) if body else {}
            self.server.queries.append(asked)
            status, reply = self.server.reply(self.path, asked)
        content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - named by http.server


@pytest.fixture
def server() -> Iterator[QueryServer]:
    with QueryServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def source(server: QueryServer) -> InteractionsSource:
    client = ApiClient(
        requests.Session(),
        login_base=server.base,
        api_base=server.base,
        client_id="client-1",
        client_secret="canary-secret",
        sleep=lambda _: None,
    )
    return InteractionsSource(client, organization="default", now=lambda: NOW)


def entry(name: Any = "i1", **fields: Any) -> dict[str, Any]:
    """One result; a field given as ``...`` is left out."""
    whole = {
        "id": name,
        "interactionDate": "2026-11-21T10:00:00Z",
        "mediaUrl": f"https://media.example.com/{name}?sig=canary-sig",
        "checksum": SHA256,
        **fields,
    }
    return {key: value for key, value in whole.items() if value is not ...}


def page(*names: str, token: Any = None) -> dict[str, Any]:
    """A page of sound results."""
    return {"results": [entry(name) for name in names], "nextPageToken": token}


def one(server: QueryServer, source: Source, **fields: Any) -> Listing:
    """Listing of a result with these fields."""
    server.play({"results": [entry(**fields)], "nextPageToken": None})
    (listing,) = source.discover(ids=[], window=DAY)
    return listing


def ids_of(listings: Iterator[Listing]) -> list[str]:
    """Interaction ids, in order."""
    return [listing.part_id.interaction_id for listing in listings]


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


def test_results_not_asked_for_are_left_out_with_a_warning(
    server: QueryServer, source: InteractionsSource, caplog: pytest.LogCaptureFixture
) -> None:
    """A source that ignores the filter does not widen a run."""
    server.play(page("a", "x", "y"))
    assert ids_of(source.discover(ids=["a"], window=None)) == ["a"]
    assert "Left out 2 results" in caplog.text


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


@pytest.mark.parametrize("window", [None, DAY])
def test_a_missing_date_is_undated_and_kept(
    server: QueryServer, source: InteractionsSource, window: Window | None
) -> None:
    """Null or absent: listed whatever the window is."""
    server.play({"results": [entry("a", interactionDate=None), entry("b", interactionDate=...)]})
    listed = list(source.discover(ids=["a", "b"], window=window))
    assert [(listing.interaction_date, listing.defect) for listing in listed] == [(None, None)] * 2


@pytest.mark.parametrize(
    "date", ["yesterday", "2026-11-21T10:00:00", "2026-11-21", "", 1795000000, "0001-01-01T00:00+09:00"]
)
def test_an_unreadable_date_is_undated_and_kept_as_given(
    server: QueryServer, source: InteractionsSource, caplog: pytest.LogCaptureFixture, date: Any
) -> None:
    """Without a zone it could mean two days; a warning says so and the words stay in the source's fields."""
    listing = one(server, source, interactionDate=date)
    assert (listing.interaction_date, listing.defect) == (None, None)
    assert listing.source_fields["interactionDate"] == date
    assert "'i1': interactionDate" in caplog.text


@pytest.mark.parametrize(
    ("checksum", "expected"), [(None, None), (..., None), (SHA256, SHA256), (SHA256.upper(), SHA256)]
)
def test_a_checksum_is_sha_256_in_any_case_or_none(
    server: QueryServer, source: InteractionsSource, checksum: Any, expected: str | None
) -> None:
    """Null and absent mean that none was given, which is no defect."""
    listing = one(server, source, checksum=checksum)
    assert (listing.expected_sha256, listing.defect) == (expected, None)


@pytest.mark.parametrize("checksum", ["", "ab", "g" * 64, SHA256 + "\n", "٣" * 64, 7, False, {"sha256": SHA256}])
def test_any_other_checksum_is_a_defect(server: QueryServer, source: InteractionsSource, checksum: Any) -> None:
    """Neither trusted nor taken as absent."""
    listing = one(server, source, checksum=checksum)
    assert listing.expected_sha256 is None
    assert "is not a SHA-256" in str(listing.defect)


@pytest.mark.parametrize("media_url", [..., None, "", 7, ["https://m/"], "https://m/\x00"])
def test_a_missing_media_url_is_a_defect(server: QueryServer, source: InteractionsSource, media_url: Any) -> None:
    """The interaction is listed all the same, to be reported."""
    listing = one(server, source, mediaUrl=media_url)
    assert listing.media_url is None
    assert "mediaUrl" in str(listing.defect)


@pytest.mark.parametrize("name", ["../etc/passwd", "a b", "~", "a~b", ".a", "é", "a\x00b", "\ud800", "a" * 101, "a\nb"])
def test_an_id_that_cannot_be_a_file_name_is_a_defect_by_name(
    server: QueryServer, source: InteractionsSource, name: str
) -> None:
    """Reported as failed, in a form that every database and log can hold."""
    listing = one(server, source, name=name)
    assert "id " in str(listing.defect)
    shown = str(listing.part_id) + str(listing.defect) + json.dumps(listing.source_fields, ensure_ascii=False)
    assert "\x00" not in shown.encode().decode()
    assert "\n" not in str(listing.defect)


def test_known_attributes_are_read_and_everything_is_kept(server: QueryServer, source: InteractionsSource) -> None:
    """All but the media URL goes to the source's fields, known or not."""
    known = {
        "agentId": "u1",
        "agentName": "Agent",
        "queueId": "q1",
        "queueName": "Sales",
        "ani": "tel:+1",
        "dnis": "tel:+2",
        "direction": "inbound",
        "mediaType": "voice",
        "durationMs": 61_000,
        "division": "Home",
    }
    listing = one(server, source, **known, custom={"a": [1, None, True]})
    assert listing.attributes == Attributes(
        "u1", "Agent", "q1", "Sales", "tel:+1", "tel:+2", "inbound", "voice", 61_000, "Home"
    )
    given = {"id": "i1", "interactionDate": "2026-11-21T10:00:00Z", "checksum": SHA256}
    assert listing.source_fields == {**given, **known, "custom": {"a": [1, None, True]}}
    assert listing.media_url == "https://media.example.com/i1?sig=canary-sig"


def test_attributes_of_wrong_types_are_not_read_but_kept(server: QueryServer, source: InteractionsSource) -> None:
    """A number for a name or a text for a length fails nothing."""
    wrong: dict[str, Any] = {"agentId": 7, "queueName": None, "ani": ["x"], "direction": {}}
    for duration in ("61000", 1.5, True, -1, 2**63, None):
        listing = one(server, source, **wrong, durationMs=duration)
        assert listing.attributes == Attributes()
        assert listing.defect is None
        assert listing.source_fields.items() >= {**wrong, "durationMs": duration}.items()


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("https://m.example/a?sig=canary-sig", "https://m.example/a"),
        ("https://m.example?sig=canary-sig#x", "https://m.example"),
        ("https://m.example/a#canary-token", "https://m.example/a"),
        ("https://user:canary-pw@m.example/a", "https://m.example/a"),
        ("see HTTPS://m.example/a?canary-sig now", "see HTTPS://m.example/a now"),
        ("//m.example/a?sig=canary-sig", "//m.example/a"),
        ("/media/a?sig=canary-sig", "/media/a"),
        ("Really? // yes", "Really? // yes"),
        ("a@b.example", "a@b.example"),
        ("a\x00b\ud800", "a\\x00b\\ud800"),
    ],
)
def test_no_query_of_a_url_is_kept_in_any_field(
    server: QueryServer, source: InteractionsSource, value: str, kept: str
) -> None:
    """However deep it lies; other text stays as it is, but for what no database holds."""
    listing = one(server, source, agentName=value, more={"deep": [value], value: 1})
    assert listing.source_fields["more"] == {"deep": [kept], kept: 1}
    assert listing.attributes.agent_name == kept
    assert "canary" not in repr(listing)


def test_numbers_that_json_cannot_hold_are_kept_as_text(server: QueryServer, source: InteractionsSource) -> None:
    """1e999 reads as infinity, which no sidecar may hold."""
    server.play(b'{"results": [{"id": "a", "mediaUrl": "https://m/", "big": [1e999, 1.5]}], "nextPageToken": null}')
    (listing,) = source.discover(ids=["a"], window=None)
    assert listing.source_fields["big"] == ["inf", 1.5]
    assert listing.defect is None


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        ([], "the reply"),
        ({"nextPageToken": None}, "results"),
        ({"results": None}, "results"),
        ({"results": {}}, "results"),
        ({"results": [], "nextPageToken": 7}, "nextPageToken"),
        ({"results": [entry(), "x"]}, r"results\[1\]"),
        ({"results": [entry(), entry(...)]}, r"results\[1\].id"),
        ({"results": [entry(None)]}, r"results\[0\].id"),
        ({"results": [entry(7)]}, r"results\[0\].id"),
        ({"results": [entry("")]}, r"results\[0\].id"),
    ],
)
def test_a_page_that_cannot_be_read_whole_is_an_error(
    server: QueryServer, source: InteractionsSource, reply: Any, named: str
) -> None:
    """An entry without an id could not even be reported, so the page is asked again, then fails by field."""
    server.play(reply, page("a"))
    assert ids_of(source.discover(ids=[], window=DAY)) == ["a"]
    server.play(reply)
    with pytest.raises(PermanentError, match=named) as caught:
        list(source.discover(ids=[], window=DAY))
    assert len(server.queries) == 3
    assert "canary" not in repr(caught.value)


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


def test_resolve_lists_parts_again_fifty_to_a_query_as_they_are_taken(
    server: QueryServer, source: InteractionsSource
) -> None:
    """The second chunk's URLs are asked for only when the first has been used up; parts now gone are left out."""
    parts = [PartId(f"i{n}", f"i{n}") for n in range(60)]

    def reply(_: str, body: Any) -> Reply:
        return 200, page(*(name for name in re.findall(r"'(\w+)'", body["filter"]) if name != "i7"))

    server.reply = reply
    listings = source.resolve(parts)
    first = list(itertools.islice(listings, 49))
    assert len(server.queries) == 1
    assert [listing.part_id for listing in [*first, *listings]] == [part for part in parts if part != ("i7", "i7", 0)]
    assert [query["filter"].count(",") for query in server.queries] == [49, 9]
    assert "interactionDate" not in server.queries[0]["filter"]


def test_renew_gives_a_fresh_url(server: QueryServer, source: InteractionsSource) -> None:
    """By one GET of the interaction."""
    server.reply = lambda path, _: (200, entry(path.rpartition("/")[2]))
    assert source.renew(PartId("i.1", "i.1")) == "https://media.example.com/i.1?sig=canary-sig"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((404, {}), "i1~i1~0: the source no longer has it"),
        ((200, entry(mediaUrl=None)), "interactions/i1: mediaUrl is missing"),
        ((200, entry("other")), "not the one asked for"),
        ((200, []), "no object"),
    ],
)
def test_renew_fails_for_good_when_there_is_no_url(
    server: QueryServer, source: InteractionsSource, reply: Reply, said: str
) -> None:
    """Gone, without media, or another interaction's, whose audio must never be stored under this name."""
    server.reply = lambda _path, _body: reply
    with pytest.raises(PermanentError, match=said) as caught:
        source.renew(PartId("i1", "i1"))
    assert "canary" not in repr(caught.value)


def test_an_api_without_the_query_is_a_configuration_error(source: InteractionsSource) -> None:
    """404 for the query itself means the wrong API or host."""
    with pytest.raises(ConfigurationError, match="`api`"):
        list(source.discover(ids=["a"], window=None))


def test_probe_asks_for_one_entry_of_the_last_day(server: QueryServer, source: InteractionsSource) -> None:
    """The values that `check` prints: scopes if named, entries seen, requests spent."""
    server.play(page("a", token="t1"))
    assert source.probe() == Probe(server.base, None, 1, 2)
    (query,) = server.queries
    assert query["limit"] == 1
    assert re.findall(r"'([^']*)'", query["filter"]) == ["2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"]


def test_no_listing_or_log_shows_a_media_url(
    server: QueryServer, source: InteractionsSource, caplog: pytest.LogCaptureFixture
) -> None:
    """Signed URLs and the token stay out of every representation and of the log at its most talkative."""
    caplog.set_level(logging.DEBUG)
    defects = [entry("a~"), entry("b", checksum="x"), entry("c", interactionDate="x"), entry("d")]
    server.play({"results": defects, "nextPageToken": "canary-page"}, page("e"))
    listed = list(source.discover(ids=["b", "c"], window=DAY))
    assert len(listed) == 2
    assert "canary" not in caplog.text + repr(listed)
