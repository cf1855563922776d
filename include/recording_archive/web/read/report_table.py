"""The rows of a stored report as a table that can be narrowed, sorted and paged.

They are read from the CSV in the archive, not from the catalog: the page shows the document that was signed off. It is
streamed; what is held is as many rows as lie before the end of the page asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from typing import Any

from recording_archive.errors import PermanentError
from recording_archive.reports.reading import read_rows
from recording_archive.store.base import Store

PAGE = 100
DEEPEST_PAGE = 1000
COLUMNS = (
    ("interactionId", "Interaction", False),
    ("status", "Outcome", False),
    ("interactionDate", "Time", False),
    ("sourceChecksum", "Source’s checksum", False),
    ("bytes", "Size", True),
    ("storedBytes", "Stored", True),
    ("attempts", "Requests", True),
    ("error", "Error", False),
)
"""Name in the CSV, heading, and whether it is a number."""

_NUMBERS = frozenset(name for name, _, is_number in COLUMNS if is_number)
_URGENCY = {"checksum_mismatch": 0, "failed": 1, "missing": 2, "deferred": 3, "excluded": 4}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the report; numbers are None where the CSV has none."""

    interaction_id: str
    recording_id: str
    part: int
    status: str
    source_checksum: str
    interaction_date: str
    bytes: int | None
    stored_bytes: int | None
    attempts: int | None
    carried_over: bool
    error: str


@dataclass(frozen=True, slots=True)
class Table:
    """One page of a report's rows, and how many rows the whole report has of each status."""

    entries: tuple[Entry, ...]
    counts: Counter[str]

    def count(self, status: str) -> int:
        """Rows with a status; of all when it is empty."""
        return self.counts[status] if status else self.counts.total()


def read_entries(
    store: Store, report_key: str, *, status: str = "", sort: str = "", descending: bool = False, page: int = 1
) -> Table:
    """Page ``page`` (from 1) of the rows with ``status``; without ``sort`` what went wrong comes first.

    Raises PermanentError for a table that no report of ours is.
    """
    counts: Counter[str] = Counter()

    def numbered() -> Iterator[tuple[int, dict[str, str]]]:
        for number, row in enumerate(read_rows(store, report_key)):
            counts[row["status"]] += 1
            if not status or row["status"] == status:
                yield number, row

    end = min(max(page, 1), DEEPEST_PAGE) * PAGE
    pick = nlargest if descending else nsmallest
    try:
        ranked = pick(end, numbered(), key=lambda each: _rank(each[0], each[1], sort, descending=descending))
        return Table(tuple(_entry(row) for _, row in ranked[end - PAGE :]), counts)
    except (ValueError, KeyError) as error:
        raise PermanentError(
            f"The table of {report_key} is damaged ({type(error).__name__}: {error}): restore it from a copy"
        ) from error


def _rank(number: int, row: dict[str, str], sort: str, *, descending: bool) -> tuple[Any, ...]:
    """Return the sort key of a row: rows without the value come last either way, and equal ones stay in their order."""
    order = -number if descending else number
    if not sort:
        return _URGENCY.get(row["status"], 9), order
    value = row.get(sort, "")
    missing = (value == "") is not descending
    return missing, (int(value or 0) if sort in _NUMBERS else value.casefold()), order


def _entry(row: dict[str, str]) -> Entry:
    numbers = {name: int(row[name]) if row.get(name) else None for name in _NUMBERS}
    return Entry(
        interaction_id=row["interactionId"],
        recording_id=row["recordingId"],
        part=int(row["part"] or 0),
        status=row["status"],
        source_checksum=row["sourceChecksum"],
        interaction_date=row["interactionDate"],
        bytes=numbers["bytes"],
        stored_bytes=numbers["storedBytes"],
        attempts=numbers["attempts"],
        carried_over=row["carriedOver"] == "true",
        error=row["error"],
    )
