"""Transfers against a real scripted host and a real disk: what arrives, resumes and redirects."""

from __future__ import annotations

import hashlib
import socket
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recording_archive.errors import ArchiveError, FixityError, PermanentError, TransientError
from recording_archive.transfer.transfer import Mismatch, Transfer
from support.media_desk import BIG, BODY, LIMITS, NOW, Desk, chunked, head_of, offsets
from support.scripted_host import Answer, Request, ScriptedHost, endless, ranged, raw, reply, sha256

MEDIA = Path(__file__).parents[1] / "media"


class TestPlain:
    """A good host and its files."""

    def test_a_file_arrives_whole_and_verified(self, desk: Desk) -> None:
        """Bytes, hash, size, counters, format, host and its date describe what lies under the final name."""
        host = desk.host(reply(200, BODY, Content_Type="audio/wav", Date="Sat, 21 Nov 2026 11:59:00 GMT"))
        fetched = desk.fetch(host, sha256(BODY).upper())
        assert desk.target.read_bytes() == BODY
        assert desk.left() == ["17"]
        assert (fetched.sha256, fetched.size_bytes, fetched.wire_bytes, fetched.requests) == (sha256(BODY), 64, 64, 1)
        assert (fetched.format.extension, fetched.source_host) == ("wav", "127.0.0.1")
        assert (fetched.source_date, fetched.fetched_at) == (datetime(2026, 11, 21, 11, 59, tzinfo=UTC), NOW)

    def test_the_request_holds_no_credential(self, desk: Desk) -> None:
        """Raw bytes are asked for, without authorization and without cookies, even after one was set."""
        host = desk.host(reply(200, BODY, Set_Cookie="a=b"))
        for _ in range(2):
            desk.fetch(host)
        for request in host.requests:
            assert request.headers["accept-encoding"] == "identity"
            assert request.headers["user-agent"].startswith("recording-archive")
            assert not {"authorization", "cookie", "range", "proxy-authorization"} & set(request.headers)

    def test_chunked_bodies_are_read_to_their_last_chunk(self, desk: Desk) -> None:
        """Chunking is an end that can be trusted, with no checksum given."""
        host = desk.host(raw(chunked(BODY)))
        assert desk.fetch(host).sha256 == sha256(BODY)

    @pytest.mark.parametrize(
        "date", ["Sat, 21 Nov 99999999999 11:59:00 GMT", "Fri, 31 Dec 9999 23:59:59 -0900", "Sat, 99 Nov 2026", "soon"]
    )
    def test_a_date_that_no_calendar_has_costs_nothing(self, desk: Desk, date: str) -> None:
        """Good bytes are good whatever clock the host has."""
        fetched = desk.fetch(desk.host(reply(200, BODY, Date=date)))
        assert (fetched.sha256, fetched.source_date) == (sha256(BODY), None)


