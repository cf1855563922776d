"""One media file from its host into staging: stream, resume, hash.

* Bytes are raw (``Accept-Encoding: identity``), hashed from byte 0 in every case, and written under a temporary name
  that is locked while an attempt lives (`partial`). The final name appears by rename, after fsync.
* Resume never guesses: ``Range`` goes with ``If-Range`` and a strong ETag (RFC 9110, 13.1.5), and only a 206 that
  starts exactly at our offset is appended. Anything else begins again at byte 0.
* No credential is sent, and no message holds a path or a query string of a URL: only its host.

Connections are those of a `media_client.MediaClient`, which makes the transfers.
"""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin

from recording_archive.errors import ArchiveError, FixityError, PermanentError, TransientError
from recording_archive.model import Fetched
from recording_archive.transfer.allowed_hosts import CheckedHost
from recording_archive.transfer.formats import error_page_kind, sniff
from recording_archive.transfer.limits import TransferLimits
from recording_archive.transfer.partial_file import STRONG_ETAG, Partial
from recording_archive.transfer.pinned import PinnedConnection

__all__ = ["MediaRequest", "Transfer"]

MAX_REDIRECTS = 3
MAX_RENEWALS = 3  # without progress in between; a 404 gets one
MAX_UNUSABLE = 3  # an error page or an empty body under 200 may be passing, but not three times
BACKOFF_MAX_S = 60.0
REFILLS = 100  # times the attempts that a transfer gets in all, however steadily it advances
READ_AHEAD_BYTES = 8192  # no more than http.client has buffered behind the headers

_AGENT = {"User-Agent": "recording-archive (media client)"}
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})")


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """The media to fetch, and its target; ``name`` is the part's, for messages.

    ``renew`` asks the source for a fresh URL and may raise ArchiveError. An empty ``url`` is renewed at once.
    """

    name: str
    url: str = field(repr=False)
    target: Path
    expected_sha256: str | None
    renew: Callable[[], str] = field(repr=False)


class Shared(Protocol):
    """The part of a client that a transfer uses: connections, buffers, limits, and the stop."""

    limits: TransferLimits
    clock: Callable[[], datetime]
    jitter: Callable[[], float]

    def check_stop(self) -> None:
        """Raise Stopped when the task is to end."""

    def pause(self, seconds: float) -> None:
        """Wait, unless told to stop."""

    def check(self, url: str) -> CheckedHost:
        """Return the checked host of a URL; raise when it may not be followed."""

    def buffer(self) -> memoryview:
        """Return the buffer of the calling thread."""

    def connection(self, place: CheckedHost) -> PinnedConnection:
        """Return the connection of the calling thread to a place."""


