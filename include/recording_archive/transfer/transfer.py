"""One media file from its host into staging: stream, resume, hash, and pack where that is asked for.

* The media comes as it is (``Accept-Encoding: identity``), is hashed from byte 0 in every case, and written under a
  temporary name that is locked while an attempt lives (`partial_file`). The final name appears by rename, after fsync.
* Resume never guesses: ``Range`` goes with ``If-Range`` and a strong ETag (RFC 9110, 13.1.5), and only a 206 that
  starts exactly at our offset is appended. Anything else begins again at byte 0.
* No credential is sent, and no message holds a path or a query string of a URL: only its host.
"""

from __future__ import annotations

import http.client
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from recording_archive.errors import PermanentError, TransientError
from recording_archive.model import Fetched
from recording_archive.transfer import replies
from recording_archive.transfer.allowed_hosts import CheckedHost
from recording_archive.transfer.bounds import BoundedResponse
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.documents import document_kind, is_declared, is_error
from recording_archive.transfer.formats import sniff
from recording_archive.transfer.partial_file import Partial
from recording_archive.transfer.pinned import PinnedConnection
from recording_archive.transfer.receiving import chunks_of
from recording_archive.transfer.retries import DiffersError, ExpiredError, Retries, UnusableError

MAX_REDIRECTS = 3

log = logging.getLogger(__name__)