class TestResume:
    """Cuts, and the requests after them."""

    @pytest.mark.parametrize("cut", range(len(BODY) + 1))
    def test_a_cut_at_any_byte_fetches_only_the_rest(self, either: Desk, cut: int) -> None:
        """After a cut the request names exactly the missing range and the ETag, and nothing arrives twice."""
        host = either.host(ranged(BODY, cut=cut), ranged(BODY))
        fetched = either.fetch(host)
        assert either.media() == BODY
        assert (fetched.sha256, fetched.wire_bytes) == (sha256(BODY), 64)
        assert offsets(host) == ([None] if cut == 64 else [None, cut or None])
        assert all(request.headers["if-range"] == '"e1"' for request in host.requests if request.offset)

    @pytest.mark.parametrize("cut", range(1, 59))
    def test_a_head_that_breaks_off_decides_nothing(self, either: Desk, cut: int) -> None:
        """Half a redirect is not followed, and half a header is not believed."""
        head = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
        assert len(head) > cut
        host = either.host(raw(head[:cut]), reply(200, BODY))
        assert either.fetch(host).sha256 == sha256(BODY)
        assert host.requests[1].path == "/m?sig=SECRET-0"

    @pytest.mark.parametrize("cut", range(len(chunked(BODY))))
    def test_a_cut_anywhere_on_the_wire_is_survived(self, either: Desk, cut: int) -> None:
        """Wherever head or chunked framing break off, the file ends up whole."""
        host = either.host(raw(chunked(BODY)[:cut]), ranged(BODY))
        assert either.fetch(host).sha256 == sha256(BODY)
        assert either.media() == BODY

    def test_resets_and_timeouts_are_resumed(self, either: Desk) -> None:
        """A reset and a silence inside the body cost what was missing, no more."""
        host = either.host(_reset_after(20), _silent_after(40), ranged(BODY))
        fetched = either.fetch(host, limits=replace(LIMITS, read_timeout_s=0.2))
        assert (fetched.sha256, offsets(host)[-1], fetched.wire_bytes) == (sha256(BODY), 40, 64)

    def test_bytes_that_came_with_the_head_are_kept(self, either: Desk) -> None:
        """Bytes that arrived in one packet with the headers are not lost to the silence that follows."""
        host = either.host(raw(head_of(BIG) + BIG[:20], hang=True), ranged(BIG))
        either.fetch(host, limits=replace(LIMITS, read_timeout_s=0.2))
        assert offsets(host) == [None, 20]

    def test_a_200_to_a_range_request_starts_again(self, either: Desk) -> None:
        """A host that ignores the range sends the whole file, which replaces what was there."""
        host = either.host(ranged(BODY, cut=30), reply(200, BODY, ETag='"e1"'))
        fetched = either.fetch(host)
        assert (fetched.sha256, fetched.requests, either.media()) == (sha256(BODY), 2, BODY)

    def test_a_changed_file_is_fetched_from_the_start(self, either: Desk) -> None:
        """No byte of the old file remains when the ETag changed between two requests."""
        other = BODY[::-1]
        host = either.host(ranged(BODY, cut=30), ranged(other, etag='"e2"'))
        assert either.fetch(host).sha256 == sha256(other)

    def test_a_shorter_range_than_asked_for_is_continued(self, either: Desk) -> None:
        """A host may send less than the rest; the next request asks for what is still missing."""
        piece = reply(206, BODY[30:40], ETag='"e1"', Content_Range="bytes 30-39/64")
        host = either.host(ranged(BODY, cut=30), piece, ranged(BODY))
        assert either.fetch(host).wire_bytes == 64
        assert offsets(host) == [None, 30, 40]


