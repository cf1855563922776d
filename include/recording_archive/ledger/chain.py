"""The ledger's chain: numbered segments of lines, each of which carries the SHA-256 of the line before it.

The first line of a segment is its header and carries the hash of the last line of the segment before it; that of the
first segment carries 64 zeros. A line's hash counts its line break, so `sed -n 7p | sha256sum` follows the chain by
hand. The SHA-256 of the last line of all is the ledger's head: who keeps it elsewhere can show any later change.

From version 2 on the last line of a segment is its seal: the root of a Merkle tree over its events, and the head of the
segment before. So one event is proved by a path to the root, and an older head by the seals after it, without showing
any other event. Segments of version 1 end with an event.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import chain, product
from typing import Any, NamedTuple

from recording_archive.ledger.merkle import Tree
from recording_archive.store.base import Store

PREFIX = "ledger/"
START = "0" * 64
FORMAT_VERSION = 2
_WITH_SEAL = 2  # the first version whose segments end with one

_KEY = re.compile(r"ledger/(\d{12})\.jsonl")
_LINE_BYTES = 16 * 2**20


class _Shape(NamedTuple):
    """The form of a line: names in their order, every permitted row of types, and which of the values are moments."""

    names: tuple[str, ...]
    types: frozenset[tuple[type, ...]]
    moments: tuple[str, ...]


def _shape(moments: tuple[str, ...], **kinds: tuple[type, ...]) -> _Shape:
    return _Shape(tuple(kinds), frozenset(product(*kinds.values())), moments)


_SOME_TEXT, _SOME_NUMBER = (str, type(None)), (int, type(None))
_HEADER = _shape(
    ("sealedAt", "completeUntil"),
    previous=(str,),
    formatVersion=(int,),
    archiveId=(str,),
    segment=(int,),
    events=(int,),
    sealedAt=(str,),
    completeUntil=(str,),
)
_EVENT = _shape(
    ("at",),
    previous=(str,),
    uid=(str,),
    at=(str,),
    kind=(str,),
    interactionId=_SOME_TEXT,
    recordingId=_SOME_TEXT,
    part=_SOME_NUMBER,
    runId=_SOME_TEXT,
    actor=_SOME_TEXT,
    detail=(dict,),
)


_SEAL = _shape(
    ("sealedAt",),
    previous=(str,),
    archiveId=(str,),
    segment=(int,),
    sealedAt=(str,),
    before=(str,),
    leaves=(int,),
    root=(str,),
)


@dataclass(frozen=True, slots=True)
class Head:
    """A place in the ledger: the last line of a segment, by its SHA-256."""

    segment: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.segment}:{self.sha256}"


class SegmentLine(NamedTuple):
    """One line of a segment, counted from 1; ``document`` is empty when it cannot be read, ``flaw`` the damage."""

    number: int
    document: Mapping[str, Any]
    sha256: str
    flaw: str | None

    @property
    def is_event(self) -> bool:
        """Tell whether the line is an event, and can be read: neither header nor seal."""
        return "uid" in self.document


def segment_key(number: int) -> str:
    """Name the key of a segment."""
    return f"{PREFIX}{number:012d}.jsonl"


def segment_number(key: str) -> int | None:
    """Read the number of the segment at ``key``; None when no segment has that name."""
    match = _KEY.fullmatch(key)
    return int(match[1]) if match else None


def segment_numbers(store: Store) -> Iterator[int]:
    """List the numbers of the segments in the archive, ascending."""
    return (number for key in store.list(PREFIX) if (number := segment_number(key)) is not None)


def newest(store: Store) -> Head | None:
    """Read the head of the ledger from the newest segment in the archive; None when there is no ledger."""
    last = deque(segment_numbers(store), maxlen=1)
    return head_of(store, last[0]) if last else None


def head_of(store: Store, number: int) -> Head:
    """Read where a segment ends; raise PermanentError when it is not there."""
    return Head(number, sha256(last_line(store, number)).hexdigest())


def last_line(store: Store, number: int) -> bytes:
    """Read the last line of a segment; empty when it has none."""
    with store.open(segment_key(number)) as file:
        (line,) = deque(file, maxlen=1) or [b""]
    return line


def seal_in(line: bytes) -> Mapping[str, Any] | None:
    """Read a segment's seal from its last line; None when that is an event, as in version 1."""
    return _parse(line, _SEAL) or None


def seal_of(store: Store, number: int) -> bytes | None:
    """Read the line of a segment's seal; None when it has none."""
    line = last_line(store, number)
    return line if seal_in(line) else None


def statement(archive_id: str, head: Head) -> bytes:
    """Write the line that signatures sign and witnesses keep."""
    return f"recording-archive head {archive_id} {head}\n".encode()


