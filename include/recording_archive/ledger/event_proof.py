"""Proof of single events, to be taken elsewhere: each with what leads from it to a head that others vouch for.

An event's line leads by its path to the root in its segment's seal; the SHA-256 of the seal's line is the segment's
head. Where no one vouches for that head, the seals of the segments after it lead on to one that somebody does: each has
the head before it in `before`. None of this shows another event. Segments of version 1 have no seal, and are proved
as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import chunked
from recording_archive.catalog.tables import events
from recording_archive.errors import PermanentError
from recording_archive.ledger import chain, marks, merkle
from recording_archive.ledger.chain import Head
from recording_archive.ledger.marks import Mark
from recording_archive.store.base import Store


@dataclass(frozen=True, slots=True)
class EventProof:
    """One event of the ledger, and its way to the head of its segment.

    ``line`` is the event as it lies in the archive, its line break included, ``number`` which line it is. ``leaf``,
    ``leaves``, ``path`` (in hex, the nearest first) and ``seal`` (the segment's last line) are None where the segment
    is of version 1: then the file ``segment_key`` is the proof.
    """

    segment_key: str
    number: int
    line: bytes
    head: Head
    leaf: int | None = None
    leaves: int | None = None
    path: tuple[str, ...] | None = None
    seal: bytes | None = None


@dataclass(frozen=True, slots=True)
class HeadProof:
    """A head, and who vouches for it.

    ``signature`` and ``stamps`` are files beside the segments, None or empty without any. ``seals`` are the last
    lines of the segments after it, up to the newest of those marks; empty when all are of the head's own segment. A
    segment of version 1 in between has no seal: ``whole`` names the files that lead on instead.
    """

    head: Head
    signature: Mark | None
    stamps: tuple[Mark, ...]
    seals: tuple[bytes, ...]
    whole: tuple[str, ...]


def proofs_of(archive: Archive, interaction_ids: Collection[str]) -> Iterator[EventProof]:
    """Yield the proof of every sealed event of these interactions, in the order of the ledger.

    Raises PermanentError, with the place, when a segment is damaged: then nothing in it is proved.
    """
    wanted = frozenset(interaction_ids)
    for number in _segments_of(archive, wanted):
        yield from _in_segment(archive, number, wanted)


def nearest_marks(store: Store, segment: int) -> list[Mark]:
    """Find the nearest mark of each kind by each signer or authority, of a segment or a later one; nearest first."""
    nearest: dict[tuple[str, str], Mark] = {}
    for key in store.list(chain.PREFIX):
        mark = marks.mark_at(key)
        if mark and mark.segment >= segment:
            nearest.setdefault((mark.kind, mark.by), mark)
    return sorted(nearest.values(), key=lambda mark: mark.segment)


def head_proof(store: Store, head: Head) -> HeadProof:
    """Find who vouches for a head: the signature and the stamps nearest to it, of its own segment or a later one."""
    nearest = nearest_marks(store, head.segment)
    signature = next((mark for mark in nearest if mark.kind == marks.SIGNATURE), None)
    stamps = tuple(mark for mark in nearest if mark.kind == marks.STAMP)
    last = max((mark.segment for mark in (signature, *stamps) if mark), default=head.segment)
    seals, whole = list[bytes](), list[str]()
    for number in range(head.segment + 1, last + 1):
        if seal := chain.seal_of(store, number):
            seals.append(seal)
        else:
            whole.append(chain.segment_key(number))
    return HeadProof(head, signature, stamps, tuple(seals), tuple(whole))


def _segments_of(archive: Archive, wanted: Collection[str]) -> list[int]:
    found = set[int]()
    for page in chunked(sorted(wanted)):
        mine = (events.c.interaction_id.in_(page), events.c.segment.is_not(None))
        with archive.catalog.read() as connection:
            found.update(connection.execute(select(events.c.segment).where(*mine).distinct()).scalars())
    return sorted(found)


def _in_segment(archive: Archive, number: int, wanted: Collection[str]) -> Iterator[EventProof]:
    key = chain.segment_key(number)
    with archive.store.open(key) as file:
        raw = file.readlines()
    for line in chain.read_segment(archive.store, number, archive_id=archive.id):
        if line.flaw:
            raise PermanentError(f"{key} line {line.number} {line.flaw}: run `recording-archive verify-ledger`")
    head, seal = Head(number, sha256(raw[-1]).hexdigest()), chain.seal_in(raw[-1])
    hashes = [merkle.leaf_hash(event) for event in raw[1:-1]]
    for index, event in enumerate(raw[1:-1] if seal else raw[1:]):
        if json.loads(event)["interactionId"] in wanted:
            bare = EventProof(key, index + 2, event, head)
            path = tuple(each.hex() for each in merkle.path_of(hashes, index)) if seal else None
            yield replace(bare, leaf=index, leaves=len(hashes), path=path, seal=raw[-1]) if seal else bare
