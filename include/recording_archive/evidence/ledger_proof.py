"""The ledger's proof for the calls of a pack: their events, and what leads from these to a head that others vouch for.

    ledger/events.jsonl          each event's line as it was sealed, with its path of hashes to the root
    ledger/seals.jsonl           the seals that hold the roots, and those that lead on to a signed or stamped head
    ledger/000000000042.jsonl    a whole segment, of version 1: it has no tree, so it is proved whole, others in it
    ledger/000000000042.head     the statement that a signature signs, beside the signature and the stamps
    ledger/keys/                 the archive's public keys
    ledger/heads.csv             every head that the catalog knows

`ledger.event_proof` finds the way; here it becomes files. Checkers go by what they find.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import segments
from recording_archive.errors import PermanentError, RunError
from recording_archive.evidence.tables import Aside, Table
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.event_proof import EventProof, head_proof, proofs_of
from recording_archive.ledger.marks import SIGNATURE, Mark

_PIECE = 2**18
_KEYS = "keys/"
_HEADS = ("segment", "sha256", "events", "sealedAt")


@dataclass(frozen=True, slots=True)
class ProofFile:
    """A file of the proof: its path in the pack, its content in pieces, and its size where it may be large."""

    path: str
    pieces: Iterator[bytes]
    size: int = 0


@dataclass
class _Proof:
    """Proof found so far. ``seals`` are by segment, ``whole`` are keys of segments."""

    archive: Archive
    lines: Aside = field(default_factory=Aside)
    seals: dict[int, bytes] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    marks: dict[str, Mark] = field(default_factory=dict)
    heads: dict[int, Head] = field(default_factory=dict)

    def take(self, proof: EventProof) -> None:
        """Keep an event's way to the head of its segment."""
        segment = proof.head.segment
        self.heads[segment] = proof.head
        if proof.seal is None:
            self.whole.add(proof.segment_key)
            return
        self.seals[segment] = proof.seal
        values = {"leaf": proof.leaf, "leaves": proof.leaves, "path": proof.path, "line": proof.line.decode()}
        self.lines.add(json.dumps({"segment": segment, **values}, ensure_ascii=False) + "\n")

    def lead_on(self) -> None:
        """Find who vouches for the heads."""
        for head in self.heads.values():
            found = head_proof(self.archive.store, head)
            self.seals |= {int(json.loads(seal)["segment"]): seal for seal in found.seals}
            self.whole.update(found.whole)
            self.marks |= {mark.key: mark for mark in (found.signature, *found.stamps) if mark}


def proof_of(archive: Archive, interaction_ids: Collection[str]) -> Iterator[ProofFile]:
    """Yield the files that prove the sealed events of these interactions.

    A damaged segment proves nothing: it is told in a file of its own, and what was found before it is there.
    """
    proof, problem = _Proof(archive), ""
    try:
        for each in proofs_of(archive, interaction_ids):
            proof.take(each)
    except RunError:
        raise
    except PermanentError as error:
        problem = str(error)
    proof.lead_on()
    if problem:
        yield ProofFile(f"{chain.PREFIX}PROBLEM.txt", iter([f"{problem}\n".encode()]))
    if proof.heads:
        yield from _files(archive, proof)


def _files(archive: Archive, proof: _Proof) -> Iterator[ProofFile]:
    lines = ({"segment": number, "seal": seal.decode()} for number, seal in sorted(proof.seals.items()))
    yield ProofFile(f"{chain.PREFIX}events.jsonl", proof.lines.pieces())
    yield ProofFile(
        f"{chain.PREFIX}seals.jsonl", (f"{json.dumps(each, ensure_ascii=False)}\n".encode() for each in lines)
    )
    for key in sorted({*proof.whole, *proof.marks}):
        yield _stored(archive, key, key)
    signed = {mark.segment for mark in proof.marks.values() if mark.kind == SIGNATURE}
    for number in sorted(signed):
        statement = chain.statement(archive.id, chain.head_of(archive.store, number))
        yield ProofFile(f"{chain.PREFIX}{number:012d}.head", iter([statement]))
    yield from (_stored(archive, key, f"{chain.PREFIX}{key}") for key in archive.store.list(_KEYS))
    yield _heads(archive)


def _heads(archive: Archive) -> ProofFile:
    table = Table(_HEADS)
    with archive.catalog.read() as connection:
        for row in connection.execute(select(segments).order_by(segments.c.number)):
            table.row(dict(zip(_HEADS, (row.number, row.sha256, row.events, row.sealed_at), strict=True)))
    return ProofFile(f"{chain.PREFIX}heads.csv", table.pieces())


def _stored(archive: Archive, key: str, path: str) -> ProofFile:
    return ProofFile(path, read_pieces(lambda: archive.store.open(key)), archive.store.size(key) or 0)


def read_pieces(opened: Callable[[], BinaryIO]) -> Iterator[bytes]:
    """Yield a file as it lies there; it is opened when its turn comes."""
    with opened() as file:
        while piece := file.read(_PIECE):
            yield piece