_AGENT = {"User-Agent": "recording-archive (media client)"}


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """The media to fetch, and its target; ``name`` is the part's, for messages.

    ``renew`` asks the source for a fresh URL and may raise ArchiveError. An empty ``url`` is renewed at once.
    ``declared`` is the content type by the source's own word, where it gives one. ``packed`` writes BGZF, as the
    archive stores it, instead of the media; sizes and hashes stay those of the media.
    """

    name: str
    url: str = field(repr=False)
    target: Path
    expected_sha256: str | None
    renew: Callable[[], str] = field(repr=False)
    declared: str | None = None
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A complete file whose SHA-256 is not what the source gave, both in lower-case hex."""

    expected: str
    found: str


class Transfer:
    """One file on its way; what is counted while it runs stays readable after a failure.

    ``mismatches`` has an entry for each time that the whole file had the wrong hash.
    """

    def __init__(self, client: MediaClient, order: MediaRequest) -> None:
        self.requests = 0
        self.wire_bytes = 0
        self.mismatches: list[Mismatch] = []
        self._client, self._order = client, order
        self._url: str | None = order.url or None
        self._content_type: str | None = None
        self._source_date: datetime | None = None

    def run(self) -> Fetched:
        """Fetch until the file is complete and verified under its final name.

        Raise TransientError when the attempts are used up, PermanentError (StoreError for the disk's refusals),
        FixityError, or Stopped.
        """
        client = self._client
        client.check_stop()
        helpers = client.helpers if self._order.packed else None
        with Partial.take(self._order.target, client.limits, client.check_stop, helpers=helpers) as partial:
            retries = Retries(client.limits, client.jitter, partial.size)
            while True:
                try:
                    return self._attempt(partial)
                except TransientError as error:
                    client.check_stop()
                    wait_s = retries.wait_after(error, partial.size)
                    if isinstance(error, ExpiredError):
                        self._url = None
                    if wait_s is not None:
                        client.pause(wait_s)

    def _attempt(self, partial: Partial) -> Fetched:
        self._client.check_stop()
        if self._url is None:
            self._url = self._order.renew()
        reply, place, connection = self._ask(self._url, _range_headers(partial))
        try:
            with reply:
                if self._admit(reply, place.host, partial):
                    self._stream(reply, place, partial)
                else:
                    self._drain(reply, connection)
        except BaseException:
            connection.close()  # the rest of this body must not meet the next request
            raise
        return self._finish(place, partial)

    # Asking

    def _ask(self, url: str, extra: Mapping[str, str]) -> tuple[BoundedResponse, CheckedHost, PinnedConnection]:
        """Send the request and follow redirects, each of them past the guard."""
        for _ in range(MAX_REDIRECTS + 1):
            place = self._checked(url)
            reply, connection = self._get(place, extra)
            if reply.status not in (301, 302, 303, 307, 308):
                return reply, place, connection
            with reply:
                self._drain(reply, connection)
            url = replies.target_of(reply, url, self._order.name, place.host)
        raise PermanentError(f"{self._order.name}: {place.host} redirects more than {MAX_REDIRECTS} times")

    def _checked(self, url: str) -> CheckedHost:
        try:
            return self._client.check(url)
        except (PermanentError, TransientError) as error:
            raise type(error)(f"{self._order.name}: {error}") from error

    def _get(self, place: CheckedHost, extra: Mapping[str, str]) -> tuple[BoundedResponse, PinnedConnection]:
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
                    raise replies.broken(error, self._order.name, place.host) from replies.quotable(error)

    def _drain(self, reply: BoundedResponse, connection: PinnedConnection) -> None:
        """Read a short body that is not needed, so that the connection can be kept; close it for a long one."""
        if reply.length is None or reply.length > 65536:
            connection.close()
            return
        try:
            self.wire_bytes += len(reply.read())
        except (OSError, http.client.HTTPException):
            connection.close()

    # Judging the reply

    def _admit(self, reply: BoundedResponse, host: str, partial: Partial) -> bool:
        """Prepare the partial for the body that follows; return False when all bytes are here already."""
        name, has_checksum = self._order.name, self._order.expected_sha256 is not None
        self._source_date = replies.http_date(reply.headers["Date"]) or self._source_date
        if reply.status == 200 or (not partial.can_resume and replies.total_of_whole(reply) is not None):
            replies.check_body(reply, name, host, has_checksum=has_checksum)
            length = replies.length_of(reply) if reply.status == 200 else replies.total_of_whole(reply)
            partial.begin(replies.strong_etag(reply), length)
        elif reply.status == 206 and partial.can_resume:
            replies.check_body(reply, name, host, has_checksum=has_checksum)
            self._go_on(partial, replies.total_of_range(reply, partial), "the answer to a range request does not fit")
        elif reply.status == 416 and partial.can_resume:
            self._go_on(partial, replies.total_of_unsatisfied(reply, partial), "the range was refused (416)")
            return False
        else:
            raise replies.refused(reply, name, host, now=self._client.clock())
        self._content_type = reply.headers["Content-Type"] or self._content_type
        due = replies.length_of(reply) or 0
        if partial.size + due > self._client.limits.max_media_bytes:
            raise self._too_large()
        partial.check_room(due)
        return True

    def _go_on(self, partial: Partial, total: int | None, problem: str) -> None:
        """Take over the length of the file; without one begin again at byte 0."""
        if total is None:
            partial.restart()
            raise TransientError(f"{self._order.name}: {problem}; starting again")
        partial.total = total

    # Receiving

    def _stream(self, reply: BoundedResponse, place: CheckedHost, partial: Partial) -> None:
        """Append the body; bytes that arrived before a cut are kept, and the next attempt goes on from there."""
        due, begun = replies.length_of(reply), partial.size
        try:
            most = self._client.limits.max_media_bytes + 1 if due is None else due
            for chunk in chunks_of(reply, self._client.buffer(), most, self._count):
                if partial.size + len(chunk) > self._client.limits.max_media_bytes:
                    raise self._too_large()
                partial.append(chunk)
                if partial.size <= len(self._client.buffer()):  # seen early, a page costs one buffer
                    self._check_head(reply, place, partial)
                self._client.check_stop()
        except (OSError, http.client.HTTPException) as error:
            self._client.check_stop()
            raise replies.broken(error, self._order.name, place.host) from replies.quotable(error)
        self._client.check_stop()  # a stop looks like the end of the stream
        if partial.size - begun < (due or 0):
            raise TransientError(f"{self._order.name}: {place.host} ended the body after {partial.size} bytes")

    def _count(self, received: int) -> None:
        self.wire_bytes += received

    def _check_head(self, reply: BoundedResponse, place: CheckedHost, partial: Partial) -> None:
        """Look at the first bytes; what the checksum will prove or disprove is left to it."""
        if self._order.expected_sha256 is None:
            replies.check_framing(reply, self._order.name, place.host, partial.head)
            self._check_page(place, partial, proved=False)

    def _check_page(self, place: CheckedHost, partial: Partial, *, proved: bool) -> None:
        """Refuse a page that neither its checksum nor the source's word makes a recording, and any error object."""
        kind = document_kind(partial.head)
        if kind is None:
            return
        if is_error(partial.head) or not (proved or is_declared(kind, self._order.declared)):
            partial.restart()
            raise UnusableError(
                f"{self._order.name}: {place.host} sent what looks like an error page ({kind}), not media"
            )

    def _finish(self, place: CheckedHost, partial: Partial) -> Fetched:
        """Verify the file and give it its final name."""
        name, expected = self._order.name, self._order.expected_sha256
        if not partial.size:
            raise UnusableError(f"{name}: {place.host} sent an empty body")
        if partial.total not in (None, partial.size):
            raise TransientError(f"{name}: {partial.size} of {partial.total} bytes so far")
        found = partial.sha256
        self._check_page(place, partial, proved=expected is not None and found == expected.lower())
        if expected is not None and found != expected.lower():
            partial.restart()
            self.mismatches.append(Mismatch(expected.lower(), found))
            log.warning("%s: %s sent media with SHA-256 %s, expected %s", name, place.host, found, expected.lower())
            raise DiffersError(name, expected=expected.lower(), found=found)
        size = partial.size
        partial.end()
        form = sniff(partial.head, self._content_type, self._order.declared, peek=partial.peek)
        partial.complete()
        return Fetched(
            sha256=found,
            size_bytes=size,
            wire_bytes=self.wire_bytes,
            requests=self.requests,
            format=form,
            source_host=place.host,
            source_date=self._source_date,
            fetched_at=self._client.clock(),
        )

    def _too_large(self) -> PermanentError:
        limit = self._client.limits.max_media_bytes
        return PermanentError(f"{self._order.name}: larger than {limit} bytes; raise RECORDING_ARCHIVE_MAX_MEDIA_BYTES")


def _range_headers(partial: Partial) -> dict[str, str]:
    """Ask for the rest when the file is identified; otherwise for all of it."""
    if partial.can_resume and partial.etag is not None:
        return {"Range": f"bytes={partial.size}-", "If-Range": partial.etag}
    return {}
