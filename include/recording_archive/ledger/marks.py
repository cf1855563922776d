"""Marks: files beside a segment that vouch for its head, `ledger/{segment}.{key}.sig` and `….{authority}.tsr`.

A mark covers every segment before its own as well, as each segment carries the hash of the one before.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from recording_archive.ledger.chain import PREFIX, Head
from recording_archive.store.base import Store

SIGNATURE, STAMP = "sig", "tsr"
_NAME = re.compile(r"ledger/(\d{12})\.([0-9a-f]{16})\.(sig|tsr)")


class Mark(NamedTuple):
    """A file that vouches for a head: of which segment, of which kind, and by whom."""

    key: str
    segment: int
    kind: str
    by: str


def mark_at(key: str) -> Mark | None:
    """Read a mark from its key; None when no mark has that name."""
    match = _NAME.fullmatch(key)
    return Mark(key, int(match[1]), match[3], match[2]) if match else None


def mark_key(head: Head, kind: str, by: str) -> str:
    """Name the key of a head's mark."""
    return f"{PREFIX}{head.segment:012d}.{by}.{kind}"


def newest_marked(store: Store, kind: str, by: str, *, most: int) -> int:
    """Find the newest segment, up to ``most``, that somebody marked; 0 when there is none.

    A mark beyond the ledger's end was put there by somebody, and must not pass for the newest.
    """
    found = (mark_at(key) for key in store.list(PREFIX))
    same = (mark.segment for mark in found if mark and (mark.kind, mark.by) == (kind, by) and mark.segment <= most)
    return max(same, default=0)
