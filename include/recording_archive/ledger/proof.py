"""Prove a ledger by the archive's folder alone: the chain, and an event with the right hash for every document.

Who can write both archive and ledger can make a new chain. A head kept elsewhere shows it; and so do, unless they were
made anew as well, the heads that reports name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from recording_archive.errors import ArchiveError, ConfigurationError, RunError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.proof_index import FOLDERS, Notes, Told, is_document, opened_notes, part_of
from recording_archive.store.base import Store

__all__ = ["Flaw", "Proof"]

_WANTED = re.compile(r"(?:0*([1-9]\d{0,11}):)?([0-9a-f]{64})")
_NAMED = re.compile(rb'"ledgerHead": ?"(\d{1,12}):([0-9a-f]{64})"')
_GENERATED = re.compile(rb'"generatedAt": ?"([^"]+)"')
_MANIFEST = re.compile(r"manifests/([^/]+)/(.+)\.(\d+)/[^/]+")
_PIECE = 2**20
_NONE = (
    "there is no ledger: the next run makes one, and `recording-archive reindex` before it takes up the reports; "
    "if there was one, it was removed: restore it from a copy of the archive"
)


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong, and where: a line of the ledger or a key. Not ``tampered`` is what may yet be sealed."""

    place: str
    problem: str
    tampered: bool = True


class Proof:
    """One reading of an archive's ledger; what it counted stands in its attributes when `flaws` is done.

    ``expected`` is a head from elsewhere: ``segment:sha256`` or the hash alone. A document that claims to be of a later
    time than ``now`` and a day does not count as young.
    """

    def __init__(self, store: Store, *, now: datetime, expected: str | None = None) -> None:
        self.segments = self.events = self.documents = 0
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

    def flaws(self, advance: Callable[[], None] = lambda: None) -> Iterator[Flaw]:
        """Everything that is wrong, in order; ``advance`` is called for each segment and document.

        Raises StoreError when the folder is no archive or cannot be read.
        """
        archive_id = self._store.required_identity("name the root of an archive")
        with opened_notes() as notes:
            yield from self._read_ledger(notes, archive_id, advance)
            yield from self._compare_head(notes)
            if self.head is None and any(is_document(key) for folder in FOLDERS for key in self._store.list(folder)):
                yield Flaw(chain.PREFIX, _NONE)
                return
            yield from self._compare_documents(notes, advance)

    def _read_ledger(self, notes: Notes, archive_id: str, advance: Callable[[], None]) -> Iterator[Flaw]:
        for key in self._store.list(chain.PREFIX):
            number = chain.number_of(key)
            if number is None:
                yield Flaw(key, "no segment has such a name: find out who put it there")
                continue
            due = self.head.segment + 1 if self.head else 1
            previous = self.head.sha256 if self.head else chain.START
            if number != due:
                until = f" to {chain.key_of(number - 1)}" if number - 1 > due else ""
                yield Flaw(chain.key_of(due) + until, "missing: restore it from a copy of the archive")
            yield from self._read_segment(notes, number, archive_id, previous if number == due else None)
            advance()

    def _read_segment(self, notes: Notes, number: int, archive_id: str, previous: str | None) -> Iterator[Flaw]:
        for line in chain.read(self._store, number, archive_id=archive_id, previous=previous):
            self.head = Head(number, line.sha256)
            if line.flaw:
                yield Flaw(f"{chain.key_of(number)} line {line.number}", line.flaw)
            if not line.told:
                continue
            if line.number > 1:
                self.events += 1
                notes.add_event(line.told, number, line.number)
            else:
                self._sealed_at = datetime.fromisoformat(line.told["sealedAt"])
                self._complete_until = datetime.fromisoformat(line.told["completeUntil"])
        self.segments += 1
        if self.head:
            notes.add_head(self.head)

    def _compare_head(self, notes: Notes) -> Iterator[Flaw]:
        if self._expected is None:
            return
        segment, digest = self._expected.groups()
        if not notes.has_head(digest, int(segment) if segment else None):
            where = f"segment {segment} does not end" if segment else "no segment ends"
            problem = f"{where} with {digest}; the ledger, which ends at {self.head}, was cut, rolled back or rewritten"
            yield Flaw("--head", problem)

    def _compare_documents(self, notes: Notes, advance: Callable[[], None]) -> Iterator[Flaw]:
        """Walk what was told and what is there side by side: both come in the order of keys."""
        rows = notes.told()
        told = next(rows, None)
        for key in (key for folder in FOLDERS for key in self._store.list(folder) if is_document(key)):
            while told and told.key < key:
                notes.add_missing(told)
                told = next(rows, None)
            same = told if told and told.key == key else None
            yield from self._compare(notes, key, same)
            told = next(rows, None) if same else told
            self.documents += 1
            advance()
        while told:
            notes.add_missing(told)
            told = next(rows, None)
        yield from self._missing(notes)

    def _missing(self, notes: Notes) -> Iterator[Flaw]:
        """Documents that were told of and are not there; tombstones, read last, tell what was purged meanwhile."""
        if next(notes.missing(), None) is None:
            return
        for key in self._store.list("tombstones/"):
            notes.add_gone(part_of(key))
        for told in notes.missing():
            yield Flaw(told.key, f"missing, and {told.place} tells of it: restore it from a copy of the archive")

    def _compare(self, notes: Notes, key: str, told: Told | None) -> Iterator[Flaw]:
        try:
            digest, named = _read(self._store, key)
        except RunError:
            raise
        except ArchiveError as error:  # it went this moment, or it has a name that no key of ours has
            if told:
                notes.add_missing(told)
            else:
                yield Flaw(key, str(error))
            return
        if told is None:
            yield self._unvouched(key)
        elif digest != told.sha256:
            yield Flaw(key, f"was changed: its SHA-256 is {digest}, {told.place} has {told.sha256}")
        if named and not notes.has_head(named.sha256, named.segment):
            yield Flaw(
                key, f"names the head {named}, which the ledger does not have: it was cut, rolled back or rewritten"
            )

    def _unvouched(self, key: str) -> Flaw:
        """A document without event: not sealed yet when it is young, else put there past this software."""
        moment = _moment(self._store, key)
        if self._sealed_at and self._complete_until:
            claimed = moment or self._sealed_at  # what has no date of its own is judged by the newest that may lack it
            if self._complete_until < claimed <= self._latest:
                return Flaw(key, "not sealed yet: the next sealing vouches for it", tampered=False)
        return Flaw(
            key,
            "no event tells of it: someone put it there, or the ledger lost its end; if a crash left it, "
            "`recording-archive reindex` takes it up",
        )


