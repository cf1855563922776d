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

    @pytest.mark.parametrize("length", ["64", None])
    def test_a_206_with_every_byte_is_the_file(self, desk: Desk, length: str | None) -> None:
        """Partial content whose range is the whole file is complete, when as many bytes came."""
        head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-63/64\r\n"
        framed = head + (b"Content-Length: 64\r\n\r\n" + BODY if length else chunked(BODY).split(b"\r\n", 2)[2])
        fetched = desk.fetch(desk.host(raw(framed)))
        assert (fetched.sha256, fetched.requests) == (sha256(BODY), 1)

    @pytest.mark.parametrize("span", ["bytes 0-62/64", "bytes 1-64/65", "bytes 0-63/*", "bytes 0-64/65"])
    def test_a_206_that_lacks_a_byte_is_not(self, desk: Desk, span: str) -> None:
        """A range that is not the whole file, or not what came, proves nothing."""
        host = desk.host(reply(206, BODY, Content_Range=span), reply(200, BODY))
        assert desk.fetch(host).requests == 2

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

    @pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "aws-chunked,gzip"])
    def test_an_encoded_body_is_never_inflated(self, desk: Desk, coding: str) -> None:
        """Content-Encoding means that the bytes are not the raw ones: refused unread, bombs included."""
        host = desk.host(reply(200, b"\x1f\x8b" + bytes(50_000), Content_Encoding=coding))
        with pytest.raises(PermanentError, match="encoded"):
            desk.fetch(host)
        assert desk.last is not None
        assert (desk.last.wire_bytes, desk.left()) == (0, [])

    @pytest.mark.parametrize("checksum", [sha256(BODY), None])
    def test_the_word_aws_chunked_alone_is_no_coding(self, desk: Desk, checksum: str | None) -> None:
        """Stores keep the uploader's word for bytes that are raw, as the checksum or their beginning shows."""
        host = desk.host(reply(200, BODY, Content_Encoding="aws-chunked"))
        assert desk.fetch(host, checksum).sha256 == sha256(BODY)

    @pytest.mark.parametrize("extension", [b"", b";chunk-signature=" + b"a" * 64])
    def test_media_that_is_framed_as_aws_chunked_is_refused(self, desk: Desk, extension: bytes) -> None:
        """Bytes with the framing of an upload in them are not the recording."""
        framed = b"40" + extension + b"\r\n" + BODY + b"\r\n0\r\n\r\n"
        with pytest.raises(PermanentError, match="encoded"):
            desk.fetch(desk.host(reply(200, framed, Content_Encoding="aws-chunked")))

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

    @pytest.mark.parametrize("length", ["-1", "abc", "64, 63", "+64", "6_4"])
    def test_a_length_that_is_none_is_a_failure(self, desk: Desk, length: str) -> None:
        """A Content-Length that is not a plain number frames nothing."""
        with pytest.raises(TransientError, match="Content-Length"):
            desk.fetch(desk.host(reply(200, BODY, Content_Length=length)))

    def test_the_same_length_twice_is_one(self, desk: Desk) -> None:
        """Proxies join equal headers; the bytes still have to be as many."""
        host = desk.host(reply(200, BODY, Content_Length="64, 64"), reply(200, BODY, cut=10, Content_Length="64,64"))
        assert desk.fetch(host).sha256 == sha256(BODY)
        with pytest.raises(TransientError, match="after 10 bytes"):
            desk.fetch(host)

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
