"""Bounds of replies: nothing waits for ever, and what is only slow is read to its end."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from recording_archive.errors import Stopped, TransientError
from recording_archive.transfer.allowed_hosts import CheckedHost
from recording_archive.transfer.bounds import Bounds, Meter, TooMuchError, TooSlowError
from recording_archive.transfer.pinned import PinnedConnection, Proxy
from recording_archive.transfer.transfer import Transfer
from support.media_desk import BIG, BODY, LIMITS, Desk, head_of, offsets
from support.scripted_host import PATIENCE_S, drip, ranged, raw, reply, sha256
from support.waiting_games import GAMES

IMPATIENT = replace(LIMITS, read_timeout_s=0.3, min_bytes_per_s=1000, attempts=2)


@pytest.mark.parametrize("game", GAMES)
def test_no_host_is_waited_for_for_ever(desk: Desk, game: str) -> None:
    """Whatever a host keeps sending, the attempts end and the recording is left for the next run."""
    host = desk.host(GAMES[game])
    begun = time.monotonic()
    with pytest.raises(TransientError):
        desk.fetch(host, limits=IMPATIENT)
    assert time.monotonic() - begun < PATIENCE_S  # after which the host itself would have ended
    assert (len(host.requests), desk.left()) == (2, [])


@pytest.mark.parametrize("game", GAMES)
def test_a_game_that_ends_costs_one_attempt(desk: Desk, game: str) -> None:
    """The connection is given up with the attempt, so that none of its bytes meets the next answer."""
    host = desk.host(GAMES[game], reply(200, BODY))
    assert desk.fetch(host, sha256(BODY), limits=replace(IMPATIENT, attempts=4)).sha256 == sha256(BODY)
    assert host.connections >= 2


def test_what_came_before_a_drip_is_kept(desk: Desk) -> None:
    """A body too slow is resumed where it was left."""
    slow = drip(head_of(BIG) + BIG[:5000], (bytes([byte]) for byte in BIG[5000:]))
    host = desk.host(slow, ranged(BIG))
    assert desk.fetch(host, limits=replace(IMPATIENT, attempts=6)).sha256 == sha256(BIG)
    assert (offsets(host)[1] or 0) >= 5000


def test_a_drip_is_no_progress(desk: Desk) -> None:
    """A byte now and then does not refill the attempts, as a host that gives pieces does."""

    def dripping(host: object, request: object, sock: object) -> bool:
        start = request.offset or 0  # type: ignore[attr-defined]  # of a scripted request
        span = f"HTTP/1.1 206 P\r\nContent-Range: bytes {start}-{len(BIG) - 1}/{len(BIG)}\r\n" if start else ""
        head = (span or "HTTP/1.1 200 OK\r\n") + f'ETag: "e1"\r\nContent-Length: {len(BIG) - start}\r\n\r\n'
        pieces = (bytes([byte]) for byte in BIG[start:])
        return drip(head.encode(), pieces)(host, request, sock)  # type: ignore[arg-type]  # as they came

    host = desk.host(dripping)
    with pytest.raises(TransientError, match=r"too slow: only [0-9]+ bytes"):
        desk.fetch(host, limits=replace(IMPATIENT, attempts=3))
    assert len(host.requests) == 3


def test_interim_replies_are_passed_over(desk: Desk) -> None:
    """100, 102 and 103 announce the reply that counts (RFC 9110, 15.2)."""
    interim = b"".join(b"HTTP/1.1 %d X\r\nLink: </a>\r\n\r\n" % status for status in (100, 103, 102, 103))
    host = desk.host(raw(interim + head_of(BODY) + BODY))
    assert (desk.fetch(host).sha256, len(host.requests)) == (sha256(BODY), 1)


def test_a_redirect_whose_page_drips_is_followed(desk: Desk) -> None:
    """The page of a redirect is not waited for, and its connection is not used again."""
    host = desk.host(
        drip(b"HTTP/1.1 302 F\r\nLocation: /m\r\nContent-Length: 500\r\n\r\n", [b"x"] * 499), reply(200, BODY)
    )
    assert desk.fetch(host, limits=IMPATIENT).sha256 == sha256(BODY)
    assert host.connections == 2


@pytest.mark.parametrize("game", ["interim replies, slow", "a header that drips", "interim replies, fast"])
def test_a_proxy_is_not_waited_for_for_ever(desk: Desk, game: str) -> None:
    """The answer to CONNECT is a reply as well."""
    proxy = desk.host(GAMES[game])
    place = CheckedHost("media.test", 443, True, "/", ())
    connection = PinnedConnection(
        place,
        tls=None,
        connect_timeout_s=0.4,
        bounds=Bounds(5),
        proxy=Proxy("127.0.0.1", proxy.port, None),
        stopping=threading.Event(),
    )
    with pytest.raises(OSError, match="headers"):
        connection.connect()


class TestMeter:
    """The measure itself, with a clock that the test moves."""

    @pytest.fixture
    def now(self) -> list[float]:
        """The time, as a list of one."""
        return [0.0]

    @pytest.fixture
    def sock(self) -> Iterator[socket.socket]:
        """A socket with its usual timeout."""
        with contextlib.closing(socket.socket()) as sock:
            sock.settimeout(10)
            yield sock

    def meter(self, sock: socket.socket, now: list[float], bounds: Bounds) -> Meter:
        """Make a meter that is past the head."""
        meter = Meter(sock, bounds, lambda: now[0])
        meter.begin_body()
        return meter

    def wait(self, now: list[float], meter: Meter, seconds: float, count: int) -> None:
        """Let one read take so long and give so much."""

        def read() -> int:
            now[0] += seconds
            return count

        meter.expect(count, 10**9)
        meter.read(read)

    def test_a_speed_above_the_floor_goes_on_for_ever(self, sock: socket.socket, now: list[float]) -> None:
        """A hundred bytes a second, asked for a hundred."""
        meter = self.meter(sock, now, Bounds(10, 100))
        for _ in range(1000):
            self.wait(now, meter, 1, 100)
        assert meter.received == 100_000

    def test_a_speed_below_the_floor_ends(self, sock: socket.socket, now: list[float]) -> None:
        """Only whole stretches are judged, each by itself: a fast beginning pays for nothing later."""
        meter = self.meter(sock, now, Bounds(10, 100))
        self.wait(now, meter, 0, 10**6)
        for _ in range(10):
            self.wait(now, meter, 1, 1)
        for _ in range(9):
            self.wait(now, meter, 1, 1)
        with pytest.raises(TooSlowError, match="only 10 bytes in 10"):
            self.wait(now, meter, 1, 1)

    def test_our_own_work_is_not_the_hosts(self, sock: socket.socket, now: list[float]) -> None:
        """A disk that takes a minute for a piece makes no slow host of a fast one."""
        meter = self.meter(sock, now, Bounds(10, 100))
        for _ in range(100):
            self.wait(now, meter, 0, 1)
            now[0] += 60
        assert meter.received == 100

    def test_the_head_has_one_deadline(self, sock: socket.socket, now: list[float]) -> None:
        """What is left of it is the socket's timeout for each read, which is as before when the read is over."""
        meter, left = Meter(sock, Bounds(10), lambda: now[0]), []

        def read() -> int:
            left.append(sock.gettimeout())
            now[0] += 4
            return 1

        for _ in range(3):
            meter.read(read)
        with pytest.raises(TooSlowError, match="headers"):
            meter.read(read)
        assert (left, sock.gettimeout()) == ([10, 6, 2], 10)

    def test_a_reply_as_a_whole_has_its_time_and_its_size(self, sock: socket.socket, now: list[float]) -> None:
        """For replies that nobody resumes."""
        meter = self.meter(sock, now, Bounds(10, 0, total_s=30, max_bytes=1000))
        for _ in range(4):
            self.wait(now, meter, 9, 1)
        with pytest.raises(TooSlowError, match="reply"):
            self.wait(now, meter, 9, 1)
        meter = self.meter(sock, now, Bounds(10, 0, total_s=30, max_bytes=1000))
        self.wait(now, meter, 0, 1000)
        with pytest.raises(TooMuchError):
            self.wait(now, meter, 0, 1)


def test_a_stop_ends_a_drip_at_once(desk: Desk) -> None:
    """The stop does not wait for the next look at the speed."""
    host = desk.host(GAMES["a header that drips"])
    client = desk.client(host)

    def run() -> None:
        with pytest.raises(Stopped):
            Transfer(client, desk.order(host)).run()

    thread = threading.Thread(target=run)
    thread.start()
    while not host.requests:
        time.sleep(0.01)
    client.stop()
    thread.join(4)
    assert not thread.is_alive()
