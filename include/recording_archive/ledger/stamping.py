"""Time stamps of heads by RFC 3161: an authority outside says that a head was there by then.

`ledger/{segment}.{authority}.tsr` is the authority's whole answer, as `openssl ts -verify` reads it; what it stamps is
the head itself, the SHA-256 of the segment's last line. A stamp covers every segment before its own. One that cannot be
had fails nobody: the end of the next run asks for one of the head that is newest then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from hashlib import sha256
from urllib.parse import urlsplit

import requests
from rfc3161_client import HashAlgorithm, PKIStatus, TimestampRequestBuilder
from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import segments
from recording_archive.errors import ArchiveError, FixityError, TransientError
from recording_archive.ledger import chain, marks
from recording_archive.ledger.chain import Head
from recording_archive.ledger.stamp_reading import read_stamp
from recording_archive.ledger.vouched import STAMPED, note_vouched
from recording_archive.settings import Settings
from recording_archive.sources.bounded import bind
from recording_archive.transfer.bounds import Bounds
from recording_archive.transfer.network import network_of

log = logging.getLogger(__name__)

Ask = Callable[[str, bytes], bytes]
_BOUNDS = Bounds(timeout_s=10, total_s=30, max_bytes=2**18)
_QUERY = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
_PROBE = b"recording-archive check\n"


def authorities(settings: Settings) -> list[str]:
    """List the addresses of the authorities that the settings name."""
    return [url.strip() for url in settings.tsa_urls.split(",") if url.strip()]


def authority_name(url: str) -> str:
    """Name an authority in the keys of its stamps: the start of its address' SHA-256, which hides what it may hold."""
    return sha256(url.encode()).hexdigest()[:16]


def stamp_newest(archive: Archive) -> None:
    """Ask every authority for a stamp of the newest head, unless there is one; what goes wrong the log says."""
    urls = authorities(archive.settings)
    head = _newest(archive) if urls else None
    if head is None:
        return
    for url in urls:
        key = marks.mark_key(head, marks.STAMP, authority_name(url))
        try:
            if archive.store.size(key) is None:
                archive.store.put(key, ask(archive.settings, url, _stamped_line(archive, head)))
            note_vouched(archive, STAMPED, head.segment)
        except ArchiveError as error:
            log.warning("No time stamp of ledger head %s: %s; the next run asks again", head, error)


def ask(settings: Settings, url: str, line: bytes) -> bytes:
    """Ask an authority for a stamp of the SHA-256 of ``line``; raise TransientError when it gives none that fits."""
    host = urlsplit(url).hostname
    query = TimestampRequestBuilder().data(line).hash_algorithm(HashAlgorithm.SHA256).build()
    try:
        with _session(settings, url) as session:
            reply = session.post(url, query.as_bytes(), headers=_QUERY, timeout=10, allow_redirects=False)
            content = reply.content
    except (requests.RequestException, OSError) as error:
        raise TransientError(f"{host} cannot be reached ({type(error).__name__}): is its address right?") from None
    if reply.status_code != requests.codes.ok:
        raise TransientError(f"{host} answered {reply.status_code}: is its address right, and are we allowed to ask?")
    try:
        stamp = read_stamp(content)
        granted = stamp.status == PKIStatus.GRANTED
        fits = granted and stamp.tst_info.message_imprint.message == sha256(line).digest()
        fits = fits and stamp.tst_info.nonce == query.nonce
    except ValueError as error:
        raise TransientError(f"{host} answered no time stamp ({error}): is its address right?") from None
    if not fits:
        status = f"status {stamp.status} {' '.join(stamp.status_string)}".rstrip()
        why = "one of something else" if granted else status
        raise TransientError(f"{host} gave no such stamp but {why}: ask whoever runs it")
    return content


def tell_stamps(archive: Archive) -> str:
    """Try every authority, and say up to where each has stamped; raise TransientError when one cannot be had."""
    urls = authorities(archive.settings)
    if not urls:
        return "warning: the ledger's heads are not time-stamped: set RECORDING_ARCHIVE_TSA_URLS"
    for url in urls:
        ask(archive.settings, url, _PROBE)
    return "; ".join(_lags(archive, urls))


def _lags(archive: Archive, urls: list[str]) -> Iterator[str]:
    found = [mark for key in archive.store.list(chain.PREFIX) if (mark := marks.mark_at(key))]
    for url in urls:
        mine = (mark.segment for mark in found if (mark.kind, mark.by) == (marks.STAMP, authority_name(url)))
        yield f"{urlsplit(url).hostname} stamps; {lag(archive, 'stamped', max(mine, default=0))}"


def lag(archive: Archive, done: str, segment: int) -> str:
    """Say up to which segment something was done, how many wait for it, and since when."""
    query = select(segments.c.number, segments.c.sealed_at).where(segments.c.number > segment)
    with archive.catalog.read() as connection:
        waiting = connection.execute(query.order_by(segments.c.number)).all()
    if not waiting:
        return f"{done} up to segment {segment}, the newest"
    since = f"{waiting[0].sealed_at:%Y-%m-%d %H:%M} UTC"
    return f"warning: {done} up to segment {segment}, {len(waiting)} wait since {since}: the next run asks for them"


def _newest(archive: Archive) -> Head | None:
    query = select(segments.c.number, segments.c.sha256).order_by(segments.c.number.desc()).limit(1)
    with archive.catalog.read() as connection:
        row = connection.execute(query).one_or_none()
    return Head(row.number, row.sha256) if row else None


def _stamped_line(archive: Archive, head: Head) -> bytes:
    """Read the line whose SHA-256 is the head, as the catalog knows it."""
    line = chain.last_line(archive.store, head.segment)
    if (found := sha256(line).hexdigest()) != head.sha256:
        raise FixityError(chain.segment_key(head.segment), expected=head.sha256, found=found)
    return line


def _session(settings: Settings, url: str) -> requests.Session:
    """Make a session that goes the way that API and media go: proxy, CAs, bounds, and nothing of its surroundings."""
    parts, network, session = urlsplit(url), network_of({}, "", settings), requests.Session()
    session.trust_env, session.verify = False, network.certificates
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if parts.hostname and (proxy := network.proxy_for(parts.hostname, port, parts.scheme)):
        session.proxies = {parts.scheme: proxy.url}
    bind(session, _BOUNDS)
    return session
