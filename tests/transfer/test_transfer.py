"""Transfer: against a real scripted host and a real disk; every fault of the media family."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from recording_archive.errors import ArchiveError, FixityError, PermanentError, Stopped, StoreError, TransientError
from recording_archive.model import Fetched
from recording_archive.transfer import partial_file, transfer
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.client import BUFFER_BYTES, MediaClient
from recording_archive.transfer.limits import TransferLimits
from recording_archive.transfer.transfer import MediaRequest, Transfer
from support.scripted_host import Answer, Request, ScriptedHost, endless, ranged, raw, reply, sha256

FETCH = Path(__file__).parents[1] / "programs" / "fetch_one.py"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BODY = b"RIFF\x2c\x00\x00\x00WAVEfmt " + bytes(range(48))  # 64 bytes
BIG = b"RIFF" + os.urandom(2**20) * 9  # over the 8 MiB from which a partial outlives its process
LIMITS = TransferLimits(
    connect_timeout_s=5, read_timeout_s=5, attempts=4, retry_after_max_s=300, free_space_reserve_bytes=0
)
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass
class Desk:
    """One place to order media from: a scripted host, a client that does not really sleep, and a staging folder."""

    folder: Path
    stack: ExitStack
    slept: list[float] = field(default_factory=list)
    renewals: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    last: Transfer | None = None

    @property
    def target(self) -> Path:
        return self.folder / "17"

    @property
    def part(self) -> Path:
        return self.folder / "17.part"

    @property
    def note(self) -> Path:
        return self.folder / "17.resume"

    def host(self, *answers: Answer, **more: Any) -> ScriptedHost:
        return self.stack.enter_context(ScriptedHost(list(answers), **more))

    def client(self, *hosts: ScriptedHost, limits: TransferLimits = LIMITS, **more: Any) -> MediaClient:
        patterns = [f"127.0.0.1:{host.port}" for host in hosts]
        options: dict[str, Any] = {
            "sleep": self.slept.append,
            "clock": lambda: NOW,
            "jitter": lambda: 1.0,
            "stop": self.stop,
        } | more
        return self.stack.enter_context(MediaClient(MediaHosts(patterns, True), limits, **options))

    def order(self, host: ScriptedHost, checksum: str | None = None, **more: Any) -> MediaRequest:
        def renew() -> str:
            self.renewals.append("renewed")
            return f"{host.base}/m?sig=SECRET-{len(self.renewals)}"

        order = MediaRequest("i~r~0", f"{host.base}/m?sig=SECRET-0", self.target, checksum, renew)
        return replace(order, **more)

    def fetch(
        self, host: ScriptedHost, checksum: str | None = None, *, limits: TransferLimits = LIMITS, **more: Any
    ) -> Fetched:
        self.last = self.client(host, limits=limits, **more).transfer(self.order(host, checksum))
        return self.last.run()

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(tmp_path, stack)


def offsets(host: ScriptedHost) -> list[int | None]:
    return [request.offset for request in host.requests]


class TestPlain:
    """What a good host gets and gives."""

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

    def test_a_connection_serves_many_files(self, desk: Desk) -> None:
        """One thread keeps its connection to a host, and its answers do not mix."""
        host = desk.host(*(reply(200, BODY[:16] + bytes([n]) * 9) for n in range(5)))
        client = desk.client(host)
        for n in range(5):
            client.transfer(desk.order(host)).run()
            assert desk.target.read_bytes() == BODY[:16] + bytes([n]) * 9
        assert host.connections == 1

    def test_a_connection_that_went_stale_costs_no_attempt(self, desk: Desk) -> None:
        """A host that closes an idle connection is asked again at once."""
        whole = reply(200, BODY)
        host = desk.host(lambda *a: whole(*a) and False, whole)
        client = desk.client(host, limits=replace(LIMITS, attempts=1))
        for _ in range(2):
            client.transfer(desk.order(host)).run()
        assert (host.connections, desk.slept) == (2, [])

    def test_chunked_bodies_are_read_to_their_last_chunk(self, desk: Desk) -> None:
        """Chunking is an end that can be trusted, with no checksum given."""
        host = desk.host(raw(chunked(BODY)))
        assert desk.fetch(host).sha256 == sha256(BODY)

    def test_the_environment_is_not_read(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy in the environment is not used unless it was configured."""
        for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert desk.fetch(desk.host(reply(200, BODY))).size_bytes == 64

    def test_many_threads_share_a_client(self, desk: Desk) -> None:
        """Transfers of one client at the same time do not disturb each other."""
        host = desk.host(_by_path)
        client = desk.client(host)
        orders = [replace(desk.order(host), url=f"{host.base}/{n}", target=desk.folder / f"t{n}") for n in range(40)]
        pending = iter(orders)
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    order = next(pending, None)
                if order is None:
                    return
                client.transfer(order).run()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for n in range(40):
            assert (desk.folder / f"t{n}").read_bytes() == b"RIFF" + str(n).encode() * 50_000
        assert host.connections <= 8