def chained(previous: str, documents: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Write documents as lines, each with the hash of the one before it; ``previous`` is for the first."""
    for document in documents:
        text = json.dumps({"previous": previous, **document}, ensure_ascii=False, separators=(",", ":"))
        line = text.encode(errors="backslashreplace") + b"\n"  # half a surrogate pair, as JSON escapes it
        previous = sha256(line).hexdigest()
        yield line


def segment_lines(header: Mapping[str, Any], documents: Iterable[Mapping[str, Any]], before: str) -> Iterator[bytes]:
    """Write the lines of a segment: header, events, seal; ``before`` is the SHA-256 of the head before it."""
    tree, previous = Tree(), before
    for number, line in enumerate(chained(before, chain([header], documents))):
        previous = sha256(line).hexdigest()
        if number:
            tree.add(line)
        yield line
    facts = {name: header[name] for name in ("archiveId", "segment", "sealedAt")}
    seal = {**facts, "before": before, "leaves": tree.leaves, "root": tree.root().hex()}
    yield from chained(previous, [seal])


def read_segment(store: Store, number: int, *, archive_id: str, previous: str | None = None) -> Iterator[SegmentLine]:
    """Yield every line of a segment with its flaw, the header first; ``previous`` is the head before it.

    A count that does not agree with the header's is the flaw of a line after the last.
    """
    reading = _Reading(number, archive_id, previous)
    with store.open(segment_key(number)) as file:
        for raw in iter(lambda: file.readline(_LINE_BYTES), b""):
            yield reading.take(raw)
    if lacking := reading.lacking():
        yield SegmentLine(reading.line.number + 1, {}, reading.line.sha256, lacking)


_UNREADABLE = "cannot be read: it was changed or cut"
_BROKEN = "does not follow the line before it: that one was changed, or lines were removed, added or reordered"


class _Reading:
    """A segment, read line by line."""

    def __init__(self, number: int, archive_id: str, previous: str | None) -> None:
        self.line = SegmentLine(0, {}, sha256(b"").hexdigest(), None)
        self._number, self._archive_id, self._previous = number, archive_id, previous
        self._header: dict[str, Any] = {}
        self._tree, self._events = Tree(), 0
        self._with_seal = self._ended = self._flawed = False

    def take(self, raw: bytes) -> SegmentLine:
        """Read the next line."""
        flaw = self._begin(raw) if not self.line.number else self._go_on(raw)
        self._flawed |= flaw is not None
        return self.line

    def lacking(self) -> str | None:
        """Say what the lines that are there lack."""
        if self.line.number == 0:
            return "the segment is empty: lines were cut off or added"
        if (due := self._header.get("events")) not in (None, self._events):
            return f"the segment declares {due} events and holds {self._events}: lines were cut off or added"
        if self._with_seal and not self._ended:
            return "the segment has no seal: its end was cut off"
        return None

    def _begin(self, raw: bytes) -> str | None:
        self._header = document = _parse(raw, _HEADER)
        self._with_seal = bool(document) and document["formatVersion"] >= _WITH_SEAL
        flaw = _header_flaw(document, self._number, self._archive_id, self._previous) if document else _UNREADABLE
        return self._note(raw, document, flaw)

    def _go_on(self, raw: bytes) -> str | None:
        document = _parse(raw, _EVENT)
        seal = {} if document or not self._with_seal else _parse(raw, _SEAL)
        flaw = self._flaw_of(document or seal, seal)
        if seal:
            self._ended = True
        elif not self._ended:
            self._events += 1
            if self._with_seal:
                self._tree.add(raw)
        return self._note(raw, document or seal, flaw)

    def _flaw_of(self, document: Mapping[str, Any], seal: Mapping[str, Any]) -> str | None:
        if not document:
            return _UNREADABLE
        if self._ended:
            return "follows the seal of the segment: it was added"
        if document["previous"] != self.line.sha256:
            return _BROKEN
        # where a line is wrong already, the seal cannot fit
        return _seal_flaw(seal, self._header, self._tree) if seal and not self._flawed else None

    def _note(self, raw: bytes, document: Mapping[str, Any], flaw: str | None) -> str | None:
        self.line = SegmentLine(self.line.number + 1, document, sha256(raw).hexdigest(), flaw)
        return flaw


def _header_flaw(header: Mapping[str, Any], number: int, archive_id: str, previous: str | None) -> str | None:
    """Name the flaw of a header; None when it is sound."""
    if header["formatVersion"] > FORMAT_VERSION:
        return f"has format version {header['formatVersion']}: install a release of this software that knows it"
    if header["archiveId"] != archive_id:
        return f"is of archive {header['archiveId']}, not of {archive_id}: find out who put it there"
    if header["segment"] != number:
        return f"is of segment {header['segment']}: the file was renamed"
    if previous not in (None, header["previous"]):
        return "does not follow the segment before it: the end of that one was changed, or this one is not its own"
    return None


def _seal_flaw(seal: Mapping[str, Any], header: Mapping[str, Any], tree: Tree) -> str | None:
    """Name the flaw of a seal; None when it is sound."""
    due = {name: header[name] for name in ("archiveId", "segment", "sealedAt")}
    due |= {"before": header["previous"], "leaves": header["events"], "root": tree.root().hex()}
    wrong = [name for name, value in due.items() if seal[name] != value]
    return f"does not fit the lines before it in {', '.join(wrong)}: it or they were changed" if wrong else None


def _parse(raw: bytes, shape: _Shape) -> dict[str, Any]:
    """Read the document of a line; empty when it does not have that shape."""
    try:
        document = json.loads(raw.decode()) if raw.endswith(b"\n") else None
        if not isinstance(document, dict) or tuple(document) != shape.names:
            return {}
        dated = all(datetime.fromisoformat(document[name]).tzinfo for name in shape.moments)
        return document if dated and tuple(map(type, document.values())) in shape.types else {}
    except (ValueError, TypeError, RecursionError):
        return {}
