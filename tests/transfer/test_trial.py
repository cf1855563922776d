"""One ranged GET of a media URL: what it tells of a host."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest

from recording_archive.errors import ArchiveError, PermanentError, TransientError
from recording_archive.transfer.trial import TRIAL_BYTES, Trial, host_in, life_of, try_url
from support.media_desk import BODY, Desk
from support.scripted_host import Request, ScriptedHost, raw, reply

LONG = BODY[:44] + bytes(200_000)


def ranged_to_the_end(host: ScriptedHost, request: Request, sock: socket.socket) -> bool:
    """Give the range ``bytes=0-N`` that was asked for, as S3 does."""
    last = min(int(request.headers["range"].rpartition("-")[2]), len(LONG) - 1)
    span = f"bytes 0-{last}/{len(LONG)}"
    return reply(206, LONG[: last + 1], ETag='"e1"', Content_Range=span, Server="S3")(host, request, sock)


def tried(desk: Desk, host: ScriptedHost) -> Trial:
    return try_url(desk.client(host), f"{host.base}/m?sig=SECRET", "call")


def test_a_host_that_knows_ranges(desk: Desk) -> None:
    """64 KiB come, with the size of the file, a strong ETag and the format."""
    host = desk.host(ranged_to_the_end)
    found = tried(desk, host)
    assert (found.status, found.came, found.total, found.is_ranged) == (206, TRIAL_BYTES, len(LONG), True)
    assert (found.etag, found.extension, found.server, found.hosts) == ("strong", "wav", "S3", ("127.0.0.1",))
    assert host.requests[0].headers["range"] == f"bytes=0-{TRIAL_BYTES - 1}"
    assert "authorization" not in host.requests[0].headers


def test_a_host_that_does_not(desk: Desk) -> None:
    """The whole file is offered; no more than 64 KiB of it are read, and the connection is given up."""
    host = desk.host(reply(200, LONG, ETag='W/"e1"'))
    found = tried(desk, host)
    assert (found.status, found.came, found.total, found.is_ranged) == (200, TRIAL_BYTES, len(LONG), False)
    assert found.etag == "weak"


@pytest.mark.parametrize(("answer", "total"), [(reply(200, BODY), 64), (raw(b"HTTP/1.1 200 OK\r\n\r\n" + BODY), None)])
def test_a_file_that_is_smaller_is_not_waited_for(desk: Desk, answer: object, total: int | None) -> None:
    """A chat of a few bytes ends where its length or its connection ends."""
    found = tried(desk, desk.host(answer))  # type: ignore[arg-type]
    assert (found.came, found.total, found.etag) == (64, total, None)


def test_redirects_are_followed_past_the_guard(desk: Desk) -> None:
    """Each host that was asked is named; one that is not permitted is refused."""
    last = desk.host(ranged_to_the_end)
    first = desk.host(reply(302, Location=f"{last.base}/n"))
    found = try_url(desk.client(first, last), f"{first.base}/m", "call")
    assert found.hosts == ("127.0.0.1", "127.0.0.1")
    with pytest.raises(PermanentError, match="not permitted"):
        try_url(desk.client(first), f"{first.base}/m", "call")
    circle = desk.host(lambda host, *rest: reply(302, Location=f"{host.base}/m")(host, *rest))
    with pytest.raises(PermanentError, match="redirects more than"):
        tried(desk, circle)


@pytest.mark.parametrize(("status", "error"), [(403, ArchiveError), (500, TransientError)])
def test_a_refusal_is_the_one_of_a_transfer(desk: Desk, status: int, error: type[Exception]) -> None:
    """The status is told, the signature is not."""
    with pytest.raises(error, match=str(status)) as refused:
        tried(desk, desk.host(reply(status)))
    assert "SECRET" not in str(refused.value)


NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "life"),
    [
        (f"Expires={int(NOW.timestamp()) + 3600}&Signature=a&Key-Pair-Id=b", 3600),
        ("X-Amz-Date=20261121T115000Z&X-Amz-Expires=900&X-Amz-Signature=a", 300),
        ("X-Amz-Expires=900", None),
        ("X-Amz-Date=20261121T115000&X-Amz-Expires=900", None),
        ("Expires=soon", None),
        ("", None),
    ],
)
def test_how_long_a_url_lives(query: str, life: float | None) -> None:
    """CloudFront says when it ends, S3 when it began and how long it works."""
    assert life_of(f"https://h.example/m?{query}", NOW) == life


@pytest.mark.parametrize(
    ("url", "host"), [("https://me:pw@H.example:8443/a", "h.example:8443"), ("https://[x", ""), ("a", "")]
)
def test_the_host_of_a_url_that_may_not_be_followed(url: str, host: str) -> None:
    """It is told without user and password."""
    assert host_in(url) == host


def test_nothing_is_kept(desk: Desk) -> None:
    """No file is made of what was read."""
    tried(desk, desk.host(ranged_to_the_end))
    assert desk.left() == []
