"""Heads as a witness keeps them, and their comparison with a ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recording_archive.errors import ArchiveError, RunError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.proof_index import ProofIndex
from recording_archive.store.base import Store

_KEY = re.compile(r"[^/]+/(\d{12})\.head")
_STATEMENT = re.compile(r"recording-archive head ([0-9a-f]{1,64}) ([1-9]\d{0,11}):([0-9a-f]{64})\n")
_OPTION = "--witness"


def head_key(archive_id: str, number: int) -> str:
    """Name the key of a head in the witness."""
    return f"{archive_id}/{number:012d}.head"


def newest_kept(witness: Store, archive_id: str) -> int:
    """Find the newest segment whose head the witness keeps; 0 when it keeps none of this archive."""
    return max((number for number, _ in _kept(witness, archive_id)), default=0)


class WitnessProof:
    """One comparison with a witness; ``kept`` counts its heads, ``newest`` is the newest that the ledger has."""

    def __init__(self, witness: Store | None = None) -> None:
        self.kept = 0
        self.newest: Head | None = None
        self._witness = witness

    def flaws(self, archive_id: str, index: ProofIndex) -> Iterator[Flaw]:
        """Yield heads that the witness keeps and the ledger does not have, and segments it was not told of."""
        if self._witness is None:
            return
        for number, key in _kept(self._witness, archive_id):
            self.kept += 1
            head = _read(self._witness, key, archive_id, number)
            if head is None:
                yield Flaw(f"{_OPTION} {key}", "is no head of this archive: somebody changed what the witness keeps")
            elif not index.has_head(head.sha256, head.segment):
                why = "the ledger does not have it: it was cut, rolled back or rewritten"
                yield Flaw(f"{_OPTION} {key}", f"keeps the head {head}; {why}")
            else:
                self.newest = head
        last = index.newest_head()
        if not self.kept:
            yield Flaw(_OPTION, f"{self._witness} keeps no head of archive {archive_id}: is it the right place?")
        elif last and (first := (self.newest.segment if self.newest else 0) + 1) <= last.segment:
            place = chain.segment_key(first)
            yield Flaw(f"{place} and later", "not told to the witness yet: the next run does it", tampered=False)


def _kept(witness: Store, archive_id: str) -> Iterator[tuple[int, str]]:
    for key in witness.list(f"{archive_id}/"):
        if match := _KEY.fullmatch(key):
            yield int(match[1]), key


def _read(witness: Store, key: str, archive_id: str, number: int) -> Head | None:
    try:
        match = _STATEMENT.fullmatch(witness.read(key).decode())
    except RunError:
        raise
    except (ArchiveError, ValueError):
        return None
    if not match or (match[1], int(match[2])) != (archive_id, number):
        return None
    return Head(number, match[3])
