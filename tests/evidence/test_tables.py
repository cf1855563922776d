"""Tables that wait for their turn: read back as they were, and no formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from recording_archive.evidence.tables import Table
from recording_archive.evidence.verify import unguarded


def test_a_table_is_read_back_as_it_was() -> None:
    """Commas, quotes, line breaks, moments, numbers; what a spreadsheet takes for a formula has an apostrophe."""
    table = Table(("text", "at", "number", "empty"))
    texts = ["=1+1", "'=1", 'a "b", c\nd', "ü", "+4930", "'tis"]
    for text in texts:
        table.row({"text": text, "at": datetime(2026, 11, 28, tzinfo=UTC), "number": 7, "other": "x"})
    content = b"".join(table.pieces()).decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [unguarded(row["text"]) for row in rows] == texts
    assert not any(row["text"].startswith(("=", "+")) for row in rows)
    assert rows[0] | {"text": ""} == {"text": "", "at": "2026-11-28T00:00:00+00:00", "number": "7", "empty": ""}
    assert table.rows == len(texts)


def test_a_long_table_waits_on_disk() -> None:
    """More than fits in memory comes back whole."""
    table = Table(("text",))
    for number in range(3000):
        table.row({"text": f"{number:05d}" * 100})
    content = b"".join(table.pieces())
    assert len(content) > 2**20
    assert content.count(b"\r\n") == 3001
