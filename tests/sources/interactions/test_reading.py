"""Entries of the interactions API, sound and broken, as the source lists them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from recording_archive.errors import PermanentError
from recording_archive.model import Attributes
from recording_archive.sources.interactions import InteractionsSource
from support.query_server import DAY, SHA256, QueryServer, entry, ids_of, one, page

BASE64 = base64.b64encode(bytes.fromhex(SHA256)).decode()


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
    ("checksum", "expected"),
    [
        *((none, None) for none in (None, ..., "", "  ")),
        *((text, SHA256) for text in (SHA256, SHA256.upper(), f"sha256:{SHA256}", BASE64)),
    ],
)
def test_a_checksum_is_sha_256_in_any_spelling_or_none(
    server: QueryServer, source: InteractionsSource, checksum: Any, expected: str | None
) -> None:
    """Null, absent and empty mean that none was given, which is no defect."""
    listing = one(server, source, checksum=checksum)
    assert (listing.expected_sha256, listing.defect) == (expected, None)


@pytest.mark.parametrize(
    "checksum", ["ab", "g" * 64, SHA256 + "\n", "٣" * 64, 7, False, {"sha256": SHA256}, "md5:" + SHA256]
)
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
    wrong: dict[str, Any] = {"agentId": 7, "queueName": None, "ani": {"x": 1}, "direction": {}}
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
