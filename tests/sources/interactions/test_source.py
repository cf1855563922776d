"""The promises of the interactions source, against a server that plays scripted pages."""

from __future__ import annotations

import itertools
import logging
import re
from typing import Any

import pytest

from recording_archive.errors import PermanentError
from recording_archive.model import PartId, Window
from recording_archive.sources import Probe
from recording_archive.sources.interactions import InteractionsSource
from support.query_server import DAY, QueryServer, Reply, entry, ids_of, page


def test_results_not_asked_for_are_left_out_with_a_warning(
    server: QueryServer, source: InteractionsSource, caplog: pytest.LogCaptureFixture
) -> None:
    """A source that ignores the filter does not widen a run."""
    server.play(page("a", "x", "y"))
    assert ids_of(source.discover(ids=["a"], window=None)) == ["a"]
    assert "Left out 2 results" in caplog.text


@pytest.mark.parametrize("window", [None, DAY])
def test_a_missing_date_is_undated_and_kept(
    server: QueryServer, source: InteractionsSource, window: Window | None
) -> None:
    """Null or absent: listed whatever the window is."""
    server.play({"results": [entry("a", interactionDate=None), entry("b", interactionDate=...)]})
    listed = list(source.discover(ids=["a", "b"], window=window))
    assert [(listing.interaction_date, listing.defect) for listing in listed] == [(None, None)] * 2


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
