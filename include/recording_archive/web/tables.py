"""Lists as files: CSV for spreadsheets, JSON lines for programs; written row by row, whatever their length."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeVar

from recording_archive.report import spreadsheet_cell
from recording_archive.web.rows import Document

_T = TypeVar("_T")
_LINES = 200  # sent at once


def as_csv(kind: type[Document], rows: Iterable[Document]) -> Iterator[str]:
    """A header of JSON names, then a line for each row (RFC 4180); no cell is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(field.alias for field in kind.model_fields.values())
    for number, row in enumerate(rows, 1):
        writer.writerow(map(spreadsheet_cell, row.model_dump(mode="json").values()))
        if number % _LINES == 0:
            yield _taken(text)
    yield _taken(text)


def as_json_lines(rows: Iterable[Document]) -> Iterator[str]:
    """One JSON document in each line."""
    for row in rows:
        yield row.model_dump_json(by_alias=True) + "\n"


def begun(items: Iterator[_T]) -> Iterator[_T]:
    """The same with its first item fetched: what cannot be read fails before an answer has begun."""
    first = list(zip(range(1), items, strict=False))
    return chain((item for _, item in first), items)


def _taken(text: io.StringIO) -> str:
    written = text.getvalue()
    text.seek(0)
    text.truncate()
    return written
