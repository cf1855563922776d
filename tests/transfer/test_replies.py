"""Replies: ranges that fit, bodies that are raw, and ends that can be trusted."""

from __future__ import annotations

from typing import Any

import pytest

from recording_archive.errors import PermanentError, TransientError
from support.media_desk import BODY, Desk, chunked, offsets
from support.scripted_host import ranged, raw, reply, sha256


class TestRanges:
    """A range is appended only where it fits."""

    @pytest.mark.parametrize("etag", ['W/"e1"', "e1", '"e\x7f1"', None])
    def test_without_a_strong_etag_there_is_no_resume(self, desk: Desk, etag: str | None) -> None:
        """A weak, unquoted or missing ETag does not identify bytes: the file is fetched from byte 0."""
        host = desk.host(reply(200, BODY, cut=30, ETag=etag), reply(200, BODY, ETag=etag))
        assert desk.fetch(host).wire_bytes == 94
        assert offsets(host) == [None, None]

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content_Range": "bytes 29-62/64"},  # overlap
            {"Content_Range": "bytes 20-53/64"},
            {"Content_Range": "bytes 31-64/65"},  # gap
            {"Content_Range": "bytes 30-63/65"},  # another total
            {"Content_Range": "bytes 30-63/*"},
            {"Content_Range": "bytes 30-29/64"},
            {"Content_Range": "bytes 30-64/64"},
            {"Content_Range": "items 30-63/64"},
            {"Content_Range": "bytes 30-62/64"},  # not the length of the body
            {"Content_Range": None},
            {"Content_Range": "bytes 30-63/64", "ETag": '"e2"'},
            {"Content_Range": "bytes 30-63/64", "ETag": None},
        ],
        ids=str,
    )
    def test_a_206_that_does_not_fit_is_not_appended(self, desk: Desk, headers: dict[str, Any]) -> None:
        """Overlap, gap, another total, another or no ETag: start again from byte 0."""
        poison = reply(206, b"x" * 34, **({"ETag": '"e1"'} | headers))
        host = desk.host(ranged(BODY, cut=30), poison, ranged(BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)
        assert offsets(host) == [None, 30, None]

    @pytest.mark.parametrize("when", ["unasked", "without an etag"])
    def test_a_206_nobody_asked_for_is_no_file(self, desk: Desk, when: str) -> None:
        """Partial content as the answer to a plain request is not taken for the file, nor appended to one."""
        partial_file = reply(206, b"x" * 34, Content_Range="bytes 30-63/64")
        first = [partial_file] if when == "unasked" else [reply(200, BODY, cut=30), partial_file]
        host = desk.host(*first, reply(200, BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)
        assert desk.target.read_bytes() == BODY

    def test_a_416_with_all_bytes_here_is_the_end(self, desk: Desk) -> None:
        """A 416 confirms that the file is complete when only the last chunk mark was lost."""
        host = desk.host(raw(chunked(BODY)[:-5]), ranged(BODY))
        fetched = desk.fetch(host)
        assert (fetched.sha256, offsets(host)) == (sha256(BODY), [None, 64])

    @pytest.mark.parametrize("span", ["bytes */30", "bytes */64", "nonsense", None])
    def test_a_416_with_bytes_missing_starts_again(self, desk: Desk, span: str | None) -> None:
        """A range that the host refuses while bytes are missing leads back to byte 0."""
        host = desk.host(ranged(BODY, cut=30), reply(416, Content_Range=span), ranged(BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)
        assert offsets(host) == [None, 30, None]

    def test_a_416_does_not_make_up_a_length(self, desk: Desk) -> None:
        """A 416 with another length than ours is no end of a body without a declared length."""
        cut = raw(chunked(BODY)[: -len(b"0\r\n\r\n") - 18])
        host = desk.host(cut, reply(416, Content_Range="bytes */20"), ranged(BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)


class TestBodies:
    """A body is read only when its bytes are raw and its end is known."""

    @pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
    def test_an_encoded_body_is_never_inflated(self, desk: Desk, coding: str) -> None:
        """Content-Encoding means that the bytes are not the raw ones: refused unread, bombs included."""
        host = desk.host(reply(200, b"\x1f\x8b" + bytes(50_000), Content_Encoding=coding))
        with pytest.raises(PermanentError, match="encoded"):
            desk.fetch(host)
        assert desk.last is not None
        assert (desk.last.wire_bytes, desk.left()) == (0, [])

    def test_an_end_nobody_vouches_for_is_refused(self, desk: Desk) -> None:
        """Neither length nor chunks nor checksum: a cut could not be told from the end."""
        host = desk.host(raw(b"HTTP/1.1 200 OK\r\n\r\n" + BODY))
        with pytest.raises(PermanentError, match="end cannot be trusted"):
            desk.fetch(host)
        assert len(host.requests) == 1

    def test_a_checksum_vouches_for_the_end(self, desk: Desk) -> None:
        """A body that ends with the connection is good when the checksum says so, and a cut one is fetched again."""
        host = desk.host(*(raw(b"HTTP/1.1 200 OK\r\n\r\n" + BODY[:end]) for end in (40, 64)))
        assert desk.fetch(host, sha256(BODY)).requests == 2

    @pytest.mark.parametrize("length", ["-1", "abc", "64, 64", "+64", "6_4"])
    def test_a_length_that_is_none_is_a_failure(self, desk: Desk, length: str) -> None:
        """A Content-Length that is not a plain number frames nothing."""
        with pytest.raises(TransientError, match="Content-Length"):
            desk.fetch(desk.host(reply(200, BODY, Content_Length=length)))

    def test_two_lengths_are_a_failure(self, desk: Desk) -> None:
        """Contradicting lengths are not chosen from."""
        host = desk.host(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\nContent-Length: 63\r\n\r\n" + BODY))
        with pytest.raises(TransientError, match="Content-Length"):
            desk.fetch(host)

    def test_an_unknown_transfer_coding_is_refused(self, desk: Desk) -> None:
        """Only chunked is a framing; anything else would be archived as if it were media."""
        host = desk.host(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + BODY))
        with pytest.raises(PermanentError, match="transfer coding"):
            desk.fetch(host, sha256(BODY))
