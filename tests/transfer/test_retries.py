"""Retries: which failures are tried again, when, and how often."""

from __future__ import annotations

from dataclasses import replace
from email.utils import format_datetime
from typing import Any

import pytest

from recording_archive.errors import PermanentError, TransientError
from support.media_desk import BODY, LIMITS, NOW, Desk
from support.scripted_host import ranged, raw, reply, sha256

NO_YEAR = "Sat, 21 Nov 99999999999 12:00:00 GMT"


class TestProgress:
    """Progress refills the attempts."""

    def test_progress_refills_the_attempts(self, desk: Desk) -> None:
        """Slow is not broken: a host that gives a few bytes at a time is read to the end."""
        host = desk.host(ranged(BODY, cut=3))
        fetched = desk.fetch(host, limits=replace(LIMITS, attempts=2))
        assert (fetched.sha256, fetched.requests) == (sha256(BODY), 22)

    def test_progress_is_not_without_bound(self, desk: Desk) -> None:
        """Attempts end at last even if each brings a byte."""
        host = desk.host(ranged(BODY, cut=1))
        with pytest.raises(TransientError):
            desk.fetch(host, limits=replace(LIMITS, attempts=2, refills=5))
        assert len(host.requests) == 10

    def test_without_progress_the_attempts_end(self, desk: Desk) -> None:
        """A host that never gives a byte is left after the configured number of tries, backing off in between."""
        host = desk.host(ranged(BODY, cut=0))
        with pytest.raises(TransientError):
            desk.fetch(host)
        assert (len(host.requests), desk.slept, desk.left()) == (4, [1.0, 2.0, 4.0], [])


class TestRenewal:
    """An expired URL is renewed."""

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_an_expired_url_is_renewed(self, desk: Desk, status: int) -> None:
        """The source is asked for a fresh URL, which is used at once and costs no attempt."""
        host = desk.host(reply(status), reply(200, BODY))
        desk.fetch(host, limits=replace(LIMITS, attempts=1))
        assert [request.path for request in host.requests] == ["/m?sig=SECRET-0", "/m?sig=SECRET-1"]
        assert desk.slept == []

    @pytest.mark.parametrize(("status", "renewals"), [(403, 3), (404, 1), (400, 1)])
    def test_renewals_are_bounded(self, desk: Desk, status: int, renewals: int) -> None:
        """A host that refuses fresh URLs too is a permanent failure, after one renewal for a missing file."""
        host = desk.host(reply(status))
        with pytest.raises(PermanentError, match=str(status)):
            desk.fetch(host)
        assert (len(desk.renewals), desk.left()) == (renewals, [])

    @pytest.mark.parametrize("code", ["ExpiredToken", "TokenRefreshRequired"])
    def test_an_expired_token_is_renewed_as_often_as_an_expired_url(self, desk: Desk, code: str) -> None:
        """S3 answers 400 when the credential behind a signed URL has ended, long before the URL itself."""
        ended = reply(400, f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Token>SECRET</Token></Error>".encode())
        assert desk.fetch(desk.host(ended, ended, reply(200, BODY))).requests == 3
        with pytest.raises(PermanentError, match=code) as failed:
            desk.fetch(desk.host(ended))
        assert "SECRET" not in str(failed.value)
        assert len(desk.renewals) == 2 + 3

    def test_any_other_400_gets_one_fresh_url(self, desk: Desk) -> None:
        """A refusal without explanation, and one whose explanation breaks off, may be a matter of the URL."""
        for refusal in (reply(400, b"no"), reply(400, b"<Error><Code>Exp", cut=10)):
            assert desk.fetch(desk.host(refusal, reply(200, BODY))).requests == 2


class TestWaiting:
    """Answers that are tried again, and the wait before."""

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize(
        ("headers", "waited"),
        [
            ({"Retry_After": "7"}, 7.0),
            ({"Retry_After": "0"}, 0.0),
            ({"Retry_After": "86400"}, 300.0),
            ({"Retry_After": format_datetime(NOW.replace(minute=1), usegmt=True)}, 60.0),
            ({"Retry_After": format_datetime(NOW.replace(hour=11), usegmt=True)}, 0.0),
            (  # a host whose clock is ten years behind
                {"Retry_After": "Mon, 21 Nov 2016 12:00:09 GMT", "Date": "Mon, 21 Nov 2016 12:00:00 GMT"},
                9.0,
            ),
            ({"Retry_After": "soon"}, 1.0),
            ({"Retry_After": NO_YEAR}, 1.0),
            ({"Retry_After": format_datetime(NOW.replace(minute=1), usegmt=True), "Date": NO_YEAR}, 60.0),
            ({}, 1.0),
        ],
        ids=str,
    )
    def test_retry_after_is_kept(self, desk: Desk, status: int, headers: dict[str, Any], waited: float) -> None:
        """Seconds and dates are waited for up to the cap, without either the ordinary back-off."""
        host = desk.host(reply(status, **headers), reply(200, BODY))
        desk.fetch(host)
        assert desk.slept == [waited]

    @pytest.mark.parametrize("status", [408, 409, 423, 500, 502, 504, 202, 204])
    def test_passing_refusals_are_tried_again(self, desk: Desk, status: int) -> None:
        """Server errors and answers without a file back off and go on."""
        host = desk.host(reply(status, Content_Length=None if status == 204 else "0"), reply(200, BODY))
        assert desk.fetch(host).requests == 2
        assert desk.slept == [1.0]

    @pytest.mark.parametrize("status", [405, 451, 300, 304])
    def test_other_refusals_are_final(self, desk: Desk, status: int) -> None:
        """A status that no retry changes ends the transfer at once."""
        host = desk.host(reply(status))
        with pytest.raises(PermanentError, match=str(status)):
            desk.fetch(host)
        assert len(host.requests) == 1

    def test_the_last_error_says_when_to_come_back(self, desk: Desk) -> None:
        """The error of the last attempt still carries the host's Retry-After."""
        with pytest.raises(TransientError, match="503") as failed:
            desk.fetch(desk.host(reply(503, Retry_After="9")))
        assert failed.value.retry_after_s == 9
        assert desk.last is not None
        assert desk.last.requests == 4

    def test_jitter_spreads_the_back_off(self, desk: Desk) -> None:
        """The wait is a share of the exponential one (full jitter)."""
        with pytest.raises(TransientError):
            desk.fetch(desk.host(reply(500)), jitter=lambda: 0.25)
        assert desk.slept == [0.25, 0.5, 1.0]

    @pytest.mark.parametrize("text", [b"", b"\x16\x03\x01 nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
    def test_what_is_no_http_is_tried_again(self, desk: Desk, text: bytes) -> None:
        """A broken status line is a failure of the moment."""
        assert desk.fetch(desk.host(raw(text), reply(200, BODY))).requests == 2

    def test_nobody_listens(self, desk: Desk) -> None:
        """A refused connection is transient and names the host."""
        host = desk.host(reply(200, BODY))
        host.__exit__()
        with pytest.raises(TransientError, match=r"127\.0\.0\.1"):
            desk.fetch(host)
