"""The ledger's chain: numbered segments of lines, each of which carries the SHA-256 of the line before it.

The first line of a segment is its header and carries the hash of the last line of the segment before it; that of the
first segment carries 64 zeros. A line's hash counts its line break, so `sed -n 7p | sha256sum` follows the chain by
hand. The SHA-256 of the last line of all is the ledger's head: who keeps it elsewhere can show any later change.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import product
from typing import Any, NamedTuple

from recording_archive.store.base import Store

PREFIX = "ledger/"
START = "0" * 64
FORMAT_VERSION = 1

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
    with store.open(segment_key(number)) as file:
        (line,) = deque(file, maxlen=1) or [b""]
    return Head(number, sha256(line).hexdigest())


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


def read_segment(store: Store, number: int, *, archive_id: str, previous: str | None = None) -> Iterator[SegmentLine]:
    """Yield every line of a segment with its flaw, the header first; ``previous`` is the head before it.

    A count that does not agree with the header's is the flaw of a line after the last.
    """
    due: int | None = None
    line = SegmentLine(0, {}, sha256(b"").hexdigest(), None)
    with store.open(segment_key(number)) as file:
        for raw in iter(lambda: file.readline(_LINE_BYTES), b""):
            document = _parse(raw, _EVENT if line.number else _HEADER)
            flaw: str | None = None
            if not document:
                flaw = "cannot be read: it was changed or cut"
            elif line.number:
                flaw = _BROKEN if document["previous"] != line.sha256 else None
            else:
                due = document["events"]
                flaw = _header_flaw(document, number, archive_id, previous)
            line = SegmentLine(line.number + 1, document, sha256(raw).hexdigest(), flaw)
            yield line
    events = max(line.number - 1, 0)
    if line.number == 0 or due not in (None, events):
        flaw = "is empty" if line.number == 0 else f"tells of {due} events and holds {events}"
        yield SegmentLine(line.number + 1, {}, line.sha256, f"the segment {flaw}: lines were cut off or added")


_BROKEN = "does not follow the line before it: that one was changed, or lines were removed, added or reordered"


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
