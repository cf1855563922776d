"""A report read back from the archive: its head from the JSON, rows from the CSV beside it.

Neither is read whole: the totals stand at the head of the JSON, and the CSV is streamed. The ``.sha256`` file is
written last, so a report without one was never finished.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recording_archive.errors import FixityError, PermanentError
from recording_archive.model import Window
from recording_archive.reports.cells import without_guard
from recording_archive.store.base import Store

_HEAD_BYTES = 2**20  # the totals take a few hundred bytes, the problems a line each
_LISTS = {"compliance_report": "missing", "retention_report": "entries", "fixity_report": "findings"}  # behind the head


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A stored compliance report; ``totals`` are all its numbers by name.

    It ``covers`` its window but for the gaps of its ``listing``.
    """

    key: str
    run_id: str
    source: str
    kind: str
    started_at: datetime
    closed_at: datetime
    window: Window | None
    covers: bool
    listing: Mapping[str, Any] | None
    asked: int | None
    totals: Mapping[str, int]
    problems: tuple[str, ...]


def keys_of(report_key: str) -> tuple[str, str, str]:
    """Return the keys of JSON, CSV and checksums of one report, given any of them."""
    stem = report_key.rpartition(".")[0]
    return f"{stem}.json", f"{stem}.csv", f"{stem}.sha256"


def name_of(report_key: str) -> str:
    """Return the kind of a report: ``compliance_report``, ``retention_report`` or ``fixity_report``."""
    return report_key.rpartition("/")[2].partition(".")[0]


def read_report(store: Store, key: str) -> StoredReport:
    """Read a compliance report's head, given its JSON's key; raise PermanentError when it is damaged or missing."""
    with damage_named(key):
        return _to_report(key, read_head(store, key))


def read_head(store: Store, key: str) -> dict[str, Any]:
    """Read a report's JSON without its lists; raise PermanentError when it is damaged or missing."""
    # a line break inside a JSON text is escaped, so nothing else reads like the place where the head ends
    end = f',\n "{_LISTS.get(name_of(key), "")}": ['.encode()
    with damage_named(key), store.open(key) as file:
        head, found, _ = file.read(_HEAD_BYTES).partition(end)
        if not found:
            raise ValueError("its lists are missing")
        fields: dict[str, Any] = json.loads(head + b"\n}")
        return fields


@contextmanager
def damage_named(key: str) -> Iterator[None]:
    """Turn errors of reading a damaged report into a PermanentError that names it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PermanentError(
            f"The report {key} is damaged ({type(error).__name__}: {error}): restore it from a copy of the archive"
        ) from error


def read_rows(store: Store, key: str) -> Iterator[dict[str, str]]:
    """Stream the CSV of the report whose JSON has ``key``: every part of the run, as text by column name."""
    with store.open(keys_of(key)[1]) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as text:
        for row in csv.DictReader(text):
            yield {name: without_guard(cell or "") for name, cell in row.items()}


def check_bytes(store: Store, key: str) -> None:
    """Raise FixityError when JSON or CSV are not the bytes whose hashes were stored with them."""
    document, table, checksums = keys_of(key)
    lines = store.read(checksums).decode(errors="replace").splitlines()
    expected = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for each in (document, table):
        found, due = hash_of(store, each), expected.get(each.rpartition("/")[2], "none")
        if found != due:
            raise FixityError(f"{each} (restore it from a copy of the archive)", expected=due, found=found)


def hash_of(store: Store, key: str) -> str:
    """Compute the SHA-256 of a file of the archive, whatever its size."""
    digest = hashlib.sha256()
    with store.open(key) as file:
        while piece := file.read(_HEAD_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _to_report(key: str, head: Mapping[str, Any]) -> StoredReport:
    start, end = head["rangeStart"], head["rangeEnd"]
    return StoredReport(
        key=key,
        run_id=head["runId"],
        source=head["source"],
        kind=head["kind"],
        started_at=datetime.fromisoformat(head["startedAt"]),
        closed_at=datetime.fromisoformat(head["generatedAt"]),
        window=Window(datetime.fromisoformat(start), datetime.fromisoformat(end)) if start and end else None,
        covers=bool(head["coverageClosed"]) or head.get("coverage") == "partial",
        listing=head.get("listing"),
        asked=head["asked"],
        totals={name: value for name, value in head.items() if type(value) is int},
        problems=tuple(head["problems"]),
    )
