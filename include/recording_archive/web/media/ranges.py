"""The bytes that a request wants of a representation: ranges, entity tags and conditions (RFC 9110, 13 and 14).

Pure functions over headers. `select` is what routes call; it answers with status, span and headers, and leaves
sending the bytes to `streams`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

_SPEC = re.compile(r"([0-9]{0,40})-([0-9]{0,40})")  # more digits are no position in any file: such a header is ignored
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


class Headers(Protocol):
    """Request headers as Starlette has them: every line of a repeated field counts."""

    def getlist(self, key: str) -> list[str]:
        """All values of a field, in order."""


@dataclass(frozen=True, slots=True)
class ByteSpan:
    """Bytes ``[start, end)`` of a representation."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Return the number of bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """A range that lies wholly behind the end: 416."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The answer to a request: ``status`` 200, 206, 304, 412 or 416; ``span`` is None when no bytes are to be sent.

    ``headers`` hold all that follows from it: ETag, Accept-Ranges, Content-Length, Content-Range.
    """

    status: int
    span: ByteSpan | None
    headers: Mapping[str, str] = field(default_factory=dict)


def quote_tag(text: str) -> str:
    """A strong entity tag of an opaque text, such as a hash in hex."""
    return f'"{text}"'


def parse_range(header: str | None, size: int) -> ByteSpan | Unsatisfiable | None:
    """The one range a ``Range`` header asks of ``size`` bytes; None means the whole representation.

    Several ranges, another unit and a malformed field are answered with the whole, as RFC 9110, section 14.2 allows.
    """
    unit, _, listed = (header or "").partition("=")
    specs = [spec for element in listed.split(",") if (spec := element.strip(" \t"))]
    match = _SPEC.fullmatch(specs[0]) if len(specs) == 1 else None
    if unit.lower() != "bytes" or match is None:
        return None
    first, last = match.groups()
    return _from(int(first), last, size) if first else _suffix(last, size)


def select(method: str, headers: Headers, *, size: int, etag: str) -> Selection:
    """Evaluate conditions, then the range, in the order of RFC 9110, section 13.2.2.

    ``etag`` is a strong tag with its quotes. Conditions on dates are ignored: an archived object has no modification
    date. Only GET has ranges.
    """
    base = {"ETag": etag, "Accept-Ranges": "bytes"}
    if (match := _joined(headers, "if-match")) is not None and not _lists(match, etag, weak=False):
        return Selection(412, None, base)
    if (none_match := _joined(headers, "if-none-match")) is not None and _lists(none_match, etag, weak=True):
        return Selection(304, None, base)
    span: ByteSpan | Unsatisfiable | None = None
    if method == "GET" and _joined(headers, "if-range") in {None, etag}:
        span = parse_range(_joined(headers, "range"), size)
    if isinstance(span, Unsatisfiable):
        return Selection(416, None, base | {"Content-Range": f"bytes */{size}"})
    if span is None:
        whole = ByteSpan(0, size) if method == "GET" else None
        return Selection(200, whole, base | {"Content-Length": str(size)})
    partial = {"Content-Length": str(span.length), "Content-Range": f"bytes {span.start}-{span.end - 1}/{size}"}
    return Selection(206, span, base | partial)


def _from(first: int, last: str, size: int) -> ByteSpan | Unsatisfiable | None:
    if last and int(last) < first:
        return None
    if first >= size:
        return Unsatisfiable()
    return ByteSpan(first, min(int(last) + 1, size) if last else size)


def _suffix(length: str, size: int) -> ByteSpan | Unsatisfiable | None:
    if not length:
        return None
    if int(length) == 0:
        return Unsatisfiable()
    return ByteSpan(max(size - int(length), 0), size) if size else None  # no Content-Range can tell of 0 bytes of 0


def _joined(headers: Headers, name: str) -> str | None:
    """A field's lines as one value; for fields that may not be repeated this makes a value that matches nothing."""
    lines = headers.getlist(name)
    return ", ".join(lines) if lines else None


def _lists(field_value: str, etag: str, *, weak: bool) -> bool:
    """Tell if a list of entity tags, or ``*``, names ``etag``; weak comparison ignores the ``W/``."""
    if field_value.strip() == "*":
        return True
    tags: list[str] = _TAG.findall(field_value)
    return etag in [tag.removeprefix("W/") if weak else tag for tag in tags]