def _reset_after(count: int) -> Answer:
    """Send ``count`` bytes of BODY, let them be read, then reset the connection."""

    def answer(host: ScriptedHost, request: Request, sock: socket.socket) -> bool:
        ranged(BODY, cut=count)(host, request, sock)
        time.sleep(0.1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        return False

    return answer


def _silent_after(count: int) -> Answer:
    def answer(host: ScriptedHost, request: Request, sock: socket.socket) -> bool:
        ranged(BODY, cut=count - (request.offset or 0))(host, request, sock)
        host.leaving.wait(2)
        return False

    return answer


class TestUrls:
    """Fresh URLs and redirects."""

    def test_a_url_that_expires_on_the_way_resumes(self, desk: Desk) -> None:
        """A renewed URL goes on at the offset that was reached."""
        host = desk.host(ranged(BODY, cut=30), reply(403), ranged(BODY))
        assert desk.fetch(host).wire_bytes == 64
        assert offsets(host) == [None, 30, 30]

    def test_an_empty_url_is_renewed_first(self, desk: Desk) -> None:
        """A listing without URL asks the source before the first request."""
        host = desk.host(reply(200, BODY))
        Transfer(desk.client(host), desk.order(host, url="")).run()
        assert len(desk.renewals) == len(host.requests) == 1

    def test_what_the_source_refuses_is_passed_on(self, desk: Desk) -> None:
        """The error of the renewal itself reaches the caller."""
        host = desk.host(reply(403))

        def refuse() -> str:
            raise PermanentError("gone")

        with pytest.raises(PermanentError, match="gone"):
            Transfer(desk.client(host), desk.order(host, renew=refuse)).run()

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_keep_range_and_connection(self, desk: Desk, status: int) -> None:
        """A redirect is followed with the Range headers, from the original URL each time, on kept connections."""
        media = desk.host(ranged(BODY, cut=30), ranged(BODY))
        front = desk.host(reply(status, b"moved", Location=f"{media.base}/real?sig=SECRET"))
        fetched = Transfer(desk.client(front, media), desk.order(front)).run()
        assert (fetched.sha256, fetched.requests) == (sha256(BODY), 4)
        assert (offsets(front), offsets(media)) == ([None, 30], [None, 30])
        assert front.connections == 1

    def test_a_relative_redirect_stays_on_its_host(self, desk: Desk) -> None:
        """A Location without host is resolved against the URL it answers."""
        host = desk.host(reply(302, Location="/other"), reply(200, BODY))
        desk.fetch(host)
        assert host.requests[1].path == "/other"

    @pytest.mark.parametrize(
        ("location", "path"),
        [
            ("/Grüße 1?n=ü".encode(), "/Gr%C3%BC%C3%9Fe%201?n=%C3%BC"),
            ("/Grüße".encode("latin-1"), "/Gr%FC%DFe"),
            (b"/a%20b%C3%BC", "/a%20b%C3%BC"),
        ],
    )
    def test_a_redirect_is_followed_in_any_spelling(self, desk: Desk, location: bytes, path: str) -> None:
        """Bytes that a URL should not have are sent percent-encoded."""
        moved = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
        host = desk.host(raw(moved), reply(200, BODY))
        desk.fetch(host)
        assert host.requests[1].path == path

    def test_a_url_is_asked_for_in_any_spelling(self, desk: Desk) -> None:
        """A media URL with letters and blanks leads to its file."""
        host = desk.host(reply(200, BODY))
        Transfer(desk.client(host), desk.order(host, url=f"{host.base}/ü 1")).run()
        assert host.requests[0].path == "/%C3%BC%201"

    @pytest.mark.parametrize("location", [None, "", "http://[::1/"])
    def test_a_redirect_to_nowhere_says_which_recording(self, desk: Desk, location: str | None) -> None:
        """The error names part, host and status."""
        with pytest.raises(PermanentError, match=r"i~r~0: 127\.0\.0\.1 redirects \(301\)"):
            desk.fetch(desk.host(reply(301, Location=location)))

    def test_what_the_guard_refuses_says_which_recording(self, desk: Desk) -> None:
        """A media URL that is none is told with the part it was given for."""
        host = desk.host(reply(200, BODY))
        with pytest.raises(PermanentError, match="i~r~0: The media URL is malformed"):
            Transfer(desk.client(host), desk.order(host, url="nonsense")).run()

    @pytest.mark.parametrize(
        "location",
        [
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:1/",
            "http://2130706433/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::1/",
            "file:///etc/passwd",
            "https://evil.example/",
            "//evil.example/x",
            "http://user@127.0.0.1/",
            "",
        ],
    )
    def test_a_redirect_elsewhere_is_refused(self, desk: Desk, location: str) -> None:
        """Each hop passes the guard: a host outside the list is not contacted."""
        host = desk.host(reply(302, Location=location))
        with pytest.raises(PermanentError):
            desk.fetch(host)
        assert (len(host.requests), desk.left()) == (1, [])

    def test_a_redirect_loop_ends(self, desk: Desk) -> None:
        """Three redirects are followed, the fourth is refused."""
        host = desk.host(reply(302, Location="/again"))
        with pytest.raises(PermanentError, match="redirects"):
            desk.fetch(host)
        assert len(host.requests) == 4


class TestContent:
    """Bodies that are not the recording."""

    def test_a_wrong_checksum_is_fetched_again(self, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
        """The next fetch goes from byte 0 and may be right; each wrong one is told with both hashes."""
        wrong = BODY[::-1]
        host = desk.host(*[ranged(wrong)] * 3, ranged(BODY))
        assert desk.fetch(host, sha256(BODY)).wire_bytes == 4 * 64
        assert (offsets(host), desk.slept) == ([None] * 4, [1.0, 2.0, 4.0])
        assert desk.last is not None
        assert desk.last.mismatches == [Mismatch(sha256(BODY), sha256(wrong))] * 3
        assert caplog.text.count(f"{sha256(wrong)}, expected {sha256(BODY)}") == 3

    def test_a_wrong_checksum_has_its_own_attempts(self, desk: Desk) -> None:
        """Cuts in between are progress, and do not let a wrong file be fetched for ever."""
        host = desk.host(*[ranged(BODY[::-1], cut=40), ranged(BODY[::-1])] * 9)
        with pytest.raises(FixityError):
            desk.fetch(host, "0" * 64)
        assert len(host.requests) == 8

    def test_a_checksum_that_stays_wrong_is_final(self, desk: Desk) -> None:
        """The error holds what was expected and found, and no bytes stay."""
        host = desk.host(ranged(BODY))
        with pytest.raises(FixityError) as failed:
            desk.fetch(host, "0" * 64)
        error = failed.value
        assert (error.what, error.expected, error.found) == ("i~r~0", "0" * 64, sha256(BODY))
        assert (len(host.requests), desk.left()) == (4, [])

    @pytest.mark.parametrize(
        "head", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
    )
    def test_an_endless_body_is_capped(self, desk: Desk, head: bytes) -> None:
        """A body without end stops at the configured size, with the setting's name, and leaves nothing."""
        host = desk.host(endless(head, b"4000\r\n" + bytes(0x4000) + b"\r\n"))
        with pytest.raises(PermanentError, match="MAX_MEDIA_BYTES"):
            desk.fetch(host, "0" * 64, limits=replace(LIMITS, max_media_bytes=300_000))
        assert desk.last is not None
        assert (desk.last.wire_bytes <= 300_001, desk.left()) == (True, [])

    def test_an_announced_giant_is_refused_unread(self, desk: Desk) -> None:
        """A Content-Length over the cap is refused before the first byte."""
        host = desk.host(reply(200, BODY, Content_Length="999999999999"))
        with pytest.raises(PermanentError, match="MAX_MEDIA_BYTES"):
            desk.fetch(host, limits=replace(LIMITS, max_media_bytes=10**9))

    @pytest.mark.parametrize(
        "page", [b"<!DOCTYPE html><p>SECRET</p>", b"<?xml version='1.0'?><E/>", b'{"a": "SECRET"}']
    )
    def test_an_error_page_under_200_is_a_failure(self, desk: Desk, page: bytes) -> None:
        """A page is tried again, for it may pass, then refused without a word of it."""
        host = desk.host(reply(200, page))
        for checksum in (None, sha256(BODY)):
            host.requests.clear()
            with pytest.raises(PermanentError, match="error page") as failed:
                desk.fetch(host, checksum)
            assert "SECRET" not in str(failed.value)
            assert (len(host.requests), desk.left()) == (3, [])

    @pytest.mark.parametrize(
        ("page", "declared", "extension"),
        [
            (b'{"messages": [{"from": "agent"}]}', "application/json", "json"),
            (b"<!DOCTYPE html><p>Dear all", "text/html; charset=utf-8", "html"),
            (b"From: a@example.com\r\nSubject: x\r\n\r\nDear all", "message/rfc822", "eml"),
        ],
    )
    @pytest.mark.parametrize("proof", ["checksum", "declaration"])
    def test_chats_and_emails_are_recordings(
        self, desk: Desk, page: bytes, declared: str, extension: str, proof: str
    ) -> None:
        """The right checksum, or the source's word, makes a page the recording, named by what it is."""
        host = desk.host(reply(200, page, Content_Type="binary/octet-stream"))
        checksum, word = (sha256(page), None) if proof == "checksum" else (None, declared)
        fetched = Transfer(desk.client(host), desk.order(host, checksum, declared=word)).run()
        assert (fetched.sha256, fetched.format.extension) == (sha256(page), extension)

    @pytest.mark.parametrize("page", [b'{"code": "not.found", "message": "SECRET"}', b"<Error><Code>SECRET</Code>"])
    def test_an_error_object_is_never_a_recording(self, desk: Desk, page: bytes) -> None:
        """Neither a checksum nor a declaration makes a chat of what an API says when it fails."""
        host = desk.host(reply(200, page))
        for checksum, word in ((sha256(page), None), (None, "application/json"), (None, "application/xml")):
            with pytest.raises(PermanentError, match="error page"):
                Transfer(desk.client(host), desk.order(host, checksum, declared=word)).run()

    def test_a_page_of_another_kind_than_declared_is_refused(self, desk: Desk) -> None:
        """A gateway's HTML is no chat."""
        host = desk.host(reply(200, b"<html>busy", Content_Type="application/json"))
        with pytest.raises(PermanentError, match="error page"):
            Transfer(desk.client(host), desk.order(host, declared="application/json")).run()

    def test_a_format_is_named_by_what_lies_behind_the_head(self, desk: Desk) -> None:
        """An M4A that calls itself isom, and whose headers come last, is audio all the same."""
        sound = (MEDIA / "call.m4a").read_bytes()
        tag = b"\0\0\0\x18ftypisom" + bytes(12) + (200_008).to_bytes(4) + b"free" + bytes(200_000)
        host = desk.host(reply(200, tag + sound))
        assert desk.fetch(host).format.mime_type == "audio/mp4"

    def test_a_page_that_passes_is_forgotten(self, desk: Desk) -> None:
        """The recording behind a passing error page is archived whole, whatever ETag the page had."""
        host = desk.host(reply(200, b"<html>busy", ETag='"e1"', cut=8), ranged(BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)
        assert offsets(host) == [None, None]

    def test_an_empty_body_is_a_failure(self, desk: Desk) -> None:
        """No recording has no bytes, even when the checksum says so."""
        with pytest.raises(PermanentError, match="empty"):
            desk.fetch(desk.host(reply(200, b"")), sha256(b""))
        assert desk.left() == []

    def test_a_short_body_is_never_complete(self, desk: Desk) -> None:
        """Fewer bytes than announced fail, however often."""
        with pytest.raises(TransientError):
            desk.fetch(desk.host(reply(200, BODY, cut=64, Content_Length="65")))
        assert desk.left() == []

    def test_bytes_behind_the_announced_end_are_not_read(self, desk: Desk) -> None:
        """More bytes than announced belong to nothing: neither to this file nor to the next answer."""
        host = desk.host(reply(200, BODY + b"HTTP/1.1 200 OK\r\n", Content_Length="64"))
        client = desk.client(host)
        for _ in range(2):
            assert Transfer(client, desk.order(host)).run().sha256 == sha256(BODY)


FAULTS: dict[str, Answer] = {
    "refused": reply(400, b"SECRET"),
    "expired": reply(403, b"<Error>SECRET</Error>"),
    "busy": reply(503, b"SECRET"),
    "page": reply(200, b"<html>SECRET"),
    "empty": reply(200),
    "encoded": reply(200, BODY, Content_Encoding="gzip"),
    "status line": raw(b"SECRET echoed\r\n\r\n"),
    "cut": reply(200, BODY, cut=5),
    "chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n"),
    "redirect": reply(302, Location="https://elsewhere.example/?sig=SECRET"),
    "broken redirect": reply(302, Location="http://[SECRET/"),
    "loop": reply(302, Location="/m?sig=SECRET"),
    "checksum": reply(200, BODY),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_shows_a_signed_url(desk: Desk, fault: str) -> None:
    """Neither messages nor chained causes hold a path, a query string or what the host echoed of them."""
    host = desk.host(FAULTS[fault])
    with pytest.raises(ArchiveError) as failed:
        desk.fetch(host, "0" * 64)
    shown = "".join(traceback.TracebackException.from_exception(failed.value, capture_locals=False).format())
    assert "SECRET" not in shown
    assert "/m" not in str(failed.value)
    assert "SECRET" not in repr(desk.order(host))


def test_hash_is_of_the_file(desk: Desk) -> None:
    """The reported hash is that of the bytes on disk, not of what was meant to be there."""
    fetched = desk.fetch(desk.host(ranged(BIG, cut=3 * 2**20), ranged(BIG)))
    assert fetched.sha256 == hashlib.sha256(desk.target.read_bytes()).hexdigest()