class _ExpiredError(TransientError):
    """The host no longer honours the URL: 401, 403, 404 or 410, which ``status`` holds."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _UnusableError(TransientError):
    """A complete answer under 200 that is no media."""


class _DiffersError(TransientError):
    """A complete file with the wrong checksum, for the first time."""


class Transfer:
    """One file on its way; ``requests`` and ``wire_bytes`` count on while it runs and stay readable after a failure."""

    def __init__(self, client: Shared, order: MediaRequest) -> None:
        self.requests = 0
        self.wire_bytes = 0
        self._client, self._order = client, order
        self._url: str | None = order.url or None
        self._failures = self._failures_in_all = self._renewals = self._unusable = 0
        self._reached = 0  # most bytes of the file that ever lay in staging: more is progress
        self._differed = False
        self._content_type: str | None = None
        self._source_date: datetime | None = None

    def run(self) -> Fetched:
        """Fetch until the file is complete and verified under its final name.

        Raises TransientError when the attempts are used up, PermanentError (StoreError for the disk's refusals),
        FixityError, or Stopped.
        """
        self._client.check_stop()
        with Partial.take(self._order.target, self._client.check_stop) as partial:
            self._reached = partial.size
            while True:
                try:
                    return self._attempt(partial)
                except TransientError as error:
                    self._recover(error, partial)

    def _attempt(self, partial: Partial) -> Fetched:
        self._client.check_stop()
        if self._url is None:
            self._url = self._order.renew()
        reply, place, connection = self._ask(self._url, _range_headers(partial))
        try:
            with reply:
                if self._admit(reply, place, partial):
                    self._stream(reply, place, partial)
                else:
                    self._drain(reply, connection)
        except BaseException:
            connection.close()  # the rest of this body must not meet the next request
            raise
        return self._finish(place, partial)

    # Asking

    def _ask(
        self, url: str, extra: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, CheckedHost, PinnedConnection]:
        """Send the request and follow redirects, each of them past the guard."""
        for _ in range(MAX_REDIRECTS + 1):
            place = self._client.check(url)
            reply, connection = self._get(place, extra)
            if reply.status not in (301, 302, 303, 307, 308):
                return reply, place, connection
            with reply:
                self._drain(reply, connection)
            url = _joined(url, reply.headers["Location"])
        raise PermanentError(f"{self._order.name}: {place.host} redirects more than {MAX_REDIRECTS} times")

    def _get(self, place: CheckedHost, extra: Mapping[str, str]) -> tuple[http.client.HTTPResponse, PinnedConnection]:
        """One GET; a kept connection that the host closed meanwhile is replaced at once and costs no attempt."""
        headers = {"Host": place.authority, "Accept": "*/*", "Accept-Encoding": "identity", **_AGENT, **extra}
        while True:
            connection = self._client.connection(place)
            reused = connection.is_open
            self.requests += 1
            try:
                connection.request("GET", place.path_and_query, headers=headers)
                return connection.getresponse(), connection
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._client.check_stop()
                if not (reused and isinstance(error, ConnectionError | ssl.SSLError)):
                    raise self._translated(error, place) from _quotable(error)

    def _drain(self, reply: http.client.HTTPResponse, connection: PinnedConnection) -> None:
        """Read a short body that is of no interest, so that the connection can be kept; drop a long one."""
        if reply.length is None or reply.length > 65536:
            connection.close()
            return
        try:
            self.wire_bytes += len(reply.read())
        except (OSError, http.client.HTTPException):
            connection.close()

    # Judging the answer

    def _admit(self, reply: http.client.HTTPResponse, place: CheckedHost, partial: Partial) -> bool:
        """Prepare the partial for the body that follows; False when all bytes are here already."""
        self._source_date = _http_date(reply.headers["Date"]) or self._source_date
        if reply.status == 200:
            self._check_body(reply, place)
            partial.begin(_strong_etag(reply), _length(reply))
        elif reply.status == 206 and partial.can_resume:
            self._check_body(reply, place)
            self._check_range(reply, partial)
        elif reply.status == 416 and partial.can_resume:
            self._check_unsatisfied(reply, partial)
            return False
        else:
            raise self._refused(reply, place)
        self._content_type = reply.headers["Content-Type"] or self._content_type
        due = _length(reply) or 0
        if partial.size + due > self._client.limits.max_media_bytes:
            raise self._too_large()
        partial.check_room(due, self._client.limits.free_space_reserve_bytes)
        return True

    def _check_body(self, reply: http.client.HTTPResponse, place: CheckedHost) -> None:
        """Refuse what is not raw and what has no end that could be trusted."""
        name, coding = self._order.name, reply.headers["Content-Encoding"]
        if (coding or "identity").strip().lower() != "identity":
            raise PermanentError(
                f"{name}: {place.host} sends encoded media though raw bytes were asked for; have it send identity"
            )
        transfer_coding = reply.headers["Transfer-Encoding"]
        if transfer_coding and not reply.chunked:
            raise PermanentError(f"{name}: {place.host} sends an unknown transfer coding; only chunked is read")
        lengths = set(reply.headers.get_all("Content-Length", []))
        if not reply.chunked and lengths and _length(reply) is None:
            raise TransientError(f"{name}: {place.host} sends an unusable Content-Length")
        if not reply.chunked and not lengths and self._order.expected_sha256 is None:
            raise PermanentError(
                f"{name}: the end cannot be trusted: {place.host} sends neither Content-Length nor chunks, "
                "and the source gave no checksum"
            )

    def _check_range(self, reply: http.client.HTTPResponse, partial: Partial) -> None:
        """Accept a 206 only for our representation, from our offset, with the total we know; else start again."""
        found = _CONTENT_RANGE.fullmatch((reply.headers["Content-Range"] or "").strip())
        if found is not None and _strong_etag(reply) == partial.etag:
            first, last, total = map(int, found.groups())
            fits = first == partial.size <= last < total and partial.total in (None, total)
            if fits and _length(reply) in (None, last - first + 1):
                partial.total = total
                return
        partial.restart()
        raise TransientError(f"{self._order.name}: the answer to a range request does not fit; starting again")

    def _check_unsatisfied(self, reply: http.client.HTTPResponse, partial: Partial) -> None:
        """A 416 is the end of the story when all bytes are here (RFC 9110, 15.5.17), else a reason to start again."""
        found = _UNSATISFIED.fullmatch((reply.headers["Content-Range"] or "").strip())
        if found is not None and int(found[1]) == partial.size and partial.total in (None, partial.size):
            partial.total = partial.size
            return
        partial.restart()
        raise TransientError(f"{self._order.name}: the range was refused (416); starting again")

    def _refused(self, reply: http.client.HTTPResponse, place: CheckedHost) -> ArchiveError:
        """Sort a status without media by what may help."""
        message = f"{self._order.name}: media host {place.host} answered {reply.status}"
        if reply.status in (401, 403, 404, 410):
            return _ExpiredError(message, reply.status)
        if reply.status in (429, 503):
            return TransientError(message, retry_after_s=self._retry_after(reply))
        if reply.status >= 500 or reply.status < 300 or reply.status in (408, 425):
            return TransientError(message)
        return PermanentError(f"{message}, which no retry changes; look the recording up in Genesys Cloud")

    def _retry_after(self, reply: http.client.HTTPResponse) -> float | None:
        """Seconds to wait (RFC 9110, 10.2.3); a date counts from the host's own clock, for ours may be wrong."""
        text = (reply.headers["Retry-After"] or "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        moment = _http_date(text)
        if moment is None:
            return None
        now = _http_date(reply.headers["Date"]) or self._client.clock()
        return max(0.0, (moment - now).total_seconds())

    # Receiving

    def _stream(self, reply: http.client.HTTPResponse, place: CheckedHost, partial: Partial) -> None:
        """Append the body; what arrived before a cut is kept, for the resume goes on from there."""
        due, begun = _length(reply), partial.size
        try:
            for chunk in self._chunks(reply, due):
                if partial.size + len(chunk) > self._client.limits.max_media_bytes:
                    raise self._too_large()
                partial.append(chunk, self._client.limits.free_space_reserve_bytes)
                if partial.size <= len(self._client.buffer()):  # seen early, a page costs one buffer
                    self._check_page(place, partial)
                self._client.check_stop()
        except (OSError, http.client.HTTPException) as error:
            self._client.check_stop()
            raise self._translated(error, place) from _quotable(error)
        self._client.check_stop()  # a stop looks like the end of the stream
        if partial.size - begun < (due or 0):
            raise TransientError(f"{self._order.name}: {place.host} ended the body after {partial.size} bytes")

    def _chunks(self, reply: http.client.HTTPResponse, due: int | None) -> Iterator[memoryview]:
        """Fill this thread's buffer by single system calls, so that a cut loses nothing, and hand it out when full."""
        buffer = self._client.buffer()
        read = reply.readinto1 if reply.chunked else reply.fp.readinto1
        left = self._client.limits.max_media_bytes + 1 if due is None else due
        filled, room = 0, READ_AHEAD_BYTES
        failure: Exception | None = None
        while left:
            try:
                count = read(buffer[filled : min(len(buffer), filled + left, filled + room)])
            except (OSError, http.client.HTTPException) as error:
                failure = error
                break
            if not count:
                break
            filled, left, room = filled + count, left - count, len(buffer)
            self.wire_bytes += count
            if filled == len(buffer):
                yield buffer
                filled = 0
        if filled:
            yield buffer[:filled]
        if failure is not None:
            raise failure

    def _check_page(self, place: CheckedHost, partial: Partial) -> None:
        kind = error_page_kind(partial.head)
        if kind is not None:
            partial.restart()
            raise _UnusableError(
                f"{self._order.name}: {place.host} sent what looks like an error page ({kind}), not media"
            )

    def _finish(self, place: CheckedHost, partial: Partial) -> Fetched:
        """Verify what lies there and give it its final name."""
        name, expected = self._order.name, self._order.expected_sha256
        if not partial.size:
            raise _UnusableError(f"{name}: {place.host} sent an empty body")
        if partial.total not in (None, partial.size):
            raise TransientError(f"{name}: {partial.size} of {partial.total} bytes so far")
        self._check_page(place, partial)
        found = partial.sha256
        if expected is not None and found != expected.lower():
            partial.restart()
            if self._differed:
                raise FixityError(name, expected=expected.lower(), found=found)
            self._differed, self._reached = True, 0
            raise _DiffersError(f"{name}: wrong checksum; fetching once more")
        head, size = partial.head, partial.size
        partial.complete()
        return Fetched(
            sha256=found,
            size_bytes=size,
            wire_bytes=self.wire_bytes,
            requests=self.requests,
            format=sniff(head, self._content_type),
            source_host=place.host,
            source_date=self._source_date,
            fetched_at=self._client.clock(),
        )

    # Failing

    def _recover(self, error: TransientError, partial: Partial) -> None:
        """Decide whether to go on after ``error``, and wait as long as it takes; else raise."""
        self._client.check_stop()
        if partial.size > self._reached:
            self._reached = partial.size
            self._failures = self._renewals = 0
        self._failures_in_all += 1
        if self._failures_in_all >= self._client.limits.attempts * REFILLS:
            raise error
        if isinstance(error, _ExpiredError):
            self._expire(error)
        elif not isinstance(error, _DiffersError):
            self._count(error)
            self._client.pause(self._delay(error))

    def _expire(self, error: _ExpiredError) -> None:
        self._renewals += 1
        if self._renewals > (1 if error.status == 404 else MAX_RENEWALS):
            raise PermanentError(f"{error} even with a fresh URL; look the recording up in Genesys Cloud") from error
        self._url = None

    def _count(self, error: TransientError) -> None:
        self._failures += 1
        self._unusable += isinstance(error, _UnusableError)
        used_up = self._failures >= self._client.limits.attempts
        if isinstance(error, _UnusableError) and (used_up or self._unusable >= MAX_UNUSABLE):
            raise PermanentError(f"{error}, {self._unusable} times; look the recording up in Genesys Cloud") from error
        if used_up:
            raise error

    def _delay(self, error: TransientError) -> float:
        """Seconds to wait: what the host asked for, else exponential with full jitter."""
        limits = self._client.limits
        if error.retry_after_s is not None:
            return min(error.retry_after_s, limits.retry_after_max_s)
        return self._client.jitter() * min(BACKOFF_MAX_S, limits.backoff_base_s * 2.0 ** (self._failures - 1))

    def _translated(self, error: Exception, place: CheckedHost) -> ArchiveError:
        what = f"{self._order.name}: media host {place.host}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return PermanentError(f"{what}: its certificate does not verify ({error.verify_message}); trust its issuer")
        if isinstance(error, TimeoutError):
            return TransientError(f"{what}: no byte in time")
        return TransientError(f"{what}: {type(error).__name__}")

    def _too_large(self) -> PermanentError:
        limit = self._client.limits.max_media_bytes
        return PermanentError(f"{self._order.name}: larger than {limit} bytes; raise RECORDING_ARCHIVE_MAX_MEDIA_BYTES")


def _range_headers(partial: Partial) -> dict[str, str]:
    """Ask for the rest when it is known of what; otherwise begin again."""
    if partial.can_resume and partial.etag is not None:
        return {"Range": f"bytes={partial.size}-", "If-Range": partial.etag}
    return {}


def _joined(url: str, location: str | None) -> str:
    """Return the target of a redirect; an empty URL, which the guard refuses, when it leads nowhere."""
    try:
        return urljoin(url, location) if location else ""
    except ValueError:
        return ""


def _strong_etag(reply: http.client.HTTPResponse) -> str | None:
    etag = (reply.headers["ETag"] or "").strip()
    return etag if STRONG_ETAG.fullmatch(etag) else None


def _length(reply: http.client.HTTPResponse) -> int | None:
    """The Content-Length that frames the body; None when chunks or the end of the connection do, or it is nonsense."""
    lengths = set(reply.headers.get_all("Content-Length", []))
    text = lengths.pop().strip() if len(lengths) == 1 and not reply.chunked else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _quotable(error: Exception) -> Exception | None:
    """The cause to chain; none of http.client's, for BadStatusLine quotes the host, which may echo the signed URL."""
    return None if isinstance(error, http.client.HTTPException) else error