def _read(store: Store, key: str) -> tuple[str, Head | None]:
    """SHA-256 of a document, and the ledger head that a report names."""
    with store.open(key) as file:
        piece = file.read(_PIECE)
        digest = sha256(piece)
        match = _NAMED.search(piece) if key.startswith("reports/") and key.endswith(".json") else None
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest(), Head(int(match[1]), match[2].decode()) if match else None


def _moment(store: Store, key: str) -> datetime | None:
    """When a document says it was made; for a report's other files what the report says. None when nothing says it."""
    try:
        if match := _MANIFEST.fullmatch(key):
            key = f"reports/{match[1]}/{match[2]}/{match[3]}/compliance_report.json"
        if key.startswith("reports/"):
            with store.open(key.rpartition(".")[0] + ".json") as file:
                found = _GENERATED.search(file.read(_PIECE))
            return _aware(found[1].decode()) if found else None
        document = json.loads(store.read(key))
    except RunError:
        raise
    except (ArchiveError, ValueError, RecursionError):
        return None
    named = document.items() if isinstance(document, dict) else ()
    moments = (_aware(value) for name, value in named if name in {"at", "created"} or name.endswith("At"))
    return max((moment for moment in moments if moment), default=None)


def _aware(text: Any) -> datetime | None:
    with suppress(ValueError, TypeError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
