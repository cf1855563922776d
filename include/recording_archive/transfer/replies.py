"""Replies of media hosts: their status and headers judged by RFC 9110, and errors that hold no URL."""

from __future__ import annotations

import http.client
import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

from recording_archive.errors import ArchiveError, PermanentError, TransientError
from recording_archive.transfer.bounds import TooMuchError, TooSlowError
from recording_archive.transfer.partial_file import STRONG_ETAG, Partial
from recording_archive.transfer.retries import ExpiredError, SlowError

EXPLANATION_BYTES = 4096  # of a refusal; S3's fit in a few hundred

_EXPIRED = re.compile(rb"<Code>(ExpiredToken|TokenRefreshRequired|RequestExpired)</Code>")
_PASSING = (408, 409, 421, 423, 425)
_CHUNK_HEAD = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;[\x20-\x7e]*)?\r\n")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})")


def check_body(reply: http.client.HTTPResponse, name: str, host: str, *, has_checksum: bool) -> None:
    """Refuse a body that is not raw, or whose end cannot be trusted."""
    if _codings(reply) - {"identity", "aws-chunked"}:
        raise PermanentError(_encoded(name, host))
    transfer_coding = reply.headers["Transfer-Encoding"]
    if transfer_coding and not reply.chunked:
        raise PermanentError(f"{name}: {host} sends an unknown transfer coding; only chunked is read")
    lengths = set(reply.headers.get_all("Content-Length", []))
    if not reply.chunked and lengths and length_of(reply) is None:
        raise TransientError(f"{name}: {host} sends an unusable Content-Length")
    if not reply.chunked and not lengths and not has_checksum:
        raise PermanentError(
            f"{name}: the end cannot be trusted: {host} sends neither Content-Length nor chunks, "
            "and the source gave no checksum"
        )


def check_framing(reply: http.client.HTTPResponse, name: str, host: str, head: bytes) -> None:
    """Refuse media that is framed as ``Content-Encoding: aws-chunked`` says; S3 and others keep the word for raw bytes.

    The framing of an upload begins with the length of its first chunk (SigV4, *Transferring payload in chunks*).
    """
    if "aws-chunked" in _codings(reply) and _CHUNK_HEAD.match(head):
        raise PermanentError(_encoded(name, host))


def total_of_whole(reply: http.client.HTTPResponse) -> int | None:
    """Return the length of the file by a 206 that has every byte of it, by its own range and length; else None."""
    found = _CONTENT_RANGE.fullmatch((reply.headers["Content-Range"] or "").strip()) if reply.status == 206 else None
    if found is None:
        return None
    first, last, total = map(int, found.groups())
    whole = first == 0 and last + 1 == total and length_of(reply) in (None, total)
    return total if whole else None


def total_of_range(reply: http.client.HTTPResponse, partial: Partial) -> int | None:
    """Return the length of the file by a 206; None unless it has our ETag, our offset and the total we know."""
    found = _CONTENT_RANGE.fullmatch((reply.headers["Content-Range"] or "").strip())
    if found is None or strong_etag(reply) != partial.etag:
        return None
    first, last, total = map(int, found.groups())
    fits = first == partial.size <= last < total and partial.total in (None, total)
    return total if fits and length_of(reply) in (None, last - first + 1) else None


def total_of_unsatisfied(reply: http.client.HTTPResponse, partial: Partial) -> int | None:
    """Return the length of the file by a 416 that says that all bytes are here (RFC 9110, 15.5.17), else None."""
    found = _UNSATISFIED.fullmatch((reply.headers["Content-Range"] or "").strip())
    complete = found is not None and int(found[1]) == partial.size and partial.total in (None, partial.size)
    return partial.size if complete else None


