"""One ranged GET of a media URL, to learn how its host behaves before a run depends on it."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from recording_archive.errors import ArchiveError, PermanentError
from recording_archive.transfer import replies
from recording_archive.transfer.allowed_hosts import CheckedHost
from recording_archive.transfer.bounds import BoundedResponse
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.formats import HEAD_BYTES, sniff
from recording_archive.transfer.receiving import chunks_of

__all__ = ["TRIAL_BYTES", "Trial", "host_in", "life_of", "try_url"]

TRIAL_BYTES = 64 * 1024
MAX_REDIRECTS = 5

_TOTAL = re.compile(r"bytes 0-[0-9]+/([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Trial:
    """Reply to the request for the first 64 KiB of a file.

    ``hosts`` were asked in turn, the last of them answered. ``total`` is the size of the file where it is told.
    ``etag`` is ``strong``, ``weak`` or None; ``is_ranged`` tells if exactly the range that was asked for came.
    """

    hosts: tuple[str, ...]
    status: int
    seconds: float
    came: int
    total: int | None
    etag: str | None
    is_ranged: bool
    content_type: str | None
    encoding: str | None
    server: str | None
    extension: str


def try_url(client: MediaClient, url: str, name: str, *, clock: Callable[[], float] = time.monotonic) -> Trial:
    """Ask for the first 64 KiB, past the guard at each redirect; raise what a transfer would."""
    hosts: list[str] = []
    begun = clock()
    for _ in range(MAX_REDIRECTS + 1):
        place = client.check(url)
        hosts.append(place.host)
        connection = client.connection(place)
        try:
            connection.request("GET", place.path_and_query, headers=_headers(place))
            with connection.getresponse() as reply:
                if reply.status in (301, 302, 303, 307, 308):
                    url = replies.target_of(reply, url, name, place.host)
                    continue
                if reply.status not in (200, 206):
                    raise _refused(reply, name, place.host, client)
                head = _beginning(reply, client.buffer())
            return _trial_of(reply, hosts, head, clock() - begun)
        except (OSError, http.client.HTTPException) as error:
            raise replies.broken(error, name, place.host) from replies.quotable(error)
        finally:
            connection.close()  # the rest of the body is not wanted
    raise PermanentError(f"{name}: {hosts[-1]} redirects more than {MAX_REDIRECTS} times")


def life_of(url: str, now: datetime) -> float | None:
    """Seconds for which a signed URL will work, by its own words (S3, CloudFront); None where it does not say."""
    given = {name.casefold(): value for name, value in parse_qsl(_query_of(url))}
    try:
        if "x-amz-expires" in given:
            signed = datetime.fromisoformat(given["x-amz-date"])
            return float(given["x-amz-expires"]) - (now - signed).total_seconds()
        return float(given["expires"]) - now.timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):  # TypeError: a date without zone
        return None


def host_in(url: str) -> str:
    """Host of a URL, with its port if it is not 443, whether or not it may be followed; empty where there is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].casefold().removesuffix(":443")
    except ValueError:
        return ""


def _query_of(url: str) -> str:
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def _headers(place: CheckedHost) -> dict[str, str]:
    wanted = {"Range": f"bytes=0-{TRIAL_BYTES - 1}", "Accept": "*/*", "Accept-Encoding": "identity"}
    return {"Host": place.authority, **wanted}


def _refused(reply: BoundedResponse, name: str, host: str, client: MediaClient) -> ArchiveError:
    return replies.refused(reply, name, host, now=client.clock())


def _beginning(reply: BoundedResponse, buffer: memoryview) -> bytes:
    due = TRIAL_BYTES if reply.length is None else min(TRIAL_BYTES, reply.length)
    return b"".join(bytes(piece) for piece in chunks_of(reply, buffer, due, lambda _: None))


def _trial_of(reply: BoundedResponse, hosts: list[str], head: bytes, seconds: float) -> Trial:
    etag, content_type = reply.headers["ETag"], reply.headers["Content-Type"]
    found = _TOTAL.fullmatch((reply.headers["Content-Range"] or "").strip()) if reply.status == 206 else None
    length = reply.headers["Content-Length"] or ""
    whole = int(length) if reply.status == 200 and length.isascii() and length.isdigit() else None
    return Trial(
        hosts=tuple(hosts),
        status=reply.status,
        seconds=seconds,
        came=len(head),
        total=int(found[1]) if found else whole,
        etag=("strong" if replies.strong_etag(reply) else "weak") if etag else None,
        is_ranged=found is not None and len(head) == min(TRIAL_BYTES, int(found[1])),
        content_type=content_type,
        encoding=reply.headers["Content-Encoding"],
        server=reply.headers["Server"],
        extension=sniff(head[:HEAD_BYTES], content_type).extension,
    )
