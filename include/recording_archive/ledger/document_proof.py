"""Proof of one document, to be told to a person: its hash, the event that vouches for it, and who vouches for that.

A document is sealed with its event's segment; the signature and the stamps nearest to that segment, of its own head or
a later one, cover it. What is read here is what a page says; `ledger.proof` is what proves all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, segments
from recording_archive.errors import ArchiveError, RunError
from recording_archive.ledger import chain, marks
from recording_archive.ledger.chain import Head
from recording_archive.ledger.documents import hash_object
from recording_archive.ledger.event_proof import nearest_marks
from recording_archive.ledger.marks import Mark
from recording_archive.ledger.signing_key import KnownKey, known_keys
from recording_archive.ledger.stamp_reading import read_stamp


@dataclass(frozen=True, slots=True)
class Vouching:
    """A mark that covers a head: its key, of which head it is, and by whom; ``at`` is when a stamp was made.

    ``problem`` says why it counts for nothing.
    """

    key: str
    head: Head
    by: str
    at: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentProof:
    """A document's SHA-256, the event that tells it, and the head that seals this; None for what is not there.

    ``key`` is None for what is no file of its own. ``problem`` says what does not agree.
    """

    key: str | None
    sha256: str | None
    recorded_at: datetime | None = None
    head: Head | None = None
    signatures: Sequence[Vouching] = field(default=())
    stamps: Sequence[Vouching] = field(default=())
    problem: str | None = None


def prove_document(archive: Archive, key: str, *about: ColumnElement[bool]) -> DocumentProof:
    """Hash the document stored under ``key``, and find its event among those that are ``about`` it."""
    try:
        found, _ = hash_object(archive.store, key)
    except RunError:
        raise
    except ArchiveError as error:
        return DocumentProof(key, None, problem=str(error))
    recorded_at, segment, expected = _event_of(archive, key, about)
    if expected is None:
        return DocumentProof(key, found, problem="No event records it: the archive does not vouch for it.")
    if expected != found:
        return DocumentProof(key, found, recorded_at, problem=f"It was changed: its event records SHA-256 {expected}.")
    return DocumentProof(key, found, recorded_at, *_vouched_for(archive, segment))


def prove_statement(archive: Archive, sha256: str, *about: ColumnElement[bool]) -> DocumentProof:
    """Find who vouches for a text of this hash that is no file: the event ``about`` it, or else the newest head."""
    if not about:
        with archive.catalog.read() as connection:
            newest = connection.execute(select(func.max(segments.c.number))).scalar()
        return DocumentProof(None, sha256, None, *_vouched_for(archive, newest))
    query = select(events.c.at, events.c.segment).where(*about).order_by(events.c.id).limit(1)
    with archive.catalog.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        return DocumentProof(None, sha256, problem="No event records it: the archive does not vouch for it.")
    return DocumentProof(None, sha256, row.at, *_vouched_for(archive, row.segment))


def _event_of(
    archive: Archive, key: str, about: Sequence[ColumnElement[bool]]
) -> tuple[datetime | None, int | None, str | None]:
    """Read when an event told of a document, in which segment, and its hash there; the newest that names it."""
    query = select(events.c.at, events.c.segment, events.c.detail).where(*about).order_by(events.c.id.desc())
    with archive.catalog.read() as connection:
        for row in connection.execute(query):
            if digest := (row.detail or {}).get("files", {}).get(key):
                return row.at, row.segment, digest
    return None, None, None


def _vouched_for(archive: Archive, segment: int | None) -> tuple[Head | None, Sequence[Vouching], Sequence[Vouching]]:
    """Find the head of a segment, and the signatures and stamps that cover it."""
    if segment is None:
        return None, (), ()
    nearest = nearest_marks(archive.store, segment)
    heads = _heads(archive, {segment, *(mark.segment for mark in nearest)})
    found = [(mark, Head(mark.segment, heads[mark.segment])) for mark in nearest if mark.segment in heads]
    keys = known_keys(archive.store)
    signatures = [_signed(archive, keys, *each) for each in found if each[0].kind == marks.SIGNATURE]
    stamps = [_stamped(archive, *each) for each in found if each[0].kind == marks.STAMP]
    return (Head(segment, heads[segment]) if segment in heads else None), signatures, stamps


def _heads(archive: Archive, numbers: Collection[int]) -> dict[int, str]:
    query = select(segments.c.number, segments.c.sha256).where(segments.c.number.in_(numbers))
    with archive.catalog.read() as connection:
        return {row.number: row.sha256 for row in connection.execute(query)}


def _signed(archive: Archive, keys: Mapping[str, KnownKey], mark: Mark, head: Head) -> Vouching:
    known = keys.get(mark.by)
    if known is None:
        return Vouching(mark.key, head, mark.by, problem="by none of the archive’s keys")
    fits = known.public.signed(archive.store.read(mark.key), chain.statement(archive.id, head))
    return Vouching(mark.key, head, known.public.fingerprint, problem=None if fits else "does not fit its head")


def _stamped(archive: Archive, mark: Mark, head: Head) -> Vouching:
    try:
        stamp = read_stamp(archive.store.read(mark.key)).tst_info
    except RunError:
        raise
    except (ArchiveError, ValueError) as error:
        return Vouching(mark.key, head, mark.by, problem=f"cannot be read ({error})")
    fits = stamp.message_imprint.message.hex() == head.sha256
    return Vouching(mark.key, head, mark.by, stamp.gen_time, None if fits else "is of another head")