def _by_path(host: ScriptedHost, request: Request, sock: socket.socket) -> bool:
    return reply(200, b"RIFF" + request.path[1:].encode() * 50_000)(host, request, sock)


def chunked(body: bytes, *, etag: str = '"e1"', size: int = 16) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nETag: {etag}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    blocks = [body[start : start + size] for start in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks) + b"0\r\n\r\n"


class TestResume:
    """Cuts, and what is asked for after them."""

    @pytest.mark.parametrize("cut", range(len(BODY) + 1))
    def test_a_cut_at_any_byte_fetches_only_the_rest(self, desk: Desk, cut: int) -> None:
        """After a cut the request names exactly the missing range and the ETag, and nothing arrives twice."""
        host = desk.host(ranged(BODY, cut=cut), ranged(BODY))
        fetched = desk.fetch(host)
        assert desk.target.read_bytes() == BODY
        assert (fetched.sha256, fetched.wire_bytes) == (sha256(BODY), 64)
        assert offsets(host) == ([None] if cut == 64 else [None, cut or None])
        assert all(request.headers["if-range"] == '"e1"' for request in host.requests if request.offset)

    @pytest.mark.parametrize("cut", range(1, 59))
    def test_a_head_that_breaks_off_decides_nothing(self, desk: Desk, cut: int) -> None:
        """Half a redirect is not followed, and half a header is not believed."""
        head = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
        assert len(head) > cut
        host = desk.host(raw(head[:cut]), reply(200, BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)
        assert host.requests[1].path == "/m?sig=SECRET-0"

    @pytest.mark.parametrize("cut", range(len(chunked(BODY))))
    def test_a_cut_anywhere_on_the_wire_is_survived(self, desk: Desk, cut: int) -> None:
        """Wherever head or chunked framing break off, the file ends up whole."""
        host = desk.host(raw(chunked(BODY)[:cut]), ranged(BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)
        assert desk.target.read_bytes() == BODY

    def test_progress_refills_the_attempts(self, desk: Desk) -> None:
        """Slow is not broken: a host that gives a few bytes at a time is read to the end."""
        host = desk.host(ranged(BODY, cut=3))
        fetched = desk.fetch(host, limits=replace(LIMITS, attempts=2))
        assert (fetched.sha256, fetched.requests) == (sha256(BODY), 22)

    def test_progress_is_not_without_bound(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """Attempts end at last even if each brings a byte."""
        monkeypatch.setattr(transfer, "REFILLS", 5)
        host = desk.host(ranged(BODY, cut=1))
        with pytest.raises(TransientError):
            desk.fetch(host, limits=replace(LIMITS, attempts=2))
        assert len(host.requests) == 10

    def test_without_progress_the_attempts_end(self, desk: Desk) -> None:
        """A host that never gives a byte is left after the configured number of tries, backing off in between."""
        host = desk.host(ranged(BODY, cut=0))
        with pytest.raises(TransientError):
            desk.fetch(host)
        assert (len(host.requests), desk.slept, desk.left()) == (4, [1.0, 2.0, 4.0], [])

    def test_resets_and_timeouts_are_resumed(self, desk: Desk) -> None:
        """A reset and a silence inside the body cost what was missing, no more."""
        host = desk.host(_reset_after(20), _silent_after(40), ranged(BODY))
        fetched = desk.fetch(host, limits=replace(LIMITS, read_timeout_s=0.2))
        assert (fetched.sha256, offsets(host)[-1], fetched.wire_bytes) == (sha256(BODY), 40, 64)

    def test_bytes_that_came_with_the_head_are_kept(self, desk: Desk) -> None:
        """What arrived in one packet with the headers is not lost to the silence that follows."""
        host = desk.host(raw(_head(BIG) + BIG[:20], hang=True), ranged(BIG))
        desk.fetch(host, limits=replace(LIMITS, read_timeout_s=0.2))
        assert offsets(host) == [None, 20]

    @pytest.mark.parametrize("etag", ['W/"e1"', "e1", '"e\x7f1"', None])
    def test_without_a_strong_etag_there_is_no_resume(self, desk: Desk, etag: str | None) -> None:
        """A weak, unquoted or missing ETag does not identify bytes: the file is fetched from byte 0."""
        host = desk.host(reply(200, BODY, cut=30, ETag=etag), reply(200, BODY, ETag=etag))
        assert desk.fetch(host).wire_bytes == 94
        assert offsets(host) == [None, None]

    def test_a_200_to_a_range_request_starts_again(self, desk: Desk) -> None:
        """A host that ignores the range sends the whole file, which replaces what was there."""
        host = desk.host(ranged(BODY, cut=30), reply(200, BODY, ETag='"e1"'))
        fetched = desk.fetch(host)
        assert (fetched.sha256, fetched.requests, desk.target.read_bytes()) == (sha256(BODY), 2, BODY)

    def test_a_changed_file_is_fetched_from_the_start(self, desk: Desk) -> None:
        """When the ETag changed between two requests, no byte of the old file remains."""
        other = BODY[::-1]
        host = desk.host(ranged(BODY, cut=30), ranged(other, etag='"e2"'))
        assert desk.fetch(host).sha256 == sha256(other)

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

    def test_a_shorter_range_than_asked_for_is_continued(self, desk: Desk) -> None:
        """A host may send less than the rest; the next request asks for what is still missing."""
        piece = reply(206, BODY[30:40], ETag='"e1"', Content_Range="bytes 30-39/64")
        host = desk.host(ranged(BODY, cut=30), piece, ranged(BODY))
        assert desk.fetch(host).wire_bytes == 64
        assert offsets(host) == [None, 30, 40]

    @pytest.mark.parametrize("when", ["unasked", "without an etag"])
    def test_a_206_nobody_asked_for_is_no_file(self, desk: Desk, when: str) -> None:
        """Partial content as the answer to a plain request is not taken for the file, nor appended to one."""
        partial_file = reply(206, b"x" * 34, Content_Range="bytes 30-63/64")
        first = [partial_file] if when == "unasked" else [reply(200, BODY, cut=30), partial_file]
        host = desk.host(*first, reply(200, BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)
        assert desk.target.read_bytes() == BODY

    def test_a_416_with_all_bytes_here_is_the_end(self, desk: Desk) -> None:
        """When only the last chunk mark was lost, 416 confirms that the file is complete."""
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
        """Where the length was never told, a 416 with another one than ours is no end."""
        cut = raw(chunked(BODY)[: -len(b"0\r\n\r\n") - 18])
        host = desk.host(cut, reply(416, Content_Range="bytes */20"), ranged(BODY))
        assert desk.fetch(host).sha256 == sha256(BODY)


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
    """Expired URLs and redirects."""

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_an_expired_url_is_renewed(self, desk: Desk, status: int) -> None:
        """The source is asked for a fresh URL, which is used at once and costs no attempt."""
        host = desk.host(reply(status), reply(200, BODY))
        desk.fetch(host, limits=replace(LIMITS, attempts=1))
        assert [request.path for request in host.requests] == ["/m?sig=SECRET-0", "/m?sig=SECRET-1"]
        assert desk.slept == []

    def test_a_url_that_expires_on_the_way_resumes(self, desk: Desk) -> None:
        """A renewed URL goes on at the offset that was reached."""
        host = desk.host(ranged(BODY, cut=30), reply(403), ranged(BODY))
        assert desk.fetch(host).wire_bytes == 64
        assert offsets(host) == [None, 30, 30]

    @pytest.mark.parametrize(("status", "renewals"), [(403, 3), (404, 1)])
    def test_renewals_are_bounded(self, desk: Desk, status: int, renewals: int) -> None:
        """A host that refuses fresh URLs too is a permanent failure, after one renewal for a missing file."""
        host = desk.host(reply(status))
        with pytest.raises(PermanentError, match=str(status)):
            desk.fetch(host)
        assert (len(desk.renewals), desk.left()) == (renewals, [])

    def test_an_empty_url_is_renewed_first(self, desk: Desk) -> None:
        """A listing without URL asks the source before the first request."""
        host = desk.host(reply(200, BODY))
        desk.client(host).transfer(desk.order(host, url="")).run()
        assert len(desk.renewals) == len(host.requests) == 1

    def test_what_the_source_refuses_is_passed_on(self, desk: Desk) -> None:
        """The error of the renewal itself reaches the caller."""
        host = desk.host(reply(403))

        def refuse() -> str:
            raise PermanentError("gone")

        with pytest.raises(PermanentError, match="gone"):
            desk.client(host).transfer(desk.order(host, renew=refuse)).run()

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_keep_range_and_connection(self, desk: Desk, status: int) -> None:
        """A redirect is followed with the Range headers, from the original URL each time, on kept connections."""
        media = desk.host(ranged(BODY, cut=30), ranged(BODY))
        front = desk.host(reply(status, b"moved", Location=f"{media.base}/real?sig=SECRET"))
        fetched = desk.client(front, media).transfer(desk.order(front)).run()
        assert (fetched.sha256, fetched.requests) == (sha256(BODY), 4)
        assert (offsets(front), offsets(media)) == ([None, 30], [None, 30])
        assert front.connections == 1

    def test_a_relative_redirect_stays_on_its_host(self, desk: Desk) -> None:
        """A Location without host is resolved against the URL it answers."""
        host = desk.host(reply(302, Location="/other"), reply(200, BODY))
        desk.fetch(host)
        assert host.requests[1].path == "/other"

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


class TestWaiting:
    """Which answers are tried again, and when."""

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
            ({}, 1.0),
        ],
        ids=str,
    )
    def test_retry_after_is_kept(self, desk: Desk, status: int, headers: dict[str, Any], waited: float) -> None:
        """Seconds and dates are waited for up to the cap, without either the ordinary back-off."""
        host = desk.host(reply(status, **headers), reply(200, BODY))
        desk.fetch(host)
        assert desk.slept == [waited]

    @pytest.mark.parametrize("status", [408, 500, 502, 504, 202, 204])
    def test_passing_refusals_are_tried_again(self, desk: Desk, status: int) -> None:
        """Server errors and answers without a file back off and go on."""
        host = desk.host(reply(status, Content_Length=None if status == 204 else "0"), reply(200, BODY))
        assert desk.fetch(host).requests == 2
        assert desk.slept == [1.0]

    @pytest.mark.parametrize("status", [400, 405, 451, 300, 304])
    def test_other_refusals_are_final(self, desk: Desk, status: int) -> None:
        """A status that no retry changes ends the transfer at once."""
        host = desk.host(reply(status))
        with pytest.raises(PermanentError, match=str(status)):
            desk.fetch(host)
        assert len(host.requests) == 1

    def test_the_last_error_says_when_to_come_back(self, desk: Desk) -> None:
        """When the attempts are used up, the error still carries the host's Retry-After."""
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


class TestContent:
    """Bodies that are not the recording."""

    def test_a_wrong_checksum_is_fetched_once_more(self, desk: Desk) -> None:
        """The second fetch goes from byte 0 and may be right."""
        host = desk.host(ranged(BODY[::-1]), ranged(BODY))
        assert desk.fetch(host, sha256(BODY)).wire_bytes == 128
        assert (offsets(host), desk.slept) == ([None, None], [])

    def test_a_wrong_checksum_twice_is_final(self, desk: Desk) -> None:
        """The error holds what was expected and found, and no bytes stay."""
        host = desk.host(ranged(BODY))
        with pytest.raises(FixityError) as failed:
            desk.fetch(host, "0" * 64)
        error = failed.value
        assert (error.what, error.expected, error.found) == ("i~r~0", "0" * 64, sha256(BODY))
        assert (len(host.requests), desk.left()) == (2, [])

    @pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
    def test_an_encoded_body_is_never_inflated(self, desk: Desk, coding: str) -> None:
        """Content-Encoding means that the bytes are not the raw ones: refused unread, bombs included."""
        host = desk.host(reply(200, b"\x1f\x8b" + bytes(50_000), Content_Encoding=coding))
        with pytest.raises(PermanentError, match="encoded"):
            desk.fetch(host)
        assert desk.last is not None
        assert (desk.last.wire_bytes, desk.left()) == (0, [])

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
        with pytest.raises(PermanentError, match="error page") as failed:
            desk.fetch(host, sha256(page))
        assert "SECRET" not in str(failed.value)
        assert (len(host.requests), desk.left()) == (3, [])

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
            assert client.transfer(desk.order(host)).run().sha256 == sha256(BODY)

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


class TestDisk:
    """Partials, locks, and a disk that refuses."""

    def leave(self, desk: Desk, size: int, **note: object) -> None:
        desk.part.write_bytes(BIG[:size])
        if note:
            desk.note.write_text(json.dumps({"etag": '"e1"', "total": len(BIG), "boot": BOOT} | note))

    def test_a_partial_of_a_dead_process_is_adopted(self, desk: Desk) -> None:
        """What an earlier attempt left is hashed from byte 0 and only the rest is fetched."""
        self.leave(desk, 5_000_000, total=len(BIG))
        host = desk.host(ranged(BIG))
        fetched = desk.fetch(host)
        assert (offsets(host), fetched.sha256) == ([5_000_000], sha256(BIG))
        assert fetched.wire_bytes == len(BIG) - 5_000_000
        assert (desk.target.read_bytes() == BIG, desk.left()) == (True, ["17"])

    def test_a_killed_process_leaves_a_partial_that_is_adopted(self, desk: Desk) -> None:
        """SIGKILL in the middle of a body costs only what was missing."""
        silent = desk.host(raw(_head(BIG) + BIG[:-1000], hang=True))
        victim = subprocess.Popen([sys.executable, FETCH, silent.base, str(desk.target), "0"])
        _until(lambda: desk.part.exists() and desk.part.stat().st_size > 8 * 2**20 and desk.note.exists())
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        size = desk.part.stat().st_size
        host = desk.host(ranged(BIG))
        assert desk.fetch(host).sha256 == sha256(BIG)
        assert offsets(host) == [size]

    def test_a_changed_file_replaces_the_partial(self, desk: Desk) -> None:
        """When the media changed after the crash, nothing of the partial remains."""
        self.leave(desk, 5_000_000, total=len(BIG))
        other = BIG[::-1]
        assert desk.fetch(desk.host(ranged(other, etag='"e2"'))).sha256 == sha256(other)
        assert desk.target.read_bytes() == other

    def test_a_spoiled_partial_is_found_by_the_checksum(self, desk: Desk) -> None:
        """A flipped byte in what was left costs a second fetch, never a wrong file."""
        self.leave(desk, 5_000_000, total=len(BIG))
        with desk.part.open("r+b") as file:
            file.write(b"X")
        host = desk.host(ranged(BIG))
        assert desk.fetch(host, sha256(BIG)).sha256 == sha256(BIG)
        assert offsets(host) == [5_000_000, None]

    @pytest.mark.parametrize(
        "note",
        [
            {},
            {"boot": "another start of this machine"},
            {"boot": ""},
            {"etag": 'W/"e1"'},
            {"etag": None},
            {"total": 10},
            {"total": "many"},
        ],
        ids=str,
    )
    def test_a_partial_of_unknown_origin_is_not_adopted(self, desk: Desk, note: dict[str, object]) -> None:
        """Without a strong ETag and a length, or after a restart of the machine, the file is fetched from byte 0."""
        self.leave(desk, 1000, **note)
        host = desk.host(ranged(BIG))
        assert desk.fetch(host).sha256 == sha256(BIG)
        assert offsets(host) == [None]

    def test_a_complete_partial_is_confirmed_not_fetched(self, desk: Desk) -> None:
        """A crash between the last byte and the rename costs one request."""
        self.leave(desk, len(BIG), total=len(BIG))
        assert desk.fetch(desk.host(ranged(BIG))).wire_bytes == 0
        assert desk.target.read_bytes() == BIG

    def test_a_partial_in_use_is_left_alone(self, desk: Desk) -> None:
        """While another attempt holds the lock, this one works under a name of its own."""
        self.leave(desk, 1000, total=len(BIG))
        with desk.part.open("r+b") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            host = desk.host(ranged(BIG, cut=2**20), ranged(BIG))
            assert desk.fetch(host).sha256 == sha256(BIG)
            assert (desk.part.read_bytes(), desk.note.exists()) == (BIG[:1000], True)
        assert (offsets(host), desk.left()) == ([None, 2**20], ["17", "17.part", "17.resume"])

    def test_a_failure_beside_another_attempt_leaves_nothing_of_its_own(self, desk: Desk) -> None:
        """The partial and the note of the attempt that holds the lock survive the failure of the other."""
        self.leave(desk, 1000, total=len(BIG))
        with desk.part.open("r+b") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(PermanentError):
                desk.fetch(desk.host(reply(400)))
        assert desk.left() == ["17.part", "17.resume"]

    def test_a_symlink_is_not_written_through(self, desk: Desk) -> None:
        """A link under the partial's name does not lead the bytes elsewhere."""
        victim = desk.folder / "victim"
        victim.write_text("precious")
        desk.part.symlink_to(victim)
        with pytest.raises(StoreError, match="STAGING"):
            desk.fetch(desk.host(reply(200, BODY)))
        assert victim.read_text() == "precious"

    def test_a_missing_folder_is_a_store_error(self, desk: Desk) -> None:
        """A vanished staging folder concerns the whole run and names the setting."""
        host = desk.host(reply(200, BODY))
        with pytest.raises(StoreError, match="RECORDING_ARCHIVE_STAGING_URL"):
            desk.client(host).transfer(desk.order(host, target=desk.folder / "gone" / "17")).run()

    def test_the_free_space_reserve_is_kept(self, desk: Desk) -> None:
        """A file that would eat into the reserve is refused before its first byte."""
        free = os.statvfs(desk.folder)
        reserve = free.f_bavail * free.f_frsize - 10**6
        with pytest.raises(StoreError, match="RESERVE"):
            desk.fetch(desk.host(reply(200, BODY, Content_Length=str(10**12))), limits=_reserve(10**8, 10**13))
        with pytest.raises(StoreError, match="RESERVE"):
            desk.fetch(desk.host(reply(200, BODY)), limits=_reserve(reserve * 4, 10**13))
        assert desk.left() == []

    def test_the_reserve_is_looked_at_again_on_the_way(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body of unknown length meets the reserve while it grows."""
        looked: list[int] = []
        real = os.fstatvfs
        monkeypatch.setattr(os, "fstatvfs", lambda fd: looked.append(fd) or real(fd))  # type: ignore[func-returns-value]  # counts
        monkeypatch.setattr(partial_file, "ROOM_CHECK_BYTES", 2**20)
        desk.fetch(desk.host(ranged(BIG)))
        assert 8 <= len(looked) <= 11

    def test_a_disk_that_refuses_is_a_store_error(self, desk: Desk) -> None:
        """A write that fails in the middle stops the run with its remedy and frees the space."""
        host = desk.host(reply(200, BIG))
        command = ["prlimit", "--fsize=1000000", sys.executable, FETCH, host.base, str(desk.target), "0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "StoreError" in done.stderr
        assert "RECORDING_ARCHIVE_STAGING_URL" in done.stderr
        assert desk.left() == []

    def test_bytes_are_durable_before_they_are_visible(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file is synced, whole, while it still has its temporary name."""
        seen: list[tuple[int, bool]] = []
        real = os.fsync

        def fsync(descriptor: int) -> None:
            seen.append((os.fstat(descriptor).st_size, desk.target.exists()))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        desk.fetch(desk.host(reply(200, BODY)))
        assert seen == [(64, False)]

    def test_staged_bytes_are_private(self, desk: Desk) -> None:
        """Nobody but the worker's user reads staged recordings."""
        desk.fetch(desk.host(reply(200, BODY)))
        assert desk.target.stat().st_mode & 0o777 == 0o600

    def test_memory_does_not_grow_with_the_file(self, desk: Desk) -> None:
        """120 MB take as much memory as 1 MB, give or take 16 MB."""
        peaks = [_peak(desk, desk.host(_zeros(size))) for size in (10**6, 120 * 10**6)]
        assert peaks[1] - peaks[0] < 16 * 1024


def _reserve(reserve: int, largest: int) -> TransferLimits:
    return replace(LIMITS, free_space_reserve_bytes=reserve, max_media_bytes=largest)


def _head(body: bytes) -> bytes:
    return f'HTTP/1.1 200 OK\r\nETag: "e1"\r\nContent-Length: {len(body)}\r\n\r\n'.encode()


def _zeros(size: int) -> Answer:
    def answer(_: ScriptedHost, __: Request, sock: socket.socket) -> bool:
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        block = bytes(10**6)
        for _step in range(size // 10**6):
            sock.sendall(block)
        return True

    return answer


def _peak(desk: Desk, host: ScriptedHost) -> int:
    command = [sys.executable, FETCH, host.base, str(desk.target), "0"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)


class TestStop:
    """A stop ends everything within a second and keeps what can be resumed."""

    @pytest.mark.parametrize("state", ["headers", "body", "trickle", "handshake", "connect", "waiting"])
    def test_a_stop_ends_whatever_it_waits_for(self, desk: Desk, state: str) -> None:
        """Connecting, TLS, headers, body, a trickle or a long Retry-After: all end at once and leave nothing."""
        with ExitStack() as stack:
            host, url = _stuck(desk, stack, state)
            client = desk.client(host, sleep=desk.stop.wait)
            assert _stopped_in(client, desk.order(host, url=url), host, desk) < 1
        assert desk.left() == []

    def test_a_resumable_partial_survives_a_stop(self, desk: Desk) -> None:
        """A large file with an ETag is kept with its note and taken up by the next attempt."""
        host = desk.host(raw(_head(BIG) + BIG[:-1000], hang=True))
        client = desk.client(host)
        _stopped_in(client, desk.order(host), host, desk, after=lambda: _grown(desk, len(BIG) - 300_000))
        assert desk.left() == ["17.part", "17.resume"]
        desk.stop.clear()
        size = desk.part.stat().st_size
        again = desk.host(ranged(BIG))
        assert desk.fetch(again).sha256 == sha256(BIG)
        assert (offsets(again), size) == ([size], len(BIG) - 1000)

    def test_a_stop_under_tls_keeps_only_plaintext(self, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
        """The socket is shut down below TLS: no ciphertext gets into the partial."""
        folder = tmp_path_factory.mktemp("tls")
        self_signed = "req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 -subj /CN=x -addext"
        subject = "subjectAltName=IP:127.0.0.1"
        try:
            subprocess.run(["openssl", *self_signed.split(), subject], cwd=folder, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("needs the openssl program")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "c", folder / "k")
        host = desk.host(
            endless(b'HTTP/1.1 200 OK\r\nETag: "e1"\r\nContent-Length: 999999999\r\n\r\n', BIG), tls=context
        )
        client = desk.client(host, tls=ssl.create_default_context(cafile=folder / "c"))
        order = desk.order(host, url=f"https://127.0.0.1:{host.port}/m")
        _stopped_in(client, order, host, desk, after=lambda: _grown(desk, 2 * 2**20))
        kept = desk.part.read_bytes()
        assert kept == (BIG * (len(kept) // len(BIG) + 1))[: len(kept)]

    def test_a_stop_is_no_wrong_checksum(self, desk: Desk) -> None:
        """Where only the end of the connection ends the body, a stop is not taken for it."""
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        body = BODY.ljust(BUFFER_BYTES, b"x")  # nothing waits in the buffer when the stop comes
        host = desk.host(raw(head + body), raw(head + body, hang=True))
        client = desk.client(host)
        _stopped_in(
            client,
            desk.order(host, "0" * 64),
            host,
            desk,
            after=lambda: _grown(desk, len(body) - 1) and len(host.requests) == 2,
        )
        assert desk.left() == []

    def test_after_a_stop_nothing_begins(self, desk: Desk) -> None:
        """A transfer that starts after the stop opens no connection and makes no file."""
        host = desk.host(reply(200, BODY))
        client = desk.client(host)
        client.stop()
        with pytest.raises(Stopped):
            client.transfer(desk.order(host)).run()
        assert (host.connections, desk.left()) == (0, [])


def _grown(desk: Desk, size: int) -> bool:
    return desk.part.exists() and desk.part.stat().st_size > size


def _stopped_in(
    client: MediaClient, order: MediaRequest, host: ScriptedHost, desk: Desk, *, after: Callable[[], bool] | None = None
) -> float:
    """Run the order in a thread, stop the client once it is under way, and return the seconds until it ended."""
    ended: list[BaseException] = []

    def work() -> None:
        try:
            client.transfer(order).run()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    _until(after or (lambda: bool(host.connections) or desk.part.exists()))
    time.sleep(0.1)
    begun = time.monotonic()
    client.stop()
    thread.join(10)
    assert [type(error) for error in ended] == [Stopped]
    return time.monotonic() - begun


def _stuck(desk: Desk, stack: ExitStack, state: str) -> tuple[ScriptedHost, str]:
    """A host that leaves its client in ``state``, and the URL to ask it for."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n"
    answers: dict[str, Answer] = {
        "headers": raw(head, hang=True),
        "body": raw(head + b"\r\nRIFF", hang=True),
        "trickle": _trickle,
        "waiting": reply(503, Retry_After="200"),
    }
    host = desk.host(answers.get(state, raw(b"", hang=True)))
    if state == "connect":
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        host.port = full.getsockname()[1]
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", host.port))
    scheme = "https" if state == "handshake" else "http"
    return host, f"{scheme}://127.0.0.1:{host.port}/m"


def _trickle(host: ScriptedHost, _: Request, sock: socket.socket) -> bool:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6400\r\n\r\nRIFF")
    while not host.leaving.wait(0.05):
        sock.sendall(b"x")
    return False


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


def test_https_does_not_become_http() -> None:
    """Without `allow_private_hosts` no hop leads to plain http."""
    guard = MediaHosts(["a.example.com"], resolver=lambda *_: ["93.184.215.14"])
    assert guard.check("https://a.example.com/x").tls
    with pytest.raises(PermanentError, match="plain http"):
        guard.check("http://a.example.com/x")


def test_hash_is_of_the_file(desk: Desk) -> None:
    """The reported hash is that of the bytes on disk, not of what was meant to be there."""
    fetched = desk.fetch(desk.host(ranged(BIG, cut=3 * 2**20), ranged(BIG)))
    assert fetched.sha256 == hashlib.sha256(desk.target.read_bytes()).hexdigest()
