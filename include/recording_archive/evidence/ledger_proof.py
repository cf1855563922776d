"""The ledger's proof for the calls of a pack: files that let anybody check that the events are those that were sealed.

So far these are the whole segments that hold the events, and every file that lies beside a segment under its number
(signatures, time stamps), with the public keys of the archive. A new kind of proof is one more generator in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import segments
from recording_archive.evidence.tables import Table
from recording_archive.ledger.chain import PREFIX

_PIECE = 2**18
_KEYS = "keys/"


@dataclass(frozen=True, slots=True)
class ProofFile:
    """A file of the proof: its path in the pack, its content in pieces, and its size where it may be large."""

    path: str
    pieces: Iterator[bytes]
    size: int = 0


def proof_of(archive: Archive, numbers: Collection[int]) -> Iterator[ProofFile]:
    """Yield the files that prove events of these segments."""
    for kind in KINDS:
        yield from kind(archive, numbers)


def whole_segments(archive: Archive, numbers: Collection[int]) -> Iterator[ProofFile]:
    """Yield the segments, and what lies beside each: they name events of other calls as well."""
    for number in sorted(numbers):
        yield from (_stored(archive, key, key) for key in archive.store.list(f"{PREFIX}{number:012d}."))


def public_keys(archive: Archive, numbers: Collection[int]) -> Iterator[ProofFile]:
    """Yield the archive's public keys, where it has some."""
    if numbers:
        yield from (_stored(archive, key, f"{PREFIX}{key}") for key in archive.store.list(_KEYS))


def heads(archive: Archive, numbers: Collection[int]) -> Iterator[ProofFile]:
    """Yield the list of all heads, as the catalog knows them: a head that was kept elsewhere is found in it."""
    if numbers:
        table = Table(("segment", "sha256", "events", "sealedAt"))
        query = select(segments).order_by(segments.c.number)
        with archive.catalog.read() as connection:
            for row in connection.execute(query):
                told = (row.number, row.sha256, row.events, row.sealed_at)
                table.row(dict(zip(("segment", "sha256", "events", "sealedAt"), told, strict=True)))
        yield ProofFile(f"{PREFIX}heads.csv", table.pieces())


KINDS: tuple[Callable[[Archive, Collection[int]], Iterator[ProofFile]], ...] = (whole_segments, public_keys, heads)


def _stored(archive: Archive, key: str, path: str) -> ProofFile:
    return ProofFile(path, read_pieces(lambda: archive.store.open(key)), archive.store.size(key) or 0)


def read_pieces(opened: Callable[[], BinaryIO]) -> Iterator[bytes]:
    """Yield a file as it lies there; it is opened when its turn comes."""
    with opened() as file:
        while piece := file.read(_PIECE):
            yield piece
