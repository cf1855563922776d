"""Prove a ledger by the archive's folder alone: the chain, and an event with the right hash for every document.

Every object that an event records must be there as well, and is read to its last byte where that is asked for. Who can
write both archive and ledger can make a new chain. A head kept elsewhere shows it; and so do, unless they were made
anew as well, the heads that reports name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from recording_archive.errors import ArchiveError, ConfigurationError, RunError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.documents import (
    document_keys,
    hash_object,
    is_object,
    kept_keys,
    part_name,
    read_document,
    written_at,
)
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.marks import mark_at
from recording_archive.ledger.proof_index import KnownDocument, ProofIndex, opened_index
from recording_archive.ledger.proof_signatures import SignatureProof
from recording_archive.ledger.proof_stamps import StampProof
from recording_archive.ledger.witness_heads import WitnessProof
from recording_archive.store.base import Store

_WANTED = re.compile(r"(?:0*([1-9]\d{0,11}):)?([0-9a-f]{64})")
_NONE = (
    "there is no ledger: the next run makes one, and `recording-archive reindex` before it takes up the reports; "
    "if there was one, it was removed: restore it from a copy of the archive"
)
_TAKE_UP = "a person takes it up with `recording-archive take-up`"
_REMEDIES = {
    "holds": _TAKE_UP,
    "policies": _TAKE_UP,
    "keys": "`recording-archive keys create` or `keys rotate`, run again, completes it",
}


class Proof:
    """One reading of an archive's ledger; what it counted stands in its attributes when `flaws` is done.

    ``expected`` is a head from elsewhere: ``segment:sha256`` or the hash alone. With ``read_objects`` every object is
    read to its last byte; else it need only be there. A document that claims to be of a later time than ``now`` and a
    day does not count as young.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: datetime,
        expected: str | None = None,
        read_objects: bool = False,
        signatures: SignatureProof | None = None,
        stamps: StampProof | None = None,
        witness: WitnessProof | None = None,
    ) -> None:
        self.segments = self.events = self.documents = self.objects = self.bytes_read = 0
        self.read_objects = read_objects
        self.signatures = signatures or SignatureProof()
        self.stamps = stamps or StampProof()
        self.witness = witness or WitnessProof()
        self.head: Head | None = None
        self._store = store
        self._latest = now + timedelta(days=1)
        self._expected = _WANTED.fullmatch(expected.strip().lower()) if expected is not None else None
        self._sealed_at: datetime | None = None
        self._complete_until: datetime | None = None
        if expected is not None and self._expected is None:
            raise ConfigurationError(
                f"{expected!r} is no head: give 64 hex digits, or segment, colon and 64 hex digits"
            )

    def flaws(
        self, advance: Callable[[], None] = lambda: None, expect: Callable[[int], None] = lambda _: None
    ) -> Iterator[Flaw]:
        """Yield everything that is wrong, in order; ``advance`` is called for each segment, document and object.

        ``expect`` is told how many of them there will have been, as soon as the ledger was read.

        Raises StoreError when the folder is no archive or cannot be read.
        """
        archive_id = self._store.required_identity("name the root of an archive")
        with opened_index() as index:
            yield from self._read_ledger(index, archive_id, advance)
            yield from self._compare_head(index)
            yield from self.signatures.flaws(self._store, archive_id, index)
            yield from self.stamps.flaws(self._store, index)
            yield from self.witness.flaws(archive_id, index)
            expect(self.segments + index.count())
            if self.head is None and any(document_keys(self._store)):
                yield Flaw(chain.PREFIX, _NONE)
                return
            yield from self._compare_documents(index, advance)

    def _read_ledger(self, index: ProofIndex, archive_id: str, advance: Callable[[], None]) -> Iterator[Flaw]:
        for key in self._store.list(chain.PREFIX):
            number = chain.segment_number(key)
            if mark := mark_at(key):
                index.add_mark(mark)
                continue
            if number is None:
                yield Flaw(key, "no segment has such a name: find out who put it there")
                continue
            due = self.head.segment + 1 if self.head else 1
            previous = self.head.sha256 if self.head else chain.START
            if number != due:
                until = f" to {chain.segment_key(number - 1)}" if number - 1 > due else ""
                yield Flaw(chain.segment_key(due) + until, "missing: restore it from a copy of the archive")
            yield from self._read_segment(index, number, archive_id, previous if number == due else None)
            advance()

    def _read_segment(self, index: ProofIndex, number: int, archive_id: str, previous: str | None) -> Iterator[Flaw]:
        for line in chain.read_segment(self._store, number, archive_id=archive_id, previous=previous):
            self.head = Head(number, line.sha256)
            if line.flaw:
                yield Flaw(f"{chain.segment_key(number)} line {line.number}", line.flaw)
            if not line.document:
                continue
            if line.is_event:
                self.events += 1
                index.add_event(line.document, number, line.number)
            elif line.number == 1:
                self._sealed_at = datetime.fromisoformat(line.document["sealedAt"])
                self._complete_until = datetime.fromisoformat(line.document["completeUntil"])
        self.segments += 1
        if self.head:
            index.add_head(self.head, self._sealed_at)

    def _compare_head(self, index: ProofIndex) -> Iterator[Flaw]:
        if self._expected is None:
            return
        segment, digest = self._expected.groups()
        if not index.has_head(digest, int(segment) if segment else None):
            where = f"segment {segment} does not end" if segment else "no segment ends"
            problem = f"{where} with {digest}; the ledger, which ends at {self.head}, was cut, rolled back or rewritten"
            yield Flaw("--head", problem)

    def _compare_documents(self, index: ProofIndex, advance: Callable[[], None]) -> Iterator[Flaw]:
        """Walk what the ledger knows and what the archive has side by side: both come in the order of keys."""
        rows = index.documents()
        known = next(rows, None)
        for key in kept_keys(self._store):
            while known and known.key < key:
                index.add_missing(known)
                known = next(rows, None)
            same = known if known and known.key == key else None
            yield from (self._compare_object if is_object(key) else self._compare)(index, key, same)
            known = next(rows, None) if same else known
            advance()
        while known:
            index.add_missing(known)
            known = next(rows, None)
        yield from self._missing(index)

    def _missing(self, index: ProofIndex) -> Iterator[Flaw]:
        """Name what the archive lost; tombstones, read last, excuse what was purged meanwhile."""
        if next(index.missing(), None) is None:
            return
        for key in self._store.list("tombstones/"):
            index.add_gone(part_name(key))
        for known in index.missing():
            yield Flaw(known.key, f"missing, and {known.place} records it: restore it from a copy of the archive")

    def _compare_object(self, index: ProofIndex, key: str, known: KnownDocument | None) -> Iterator[Flaw]:
        """Read an object that an event records, where that was asked for; others are `verify`'s to judge."""
        if known is None:
            return
        self.objects += 1
        if not self.read_objects:
            return
        try:
            digest, size = hash_object(self._store, key)
        except RunError:
            raise
        except ArchiveError:  # it went this moment, or something that is no file has its name
            index.add_missing(known)
            return
        self.bytes_read += size
        if known.sha256 not in ("", digest):
            yield Flaw(key, _changed(digest, known))

    def _compare(self, index: ProofIndex, key: str, known: KnownDocument | None) -> Iterator[Flaw]:
        self.documents += 1
        try:
            digest, named = read_document(self._store, key)
        except RunError:
            raise
        except ArchiveError as error:  # it went this moment, or it has a name that no key of ours has
            if known:
                index.add_missing(known)
            else:
                yield Flaw(key, str(error))
            return
        if known is None:
            yield self._unvouched(key)
        elif digest != known.sha256:
            yield Flaw(key, _changed(digest, known))
        if named and not index.has_head(named.sha256, named.segment):
            yield Flaw(
                key, f"names the head {named}, which the ledger does not have: it was cut, rolled back or rewritten"
            )

    def _unvouched(self, key: str) -> Flaw:
        """Judge a document without event: not sealed yet when it is young, else put there past this software."""
        moment = written_at(self._store, key)
        if self._sealed_at and self._complete_until:
            claimed = moment or self._sealed_at  # what has no date of its own is judged by the newest that may lack it
            if self._complete_until < claimed <= self._latest:
                return Flaw(key, "not sealed yet: the next sealing vouches for it", tampered=False)
        return Flaw(
            key,
            "no event records it: someone put it there, or the ledger lost its end; if a crash left it, "
            f"{_REMEDIES.get(key.partition('/')[0], '`recording-archive reindex` takes it up')}",
        )


def _changed(digest: str, known: KnownDocument) -> str:
    return f"was changed: its SHA-256 is {digest}, {known.place} has {known.sha256}"