def target_of(reply: http.client.HTTPResponse, url: str, name: str, host: str) -> str:
    """Return where a redirect leads from ``url``; raise PermanentError when that is nowhere.

    A Location is bytes, mostly of UTF-8; the guard encodes what must not be sent so.
    """
    text: str = reply.headers["Location"] or ""
    location = text.encode("latin-1", "replace").decode(errors="surrogateescape")
    try:
        if location:
            return urljoin(url, location)
    except ValueError:
        pass
    what = "to a malformed URL" if location else "without saying where"
    raise PermanentError(f"{name}: {host} redirects ({reply.status}) {what}; look the recording up in Genesys Cloud")


def refused(reply: http.client.HTTPResponse, name: str, host: str, *, now: datetime) -> ArchiveError:
    """Make the error of a status without media, by what may help."""
    message = f"{name}: media host {host} answered {reply.status}"
    if reply.status == 400:
        found = _EXPIRED.search(_explanation(reply))
        if found is None:
            return ExpiredError(message, renewals=1)
        return ExpiredError(f"{message} ({found[1].decode()})")
    if reply.status in (401, 403, 404, 410):
        return ExpiredError(message, renewals=1) if reply.status == 404 else ExpiredError(message)
    if reply.status in (429, 503):
        return TransientError(message, retry_after_s=_retry_after(reply, now))
    if reply.status >= 500 or reply.status < 300 or reply.status in _PASSING:
        return TransientError(message)
    return PermanentError(f"{message}, which no retry changes; look the recording up in Genesys Cloud")


def broken(error: Exception, name: str, host: str) -> ArchiveError:
    """Make the error of a connection that failed."""
    what = f"{name}: media host {host}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return PermanentError(
            f"{what}: its certificate is not trusted ({error.verify_message}); check the network "
            "as `recording-archive check` shows it: which proxy, which CA file"
        )
    if isinstance(error, TooSlowError):
        return SlowError(f"{what} is too slow: {error}")
    if isinstance(error, TooMuchError):
        return TransientError(f"{what}: {error}")
    return TransientError(f"{what}: {'no byte in time' if isinstance(error, TimeoutError) else type(error).__name__}")


def quotable(error: Exception) -> Exception | None:
    """Return the cause to chain; none of http.client's, for BadStatusLine quotes what may echo the signed URL."""
    return None if isinstance(error, http.client.HTTPException) else error


def strong_etag(reply: http.client.HTTPResponse) -> str | None:
    """Return the ETag if it identifies bytes, else None."""
    etag = (reply.headers["ETag"] or "").strip()
    return etag if STRONG_ETAG.fullmatch(etag) else None


def length_of(reply: http.client.HTTPResponse) -> int | None:
    """Return the Content-Length that frames the body; None when chunks or the connection's end do, or it is invalid.

    The same length several times, in one header or in more, is one (RFC 9110, 8.6).
    """
    lengths = {text.strip() for line in reply.headers.get_all("Content-Length", []) for text in line.split(",")}
    text = lengths.pop() if len(lengths) == 1 and not reply.chunked else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def http_date(text: str | None) -> datetime | None:
    """Read a date of HTTP; None when there is none, or none that a calendar has."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _retry_after(reply: http.client.HTTPResponse, now: datetime) -> float | None:
    """Return the seconds to wait (RFC 9110, 10.2.3); a date counts from the host's own clock, for ours may be wrong."""
    text = (reply.headers["Retry-After"] or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    moment = http_date(text)
    return max(0.0, (moment - (http_date(reply.headers["Date"]) or now)).total_seconds()) if moment else None


def _codings(reply: http.client.HTTPResponse) -> set[str]:
    lines = reply.headers.get_all("Content-Encoding", [])
    return {text.strip().lower() for line in lines for text in line.split(",")} - {""}


def _encoded(name: str, host: str) -> str:
    return f"{name}: {host} sends encoded media though raw bytes were asked for; have it send identity"


def _explanation(reply: http.client.HTTPResponse) -> bytes:
    """Read the beginning of a refusal's body: to be searched, never to be shown."""
    text = b""
    try:
        while len(text) < EXPLANATION_BYTES and (more := reply.read1(EXPLANATION_BYTES)):
            text += more
    except (OSError, http.client.HTTPException):
        pass  # what came by then must do
    return text
