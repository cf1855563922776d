"""Replies of media hosts: their status and headers judged by RFC 9110, and errors that hold no URL."""

from __future__ import annotations

import http.client
import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from recording_archive.errors import ArchiveError, PermanentError, TransientError
from recording_archive.transfer.partial_file import STRONG_ETAG, Partial
from recording_archive.transfer.retries import ExpiredError

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})")


def check_body(reply: http.client.HTTPResponse, name: str, host: str, *, has_checksum: bool) -> None:
    """Refuse a body that is not raw, or whose end cannot be trusted."""
    coding = reply.headers["Content-Encoding"]
    if (coding or "identity").strip().lower() != "identity":
        raise PermanentError(
            f"{name}: {host} sends encoded media though raw bytes were asked for; have it send identity"
        )
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


def refused(reply: http.client.HTTPResponse, name: str, host: str, *, now: datetime) -> ArchiveError:
    """Make the error of a status without media, by what may help."""
    message = f"{name}: media host {host} answered {reply.status}"
    if reply.status in (401, 403, 404, 410):
        return ExpiredError(message, reply.status)
    if reply.status in (429, 503):
        return TransientError(message, retry_after_s=_retry_after(reply, now))
    if reply.status >= 500 or reply.status < 300 or reply.status in (408, 425):
        return TransientError(message)
    return PermanentError(f"{message}, which no retry changes; look the recording up in Genesys Cloud")


def broken(error: Exception, name: str, host: str) -> ArchiveError:
    """Make the error of a connection that failed."""
    what = f"{name}: media host {host}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return PermanentError(f"{what}: its certificate does not verify ({error.verify_message}); trust its issuer")
    return TransientError(f"{what}: {'no byte in time' if isinstance(error, TimeoutError) else type(error).__name__}")


def quotable(error: Exception) -> Exception | None:
    """Return the cause to chain; none of http.client's, for BadStatusLine quotes what may echo the signed URL."""
    return None if isinstance(error, http.client.HTTPException) else error


def strong_etag(reply: http.client.HTTPResponse) -> str | None:
    """Return the ETag if it identifies bytes, else None."""
    etag = (reply.headers["ETag"] or "").strip()
    return etag if STRONG_ETAG.fullmatch(etag) else None


def length_of(reply: http.client.HTTPResponse) -> int | None:
    """Return the Content-Length that frames the body; None when chunks or the connection's end do, or it is invalid."""
    lengths = set(reply.headers.get_all("Content-Length", []))
    text = lengths.pop().strip() if len(lengths) == 1 and not reply.chunked else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def http_date(text: str | None) -> datetime | None:
    """Read a date of HTTP; None when there is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _retry_after(reply: http.client.HTTPResponse, now: datetime) -> float | None:
    """Return the seconds to wait (RFC 9110, 10.2.3); a date counts from the host's own clock, for ours may be wrong."""
    text = (reply.headers["Retry-After"] or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    moment = http_date(text)
    return max(0.0, (moment - (http_date(reply.headers["Date"]) or now)).total_seconds()) if moment else None
