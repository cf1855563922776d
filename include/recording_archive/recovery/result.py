"""The result of indexing one thing that was found in the archive."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class IndexResult(StrEnum):
    """The result: the catalog learned it, knew it, or cannot take it."""

    ADDED = "added"
    KNOWN = "known"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Indexed:
    """One thing found in the archive: ``what`` is ``ledger``, ``recordings``, ``runs``, ``holds`` and so on."""

    what: str
    key: str
    result: IndexResult
    problem: str | None = None
